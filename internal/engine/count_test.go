package engine_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/engine/enginetest"
	"github.com/handscroll/handscroll/internal/media"
)

// grey is a stream of frames and silence.
type grey struct {
	kind   media.Kind
	fps    float64
	length time.Duration
	silent bool
	frame  int
	heard  time.Duration
}

func (g *grey) Next() (media.Chunk, error) {
	at := media.Limits{FPS: g.fps}.FrameTime(g.frame)
	switch {
	case g.kind != media.Sound && (g.frame == 0 || g.kind == media.Film && at < g.length):
		g.frame++
		return media.Chunk{At: at, Frame: media.NewImage(32, 18)}, nil
	case g.kind != media.Picture && !g.silent && g.heard < g.length:
		at, n := g.heard, min(time.Second, g.length-g.heard)
		g.heard += n
		return media.Chunk{At: at, Sound: make([]float32, int(n.Seconds()*media.SampleRate))}, nil
	}
	return media.Chunk{}, io.EOF
}

func (g *grey) Close() error { return nil }

func (g grey) part() media.Part {
	return media.Part{
		Source: g.kind.String(), Kind: g.kind, Duration: g.length, FPS: g.fps, Silent: g.silent,
		Open: func(context.Context) (media.Stream, error) { s := g; return &s, nil },
	}
}

func openSeeing(t *testing.T) *engine.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sensing.gguf")
	enginetest.WriteSenses(t, path, 5, false)
	m, err := engine.OpenModel(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What is counted is what reading makes, but for words that nobody can foresee.
func TestCountIsWhatReadingMakes(t *testing.T) {
	m := openSeeing(t)
	for _, g := range []grey{
		{kind: media.Picture, fps: 1},
		{kind: media.Film, fps: 1, length: 3 * time.Second, silent: true},
		{kind: media.Film, fps: 2, length: 2700 * time.Millisecond},
		{kind: media.Film, fps: 0.01, length: 7000 * time.Second, silent: true}, // minutes of three digits
		{kind: media.Sound, length: 2 * time.Second},
		{kind: media.Sound, length: 2050 * time.Millisecond},
	} {
		p := g.part()
		got, err := m.Count(&p)
		if err != nil {
			t.Fatal(err)
		}
		c := engine.NewContext(m, engine.Options{})
		if err := c.Read(context.Background(), []media.Part{p}, nil); err != nil {
			t.Fatal(err)
		}
		s := c.Sources()[0]
		if got.Seen != s.Seen || got.Heard != s.Heard {
			t.Errorf("%+v: %d seen and %d heard, reading makes %d and %d", g, got.Seen, got.Heard, s.Seen, s.Heard)
		}
		hears := g.kind != media.Picture && !g.silent
		if got.Estimated != hears || !hears && got.Text != s.Tokens || got.Text < 1 {
			t.Errorf("%+v: %+v, reading makes %d tokens of text", g, got, s.Tokens)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCountText(t *testing.T) {
	m := openTiny(t)
	text := []byte("The quick brown fox.\n")
	c, err := m.Count(&media.Part{Source: "a", Text: text})
	if want := (engine.Counts{Text: m.CountTokens(text)}); err != nil || c != want {
		t.Errorf("%+v, %v; want %+v", c, err, want)
	}
}

func TestCountRejects(t *testing.T) {
	blind, sensing := openTiny(t), openSeeing(t)
	for _, k := range []media.Kind{media.Picture, media.Sound, media.Film} {
		p := grey{kind: k, fps: 1, length: time.Second}.part()
		var sense *engine.SenseError
		if _, err := blind.Count(&p); !errors.As(err, &sense) || sense.Kind != k {
			t.Errorf("a %s for a model of text: %v", k, err)
		}
		p.Duration = 0
		if _, err := sensing.Count(&p); errors.Is(err, engine.ErrLength) != (k != media.Picture) {
			t.Errorf("a %s of unknown length: %v", k, err)
		}
	}
	// Headers can say what they like.
	p := grey{kind: media.Film, fps: 1000, length: 1<<63 - 1}.part()
	if c, err := sensing.Count(&p); err != nil || c.Seen < 1e13*encoder.Patches/2 {
		t.Errorf("%+v, %v", c, err)
	}
}
