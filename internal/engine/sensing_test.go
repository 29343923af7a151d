package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/media"
)

// endingStream is a clip that breaks off.
type endingStream struct {
	clipStream
	after int
	end   func() error
}

func (s *endingStream) Next() (media.Chunk, error) {
	if s.t >= s.after {
		if err := s.end(); err != nil {
			return media.Chunk{}, err
		}
	}
	return s.clipStream.Next()
}

// TestFilmResumes checks that a film goes on where reading it was stopped or broke
// off: what comes out is what a Read in one go makes, even if the beginning, which is
// not looked at any more, is another one now.
func TestFilmResumes(t *testing.T) {
	m := openSensing(t)
	rng := rand.New(rand.NewPCG(5, 6))
	const seconds, stop, other = 210, 190, 30
	film := &clip{frames: randomFrames(rng, seconds), sound: randomSound(rng, seconds)}
	whole := engine.NewContext(m, engine.Options{})
	if err := whole.Read(t.Context(), []media.Part{film.part("film")}, nil); err != nil {
		t.Fatal(err)
	}
	want := engine.Dump(whole)
	begun := &clip{frames: slices.Clone(film.frames), sound: slices.Clone(film.sound)}
	copy(begun.frames, randomFrames(rng, other))
	copy(begun.sound, randomSound(rng, other))

	broken := errors.New("the disk is gone")
	for _, c := range []struct {
		name   string
		every  time.Duration
		end    func(cancel func()) error
		damage bool
		rest   *clip
	}{
		{"cancelled", time.Hour, func(cancel func()) error { cancel(); return nil }, false, begun},
		// What had been saved by then is a matter of luck, so that all of it is there again.
		{"broken off", 1, func(func()) error { return broken }, false, film},
		{"damaged", time.Hour, func(cancel func()) error { cancel(); return nil }, true, film},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "stored")
			opts := engine.SaveEvery(c.every)
			stored, err := engine.OpenContext(m, dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			part := film.part("film")
			part.Open = func(context.Context) (media.Stream, error) {
				return &endingStream{clipStream{c: film}, stop, func() error { return c.end(cancel) }}, nil
			}
			if err := stored.Read(ctx, []media.Part{part}, nil); !errors.Is(err, context.Canceled) && !errors.Is(err, broken) {
				t.Fatalf("it ended with %v", err)
			}
			if err := stored.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "sensing-*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %q, %v", files, err)
			}
			if c.damage {
				b, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				b[len(b)/2] ^= 1
				if err := os.WriteFile(files[0], b, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if stored, err = engine.OpenContext(m, dir, opts); err != nil {
				t.Fatal(err)
			}
			defer stored.Close()
			if err := stored.Read(t.Context(), []media.Part{c.rest.part("film")}, nil); err != nil {
				t.Fatal(err)
			}
			if engine.Dump(stored) != want {
				t.Error("not what a Read in one go makes")
			}
			if _, err := os.Stat(files[0]); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its file is still there: %v", err)
			}
		})
	}
}
