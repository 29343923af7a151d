package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"
)

// Content is the bytes of a file, for formats whose parts are decoded after
// Decode has returned. It may be opened any number of times, at once too.
type Content struct {
	Name string // as it is shown
	Path string // on disk; "" if the bytes are held in memory
	Size int64
	data []byte
}

// Keep returns the file's content: on disk if it has a path, otherwise a copy.
func (f *File) Keep() (*Content, error) {
	c := &Content{Name: f.Name, Path: f.Path, Size: f.Size}
	if f.Path != "" {
		return c, nil
	}
	var err error
	c.data, err = f.Bytes()
	return c, err
}

// ReadAtCloser is an open file.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// Open opens the content for reading.
func (c *Content) Open() (ReadAtCloser, error) {
	if c.Path == "" {
		return inMemory{bytes.NewReader(c.data)}, nil
	}
	return os.Open(c.Path)
}

// Digest is the SHA-256 of a file and of the settings that decide what is
// decoded from it.
func (f *File) Digest(ctx context.Context, settings string) (sum [32]byte, err error) {
	h := sha256.New()
	r := io.NewSectionReader(f, 0, f.Size)
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(h, r, 16<<20)
		}
	}
	if err != io.EOF {
		return sum, err
	}
	fmt.Fprintf(h, "\x00%s", settings)
	return [32]byte(h.Sum(nil)), nil
}

// BrokenError ends a stream instead of io.EOF if its file breaks off or is
// damaged: all that could be decoded has been delivered, and At is how far it
// went. Whoever goes on with that part must say so.
type BrokenError struct {
	Source string
	At     time.Duration
	Err    error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%s: breaks off at %v: %v", e.Source, e.At.Round(time.Millisecond), e.Err)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// Contain, deferred, turns a panic into an error. It stands around decoders of
// other modules, which meet bytes their authors did not think of.
func Contain(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the decoder failed: %v", r)
	}
}

// Check returns what is wrong with the limits of films and sound.
func (l Limits) Check() error {
	switch {
	case !(l.FPS > 0 && l.FPS <= 1000):
		return fmt.Errorf("%v frames a second; more than 0 and at most 1000 are possible", l.FPS)
	case l.Start < 0 || l.End < 0:
		return fmt.Errorf("from %v to %v: times cannot be negative", l.Start, l.End)
	case l.End != 0 && l.End <= l.Start:
		return fmt.Errorf("from %v to %v: nothing lies between", l.Start, l.End)
	}
	return nil
}

// FrameTime is when the film's frame k is taken, from 0.
func (l Limits) FrameTime(k int) time.Duration {
	return l.Start + time.Duration(float64(k)/l.FPS*float64(time.Second))
}

// Stretch is how much of a film or sound lies between Start and End. A duration
// of 0 is not known, and neither is the stretch then; it is an error if nothing
// lies there.
func (l Limits) Stretch(duration time.Duration) (time.Duration, error) {
	if err := l.Check(); err != nil || duration == 0 {
		return 0, err
	}
	if l.Start >= duration {
		return 0, fmt.Errorf("lasts %v; nothing is left from %v on", duration.Round(time.Millisecond), l.Start)
	}
	if l.End != 0 {
		duration = min(duration, l.End)
	}
	return duration - l.Start, nil
}
