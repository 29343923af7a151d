package eval

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

// guesses is a study of 2 lengths and 2 depths with 3 trials each, whose contexts know
// the answer at the shorter length alone.
type guesses struct {
	prepared, closed, asked int
	stopAt                  int // questions; 0 for never
	cancel                  context.CancelFunc
}

func (*guesses) Name() string               { return "guesses" }
func (*guesses) Haystack() (string, string) { return "air", "1" }
func (*guesses) Size() (int, int)           { return 12, 2 }
func (g *guesses) Close() error             { g.closed++; return nil }

func (*guesses) Axes() ([]time.Duration, []float64) {
	return []time.Duration{time.Minute, time.Hour}, []float64{0, 100}
}

func (g *guesses) Prepare(context.Context, Senses, string, func(Status)) error {
	g.prepared++
	return nil
}

func (g *guesses) Scene(_ context.Context, rng *rand.Rand, i int, _ func(Status)) (Scroll, []Query, error) {
	length := []float64{60, 3600}[i/6]
	f := Finding{Group: "where", Length: length, Row: i % 2, Question: "?", Needle: string(rune('a' + rng.IntN(26)))}
	other := f
	other.Group = "what"
	judge := func(a *handscroll.Answer, f *Finding) { f.Found, f.Exact = f.Time == 5, f.Time == 5 && f.Length == 60 }
	return &guesser{study: g, at: 5 * time.Second}, []Query{{f, judge}, {other, judge}}, nil
}

// guesser says that everything is at one time.
type guesser struct {
	Scroll
	study *guesses
	at    time.Duration
}

func (g *guesser) Ask(ctx context.Context, _ string) (*handscroll.Answer, error) {
	if g.study.asked++; g.study.asked == g.study.stopAt {
		g.study.cancel()
		return nil, ctx.Err()
	}
	return &handscroll.Answer{Found: true, Text: "there", Evidence: []handscroll.Evidence{{Source: "air", Time: g.at, Timed: true}}}, nil
}

func (g *guesser) Close() error { return nil }

type noSenses struct{ Senses }

func (noSenses) ID() string { return "none" }

func findings(t *testing.T, dir string) []Finding {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []Finding
	for s := bufio.NewScanner(f); s.Scan(); {
		var x Finding
		if err := json.Unmarshal(s.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		x.Seconds = 0
		out = append(out, x)
	}
	return out
}

func TestStudyCountsFoundAndExactApart(t *testing.T) {
	dir, g := t.TempDir(), &guesses{}
	s, err := Observe(context.Background(), noSenses{}, g, 1, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Groups) != 2 || s.Groups[0].Name != "where" {
		t.Fatalf("groups %+v", s.Groups)
	}
	w := s.Groups[0]
	if w.Found.OK != 12 || w.Exact.OK != 6 || w.Exact.Trials != 12 || w.Lengths[0].Exact.OK != 6 || w.Lengths[1].Exact.OK != 0 {
		t.Errorf("%+v", w)
	}
	if c := w.Cells[3]; c.Length != 3600 || c.Depth != 100 || c.Found.OK != 3 || c.Exact.OK != 0 {
		t.Errorf("cell %+v", c)
	}
	for _, name := range []string{"where-found.png", "where-exact.svg", "what-found.svg", "what-exact.png", "summary.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, baseFolder)); err == nil {
		t.Error("what the run kept for itself is still there")
	}
	// A finished study prepares nothing more, but is closed; another seed is another run.
	if _, err := Observe(context.Background(), noSenses{}, g, 1, dir, nil); err != nil || g.prepared != 1 || g.closed != 2 {
		t.Errorf("prepared %d times, closed %d: %v", g.prepared, g.closed, err)
	}
	if _, err := Observe(context.Background(), noSenses{}, g, 2, dir, nil); !errors.Is(err, ErrOtherRun) {
		t.Errorf("another seed: %v", err)
	}
}

func TestStudyGoesOn(t *testing.T) {
	whole, cut := t.TempDir(), t.TempDir()
	if _, err := Observe(context.Background(), noSenses{}, &guesses{}, 1, whole, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &guesses{stopAt: 8, cancel: cancel}
	if _, err := Observe(ctx, noSenses{}, g, 1, cut, nil); !errors.Is(err, context.Canceled) || g.closed != 1 {
		t.Fatalf("interrupted: %v, closed %d times", err, g.closed)
	}
	g = &guesses{}
	if _, err := Observe(context.Background(), noSenses{}, g, 1, cut, nil); err != nil || g.asked != 24-7 {
		t.Fatalf("%d questions asked again: %v", g.asked, err)
	}
	a, b := findings(t, whole), findings(t, cut)
	if len(a) != 24 || len(b) != 24 {
		t.Fatalf("%d and %d findings", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("%d:\n%+v\n%+v", i, a[i], b[i])
		}
	}
}

func TestHours(t *testing.T) {
	for seconds, want := range map[float64]string{45: "45 s", 60: "1 min", 720: "12 min", 3600: "1 h", 9000: "2.5 h", 79200: "22 h"} {
		if got := Hours(seconds); got != want {
			t.Errorf("%v seconds are %q, want %q", seconds, got, want)
		}
	}
}
