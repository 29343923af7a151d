package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

func TestContentOutlivesItsFile(t *testing.T) {
	data := []byte("some bytes")
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	passing := bytes.Clone(data)
	for _, f := range []*media.File{
		{Name: "m", Size: int64(len(data)), ReaderAt: bytes.NewReader(passing)},
		{Name: "p", Path: path, Size: int64(len(data)), ReaderAt: bytes.NewReader(passing)},
	} {
		c, err := f.Keep()
		if err != nil {
			t.Fatal(err)
		}
		clear(passing)
		for range 2 {
			r, err := c.Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(io.NewSectionReader(r, 0, c.Size))
			if err != nil || !bytes.Equal(got, data) || r.Close() != nil {
				t.Errorf("%s: %q, %v", f.Name, got, err)
			}
		}
		copy(passing, data)
	}
	if _, err := (&media.File{Size: 11, ReaderAt: bytes.NewReader(data)}).Keep(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("file shorter than its size: %v", err)
	}
}

func TestDigest(t *testing.T) {
	digest := func(data, settings string) [32]byte {
		sum, err := (&media.File{Size: int64(len(data)), ReaderAt: bytes.NewReader([]byte(data))}).Digest(context.Background(), settings)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	if digest("a", "x") != digest("a", "x") || digest("a", "x") == digest("b", "x") || digest("a", "x") == digest("a", "y") {
		t.Error("digest is not of the content and the settings")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&media.File{Size: 1, ReaderAt: bytes.NewReader([]byte("a"))}).Digest(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestStretch(t *testing.T) {
	for _, c := range []struct {
		fps                  float64
		start, end, duration time.Duration
		want                 time.Duration
		ok                   bool
	}{
		{1, 0, 0, 10, 10, true},
		{1, 3, 0, 10, 7, true},
		{1, 3, 5, 10, 2, true},
		{1, 3, 50, 10, 7, true},
		{1, 3, 5, 0, 0, true}, // not known
		{1, 10, 0, 10, 0, false},
		{1, 5, 5, 10, 0, false},
		{1, -1, 0, 10, 0, false},
		{-1, 0, 0, 10, 0, false},
		{1e9, 0, 0, 10, 0, false},
	} {
		s := time.Second
		l := media.Limits{FPS: c.fps, Start: c.start * s, End: c.end * s}
		got, err := l.Stretch(c.duration * s)
		if got != c.want*s || (err == nil) != c.ok {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	l := media.Limits{FPS: 4, Start: time.Second}
	if at := l.FrameTime(3); at != 1750*time.Millisecond {
		t.Errorf("frame 3 at %v", at)
	}
}

func TestContain(t *testing.T) {
	err := func() (err error) {
		defer media.Contain(&err)
		var s []int
		return errors.New(string(rune(s[1])))
	}()
	if err == nil || err.Error() == "" {
		t.Errorf("panic gives %v", err)
	}
}
