package video

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/audio"
	"github.com/handscroll/handscroll/internal/media/ffmpeg"
	"github.com/handscroll/handscroll/internal/media/image"
)

// Format returns the format of films.
func Format() media.Format {
	return media.Format{Name: "film", Match: match, Decode: decode}
}

// match looks at the content alone.
func match(_ string, head []byte) bool {
	if isAVI(head) || isTransport(head) || isBase(head) {
		return true
	}
	for _, p := range []string{
		"\x1a\x45\xdf\xa3",                 // Matroska, WebM
		"\x00\x00\x01\xba",                 // MPEG program stream
		"\x00\x00\x01\xb3",                 // MPEG video
		"FLV\x01",                          // Flash
		"\x30\x26\xb2\x75\x8e\x66\xcf\x11", // ASF, WMV
	} {
		if bytes.HasPrefix(head, []byte(p)) {
			return true
		}
	}
	return bytes.HasPrefix(head, []byte("OggS\x00")) &&
		(bytes.Contains(head, []byte("\x80theora")) || bytes.Contains(head, []byte("\x01video")))
}

// isBase matches ISO base media files and QuickTime's, which need no brand.
func isBase(head []byte) bool {
	if len(head) < 12 || bytes.IndexByte(head, 0) < 0 { // as no text has one
		return false
	}
	switch string(head[4:8]) {
	case "ftyp", "moov", "mdat", "wide", "pnot", "free", "skip":
		return true
	}
	return false
}

// isTransport matches MPEG transport streams: a sync byte every 188 bytes, or
// every 192 after a time stamp.
func isTransport(head []byte) bool {
	for _, p := range []struct{ at, step int }{{0, 188}, {4, 192}} {
		n := 0
		for at := p.at; at < len(head) && head[at] == 'G'; at += p.step {
			n++
		}
		if n >= 3 && n == (len(head)-p.at+p.step-1)/p.step {
			return true
		}
	}
	return false
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	l = l.WithDefaults()
	if isAVI(f.Head) {
		a, err := readAVI(f, f.Size)
		if err != nil {
			return nil, err
		}
		if a.own() {
			return a.parts(ctx, f, l)
		}
	}
	content, err := f.Keep()
	if err != nil {
		return nil, err
	}
	info, err := ffmpeg.Probe(ctx, content, l)
	if err != nil {
		return nil, err
	}
	if info.Video == nil {
		return audio.FromFFmpeg(ctx, f, content, info, l)
	}
	if err := checkPixels(info.Video.W, info.Video.H, l.Pixels); err != nil {
		return nil, err
	}
	return film(ctx, f, l, info.Duration, info.Sound == nil, func(ctx context.Context) (media.Stream, error) {
		return openFFmpeg(ctx, content, info, l)
	})
}

func checkPixels(w, h int, pixels int64) error {
	if w <= 0 || h <= 0 || int64(w) > pixels/int64(h) {
		return fmt.Errorf("frames of %d × %d pixels; %d pixels are allowed", w, h, pixels)
	}
	return nil
}

// film is the part of a film that lasts so long, 0 if that is not known.
func film(ctx context.Context, f *media.File, l media.Limits, lasts time.Duration, silent bool, open func(context.Context) (media.Stream, error)) ([]media.Part, error) {
	stretch, err := l.Stretch(lasts)
	if err != nil {
		return nil, err
	}
	hash, err := f.Digest(ctx, fmt.Sprintf("film fps=%v start=%v end=%v keys=%v side=%d", l.FPS, l.Start, l.End, l.KeyFrames, l.MaxSide))
	if err != nil {
		return nil, err
	}
	return []media.Part{{Source: f.Name, Kind: media.Film, Hash: hash, Duration: stretch, FPS: l.FPS, Silent: silent, Open: open}}, nil
}

// openFFmpeg begins to decode pictures and sound, each in a process.
func openFFmpeg(ctx context.Context, content *media.Content, info *ffmpeg.Info, l media.Limits) (_ media.Stream, err error) {
	in, err := ffmpeg.Open(content)
	if err != nil {
		return nil, err
	}
	s := &stream{ctx: ctx, name: content.Name, limits: l, closers: []io.Closer{in}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", content.Name, err), s.Close())
		}
	}()
	w, h := info.Video.Size(l, image.FitFrame)
	frames, err := in.Frames(ctx, info, l, w, h)
	if err != nil {
		return nil, err
	}
	// The file is removed last.
	s.frames, s.closers = frames, append([]io.Closer{frames}, s.closers...)
	if info.Sound == nil {
		return s, nil
	}
	samples, err := in.Samples(ctx, info, l)
	if err != nil {
		return nil, err
	}
	s.sound, s.closers = samples, append([]io.Closer{samples}, s.closers...)
	return s, nil
}

// frameReader gives the frames at each 1/FPS second from Start on.
type frameReader interface {
	// Next returns nil if the film still shows the frame before.
	Next() (*media.Image, error)
}

// stream puts frames and sound together in the order of time.
type stream struct {
	ctx     context.Context
	name    string
	limits  media.Limits
	frames  frameReader        // nil once they have ended
	sound   audio.SampleReader // nil once it has ended
	closers []io.Closer
	buf     [media.SampleRate]float32
	frame   int   // number of the next one
	heard   int64 // samples given, and those that a film without sound would have
	broken  *media.BrokenError
	any     bool // chunk was given
	err     error
}

func (s *stream) Next() (media.Chunk, error) {
	for s.err == nil {
		c, err := s.next()
		if s.err = err; err == nil && (c.Frame != nil || len(c.Sound) > 0) {
			s.any = true
			return c, nil
		}
	}
	return media.Chunk{}, s.err
}

// next returns what comes next, which may be nothing.
func (s *stream) next() (c media.Chunk, err error) {
	defer media.Contain(&err)
	at := s.limits.FrameTime(s.frame)
	if s.limits.End > 0 && at >= s.limits.End {
		s.frames = nil
	}
	if s.frames == nil && s.sound == nil {
		return c, s.end()
	}
	// A frame comes when all sound before it has been given.
	c.At = s.now()
	if s.frames != nil && s.heard >= s.samples(at) {
		c.At = at
		if c.Frame, err = s.frames.Next(); err != nil {
			s.frames = nil
			return c, s.stop(err, at)
		}
		s.frame++
		at = s.limits.FrameTime(s.frame)
	}
	n := int64(len(s.buf))
	if s.frames != nil {
		n = min(n, s.samples(at)-s.heard)
	}
	c.Sound, err = s.hear(n)
	return c, err
}

// samples is the number of samples from Start to at.
func (s *stream) samples(at time.Duration) int64 {
	return int64((at-s.limits.Start).Seconds()*media.SampleRate + 0.5)
}

// now is the time up to which sound has been given.
func (s *stream) now() time.Duration {
	return s.limits.Start + time.Duration(s.heard)*time.Second/media.SampleRate
}

// hear reads n samples, fewer if the sound ends.
func (s *stream) hear(n int64) ([]float32, error) {
	if s.limits.End > 0 {
		n = min(n, s.samples(s.limits.End)-s.heard)
	}
	if s.sound == nil {
		s.heard += n
		return nil, nil
	}
	if n <= 0 {
		s.sound = nil // the end that was asked for
		return nil, nil
	}
	k, err := s.sound.Read(s.buf[:n])
	s.heard += int64(k)
	if err != nil {
		s.sound = nil
		err = s.stop(err, s.now())
		s.heard += n - int64(k)
	}
	return s.buf[:k], err
}

// stop notes why frames or sound ended. Of the other one all is still given.
func (s *stream) stop(err error, at time.Duration) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if err != io.EOF && s.broken == nil {
		s.broken = &media.BrokenError{Source: s.name, At: at, Err: err}
	}
	return nil
}

// end says how the film ended.
func (s *stream) end() error {
	switch {
	case s.broken != nil && s.any:
		return s.broken
	case s.broken != nil:
		return fmt.Errorf("%s: %w", s.name, s.broken.Err)
	case !s.any && s.limits.Start > 0:
		return fmt.Errorf("%s: nothing from %v on", s.name, s.limits.Start)
	case !s.any:
		return fmt.Errorf("%s: film without a single frame", s.name)
	}
	return io.EOF
}

func (s *stream) Close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	s.closers = nil
	return errors.Join(errs...)
}
