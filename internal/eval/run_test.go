package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hold hides "KEY holds NUMBER." at each depth, and asks one absent question a
// scene.
type hold struct{}

func (hold) Name() string      { return "hold" }
func (hold) Scenes(g Grid) int { return len(g.Depths) * g.Trials }

func (hold) Scene(rng *rand.Rand, g Grid, i int, _ Text) (Scene, error) {
	row := i % len(g.Depths)
	key, value := fmt.Sprintf("Key%06d", rng.IntN(1e6)), fmt.Sprint(rng.IntN(1e7))
	needle := key + " holds " + value + "."
	return Scene{
		Hide: []Needle{{needle, g.Depths[row]}},
		Ask: []Probe{
			{Row: row, Needle: needle, Question: "What holds " + key + "?", Expected: value},
			{Row: row, Question: "What holds Nothing?", Absent: true},
		},
	}, nil
}

// prose is a generated haystack.
func prose(t *testing.T, n int) *Haystack {
	t.Helper()
	var text bytes.Buffer
	if err := Generate(&text, rand.New(rand.NewPCG(7, 7)), n); err != nil {
		t.Fatal(err)
	}
	h, err := NewHaystack("prose", []Part{{Source: "prose", Text: text.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func config(t *testing.T, m *fakeModel) Config {
	m.id = "fake"
	return Config{
		Model: m, Task: hold{}, Haystack: prose(t, 20_000), Seed: 5, Dir: t.TempDir(),
		Lengths: []int{500, 9000}, // the haystack has some 4000 tokens: it repeats
		Grid:    Grid{Depths: []float64{0, 50, 100}, Trials: 4, Needles: 1},
	}
}

func TestPerfectRecall(t *testing.T) {
	c := config(t, &fakeModel{answer: perfect})
	s, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if s.Recall.OK != 48 || s.Recall.Trials != 48 || s.Strict.OK != 48 || s.Grounded.OK != 48 {
		t.Errorf("recall %+v, strict %+v, grounded %+v, want 48 of 48", s.Recall, s.Strict, s.Grounded)
	}
	if s.Absence == nil || s.Absence.Reported.OK != 24 || s.Absence.Denied.OK != 0 {
		t.Errorf("absence %+v", s.Absence)
	}
	for _, name := range []string{"run.json", "results.jsonl", "summary.json", "heatmap.png", "heatmap.svg"} {
		if info, err := os.Stat(filepath.Join(c.Dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range results(t, c.Dir) {
		if r.Tokens <= r.Length || r.Seed == 0 || r.Question == "" {
			t.Errorf("result %+v", r)
		}
		if want := c.Grid.Depths[r.Row]; !r.Absent && math.Abs(r.Depth-want) > 100*float64(reach)/float64(r.Length) {
			t.Errorf("needle of row %d at %.1f %%", r.Row, r.Depth)
		}
	}
	// A summary without what it sums up is not taken for a run.
	if err := os.Remove(filepath.Join(c.Dir, resultsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), "without the results.jsonl") {
		t.Errorf("results gone: %v", err)
	}
}

func TestForgetfulRecallIsRedWhereItForgets(t *testing.T) {
	c := config(t, &fakeModel{answer: forgetful(8000)})
	s, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range s.Cells {
		// Half of the questions of a cell are absent ones, always right.
		want := 1.0
		if cell.Length == 9000 && cell.Depth < 100 {
			want = 0.5
		}
		if cell.Rate.Rate != want {
			t.Errorf("%d tokens, %v %%: %v, want %v", cell.Length, cell.Depth, cell.Rate.Rate, want)
		}
	}
	if s.Absence.Denied.OK != 8 {
		t.Errorf("denied %+v, want 8", s.Absence.Denied)
	}
}

func results(t *testing.T, dir string) []Result {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	var out []Result
	for line := range bytes.Lines(data) {
		var r Result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		r.Seconds = 0
		out = append(out, r)
	}
	return out
}

// TestInterruptedRunResumes stops a run in the middle of a scene, tears its
// last line, and expects the results of a run that was never stopped.
func TestInterruptedRunResumes(t *testing.T) {
	whole := config(t, &fakeModel{answer: perfect})
	if _, err := Run(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &fakeModel{answer: perfect, quota: 21, cancel: cancel}
	c := config(t, m)
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted run: %v", err)
	}
	path := filepath.Join(c.Dir, resultsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-10], 0o644); err != nil {
		t.Fatal(err)
	}
	m.asked, m.quota = 0, 0
	var last Status
	c.Report = func(s Status) { last = s }
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if m.asked != 48-20 {
		t.Errorf("%d questions asked again, want %d", m.asked, 48-20)
	}
	if last.Done != 48 || last.Total != 48 || last.Fresh != 28 || last.OK != 48 {
		t.Errorf("last status %+v", last)
	}
	a, b := results(t, whole.Dir), results(t, c.Dir)
	if len(a) != len(b) {
		t.Fatalf("%d and %d results", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("result %d differs after the interruption:\n%+v\n%+v", i, a[i], b[i])
		}
	}
	// A finished run asks nothing more.
	m.asked = 0
	if s, err := Run(context.Background(), c); err != nil || m.asked != 0 || s.Recall.Trials != 48 {
		t.Errorf("finished run asked %d questions: %v, %v", m.asked, s, err)
	}
}

func TestOtherRunIsRefused(t *testing.T) {
	c := config(t, &fakeModel{answer: perfect})
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"seed was 5, is now 6":           func(c *Config) { c.Seed = 6 },
		"lengths was [500 9000]":         func(c *Config) { c.Lengths = []int{500} },
		"trials was 4, is now 5":         func(c *Config) { c.Grid.Trials = 5 },
		"haystack_sha256 was":            func(c *Config) { c.Haystack = prose(t, 19_000) },
		"model was fake, is now another": func(c *Config) { c.Model = &fakeModel{id: "another", answer: perfect} },
	} {
		other := c
		change(&other)
		_, err := Run(context.Background(), other)
		if !errors.Is(err, ErrOtherRun) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(c.Dir, manifestFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), c); !errors.Is(err, ErrOtherRun) {
		t.Errorf("results without a manifest: %v", err)
	}
}

func TestBrokenResultsAreNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, resultsFile)
	if err := os.WriteFile(path, []byte("{\"id\":\"1\"}\n{broken\n{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := loadResults(path); err == nil || !strings.Contains(err.Error(), "results.jsonl:2") {
		t.Errorf("error %v does not name the line", err)
	}
}

func TestDirectEqualsSpliced(t *testing.T) {
	spliced := config(t, &fakeModel{answer: perfect})
	direct := config(t, &fakeModel{answer: perfect})
	direct.Direct = true
	for _, c := range []Config{spliced, direct} {
		if _, err := Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	a, b := results(t, spliced.Dir), results(t, direct.Dir)
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("result %d:\n%+v spliced\n%+v direct", i, a[i], b[i])
		}
	}
}

func TestWholeHaystack(t *testing.T) {
	c := config(t, &fakeModel{answer: perfect})
	c.Lengths = []int{Whole, 500, 9000}
	s, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	pass := len(fakeToken.FindAll(c.Haystack.blocks[0].Text, -1))
	if got := s.Manifest.Lengths; len(got) != 3 || got[0] != 500 || got[1] != pass || got[2] != 9000 {
		t.Errorf("lengths %v, want 500, %d, 9000", got, pass)
	}
}

func TestBadConfigurations(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no lengths":        func(c *Config) { c.Lengths = nil },
		"0 tokens":          func(c *Config) { c.Lengths = []int{0} },
		"not ascending":     func(c *Config) { c.Grid.Depths = []float64{50, 20} },
		"not ascending per": func(c *Config) { c.Grid.Depths = []float64{50, 120} },
		"0 trials":          func(c *Config) { c.Grid.Trials = 0 },
	} {
		c := config(t, &fakeModel{answer: perfect})
		change(&c)
		if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewHaystack("none", []Part{{Source: "empty"}}); err == nil {
		t.Error("a haystack without text was taken")
	}
}
