package train

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tinyRecipe writes a corpus and a recipe that trains in seconds.
func tinyRecipe(t *testing.T, steps int) *Recipe {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields("the old river ran past a quiet mill where seven brown geese slept under one broken oar and nobody asked why")
	var b strings.Builder
	for range 4000 {
		n := 6 + r.IntN(12)
		for i := range n {
			w := words[r.IntN(len(words))]
			if i == 0 {
				w = strings.ToUpper(w[:1]) + w[1:]
			} else {
				b.WriteByte(' ')
			}
			b.WriteString(w)
		}
		b.WriteString(". ")
		if r.IntN(4) == 0 {
			b.WriteString("\n\n")
		}
	}
	write(t, filepath.Join(dir, "book.txt"), b.String())
	write(t, filepath.Join(dir, "main.go"), strings.Repeat("package main\n\n// Answer is a constant.\nconst Answer = 42\n\nfunc main() {\n\tprintln(Answer)\n}\n", 50))
	path := filepath.Join(dir, "tiny.yaml")
	write(t, path, fmt.Sprintf(`
name: tiny
seed: 5
workers: 2
precision: f32
model: {width: 32, self_layers: 2, cross_layers: 1, heads: 2, window: 32, taps: 4, experts: 4, top_k: 2, hidden: 32, cross_heads: 2, key_dim: 16, value_dim: 16, lookahead: 8, ahead: 4, rope_base: 1000}
ahead_from: 2
tokenizer: {size: 400}
corpus: [%s]
steps: %d
batch_tokens: 512
lengths: [{from: 0, length: 256}]
schedule: {rate: 0.003, warmup: 5, decay: 5, final: 0.1}
loss: {lm: 0.2, pointer: 0.4, first: 3}
router: {balance: 0.01, z: 0.001}
bias_rate: 0.001
checkpoint_every: 1000
`, dir, steps))
	rec, err := LoadRecipe(path)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestResume stops a run, resumes it, and compares with one that went through:
// the same bits.
func TestResume(t *testing.T) {
	r := tinyRecipe(t, 8)
	quiet := func(string) {}
	run := func(tr *Trainer, dir string, stopAfter int) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err := tr.Run(ctx, func(m *Metrics) {
			if m.Step == stopAfter {
				cancel()
			}
		}, func() error { return tr.Save(dir) })
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	whole, err := Start(r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	first := slices.Clone(whole.Model.Params.Data)
	run(whole, t.TempDir(), 0)
	dir := t.TempDir()
	part, err := Start(r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(part.Model.Params.Data, first) {
		t.Fatal("two starts from one seed differ")
	}
	run(part, dir, 3)
	if part.Step != 3 {
		t.Fatalf("stopped at step %d, want 3", part.Step)
	}
	rest, err := Resume(r, dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	run(rest, dir, 0)
	if slices.Equal(whole.Model.Params.Data, first) {
		t.Error("training changed nothing")
	}
	if !slices.Equal(whole.Model.Params.Data, rest.Model.Params.Data) {
		t.Error("a resumed run differs from an uninterrupted one")
	}
	r.Seed++
	if _, err := Resume(r, dir, quiet); err == nil || !strings.Contains(err.Error(), "seed") {
		t.Errorf("resuming with another seed: %v", err)
	}
}

// TestLearns trains briefly: the loss falls.
func TestLearns(t *testing.T) {
	tr, err := Start(tinyRecipe(t, 60), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	var all []*Metrics
	if err := tr.Run(context.Background(), func(m *Metrics) { all = append(all, m) }, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	mean := func(ms []*Metrics) (s float64) {
		for _, m := range ms {
			s += (m.Answer + m.Pointer) / float64(len(ms))
		}
		return s
	}
	if a, b := mean(all[:10]), mean(all[50:]); b > 0.85*a {
		t.Errorf("answer and pointer loss went from %.3f to %.3f", a, b)
	}
}

// TestCalibrate checks that the bias keeps its promise on the examples it was
// chosen on, and that it is written to the model.
func TestCalibrate(t *testing.T) {
	tr, err := Start(tinyRecipe(t, 1), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	c := tr.Calibrate()
	if c.Present < 100 || c.Absent < 10 {
		t.Fatalf("only %d questions with and %d without an answer", c.Present, c.Absent)
	}
	cost := falseAbsentCost*c.FalseAbsent - c.FoundAbsent
	tr.Model.AbsentBias = 0
	if cost > 0 {
		t.Errorf("cost %.3f: an answer to everything has cost 0", cost)
	}
	if c = tr.Calibrate(); falseAbsentCost*c.FalseAbsent-c.FoundAbsent != cost {
		t.Error("a second calibration differs")
	}
	if float64(tr.Model.AbsentBias) != float64(float32(c.Bias)) {
		t.Errorf("the model has bias %g, want %g", tr.Model.AbsentBias, c.Bias)
	}
}

func TestRecipeErrors(t *testing.T) {
	good := tinyRecipe(t, 5)
	for name, breakIt := range map[string]func(*Recipe){
		"precision": func(r *Recipe) { r.Precision = "f64" },
		"steps":     func(r *Recipe) { r.Steps = 0 },
		"lengths":   func(r *Recipe) { r.Lengths = nil },
		"corpus":    func(r *Recipe) { r.Corpus = nil },
		"heads":     func(r *Recipe) { r.Model.Heads = 5 },

		"name":             func(r *Recipe) { r.Name = "a/b" },
		"workers":          func(r *Recipe) { r.Workers = 0 },
		"batch_tokens":     func(r *Recipe) { r.Batch = 1 << 30 },
		"lengths[1]":       func(r *Recipe) { r.Lengths = []LengthStage{{0, 256}, {0, 512}} },
		"tokenizer.size":   func(r *Recipe) { r.Tokenizer.Size = 1 << 17 },
		"checkpoint_every": func(r *Recipe) { r.Every = 0 },
		"schedule.rate":    func(r *Recipe) { r.Schedule.Rate = math.NaN() },
		"clip":             func(r *Recipe) { r.Clip = 0 },
		"loss.pointer":     func(r *Recipe) { r.Loss.Pointer = -1 },
		"bias_rate":        func(r *Recipe) { r.BiasRate = 2 },
	} {
		r := *good
		breakIt(&r)
		if err := r.validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name the field", name, err)
		}
	}
	t.Setenv("HANDSCROLL_TEST_UNSET", "")
	path := filepath.Join(t.TempDir(), "bad.yaml")
	for text, says := range map[string]string{
		"name: x\nstepz: 4\n": "stepz",
		"":                    "empty",
		"steps: many\n":       "line 1",
		"corpus: [$HANDSCROLL_TEST_UNSET/a.gz, /b]\n": "corpus[0] is $HANDSCROLL_TEST_UNSET/a.gz, but HANDSCROLL_TEST_UNSET is not set",
	} {
		write(t, path, text)
		if _, err := LoadRecipe(path); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("recipe %q: error %v does not say %q and the file", text, err, says)
		}
	}
	if _, err := LoadRecipe(path + "x"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path+"x") {
		t.Errorf("missing recipe: %v", err)
	}
}

func anyRecipe(path string) (name string, corpus []string, err error) {
	kind, err := SenseKind(path)
	if err != nil || kind != "" {
		r, err := LoadSenseRecipe(path)
		if err != nil {
			return "", nil, err
		}
		return r.Name, r.Corpus, nil
	}
	r, err := LoadRecipe(path)
	if err != nil {
		return "", nil, err
	}
	return r.Name, r.Corpus, nil
}

// TestRecipes checks the recipes of this repository, and that their variables
// are replaced.
func TestRecipes(t *testing.T) {
	t.Setenv("HANDSCROLL_CORPUS", "/books")
	t.Setenv("GOROOT", "/go")
	files, err := filepath.Glob("../../recipes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recipes: %v", err)
	}
	for _, path := range files {
		name, corpus, err := anyRecipe(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.TrimSuffix(filepath.Base(path), ".yaml") != name {
			t.Errorf("%s calls itself %s", path, name)
		}
		for _, p := range corpus {
			if strings.Contains(p, "$") || !strings.HasPrefix(p, "/") {
				t.Errorf("%s: corpus path %s", path, p)
			}
		}
	}
}

// TestResumeErrors: every checkpoint that a run cannot go on from is refused,
// with the file's name.
func TestResumeErrors(t *testing.T) {
	r := tinyRecipe(t, 3)
	quiet := func(string) {}
	tr, err := Start(r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, CheckpointName)
	for name, c := range map[string]struct {
		step   int
		change func(r *Recipe)
		cut    int64
		says   string
	}{
		"beyond":    {step: 4, says: "step 4"},
		"seed":      {change: func(r *Recipe) { r.Seed++ }, says: "seed"},
		"model":     {change: func(r *Recipe) { r.Model.Window++ }, says: "another model"},
		"truncated": {cut: 100, says: "complete"},
	} {
		tr.Step = c.step
		if err := tr.Save(dir); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, st.Size()-c.cut); err != nil {
			t.Fatal(err)
		}
		other := *r
		if c.change != nil {
			c.change(&other)
		}
		if _, err := Resume(&other, dir, quiet); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not say %q and the file", name, err, c.says)
		}
	}
}

// TestCorpusTooSmall: a vocabulary that cannot be filled is said so.
func TestCorpusTooSmall(t *testing.T) {
	r := tinyRecipe(t, 3)
	r.Tokenizer.Size, r.Model.Vocab = 1<<16, 1<<16
	if _, err := Start(r, func(string) {}); err == nil || !strings.Contains(err.Error(), "tokenizer.size is 65536") {
		t.Errorf("65,536 pieces of a few words: %v", err)
	}
}

// TestLog writes metrics, resumes from an earlier step and after a broken
// line, and draws the curves.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	add := func(l *Log, from, to int) {
		for i := from; i <= to; i++ {
			if err := l.Add(&Metrics{Step: i, Answer: float64(i), Tasks: map[string]Tally{"story": {1, 2}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	open := func(step, want int) *Log {
		l, err := OpenLog(dir, step)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.All) != want {
			t.Fatalf("%d lines up to step %d, want %d", len(l.All), step, want)
		}
		return l
	}
	l := open(0, 0)
	add(l, 1, 9)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(6, 6)
	add(l, 7, 8)
	if _, err := l.f.WriteString(`{"step":9,"ans`); err != nil { // killed while writing
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(100, 8)
	add(l, 9, 9)
	if got := l.All[8]; got.Step != 9 || got.Answer != 9 || l.All[7].Tasks["story"].Asked != 2 {
		t.Errorf("the last line is %+v", got)
	}
	path := filepath.Join(dir, "curves.png")
	if err := l.Plot(path, "test"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 400 {
		t.Errorf("curves: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(100, 9)
}
