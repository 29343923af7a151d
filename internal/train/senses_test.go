package train

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/speech"
)

const tinyReader = `
kind: reader
name: tiny
seed: 7
workers: 2
steps: 6
schedule: {rate: 0.003, warmup: 2, decay: 2, final: 0.1}
clip: 1
corpus: [CORPUS]
reader:
  model: {channels: 8, blocks: 1, hidden: 8}
  crops: 4
  width: 64
  height: 32
`

const tinyScenes = `
kind: scenes
name: tiny
seed: 7
workers: 2
precision: f32
steps: 4
schedule: {rate: 0.002, warmup: 2, decay: 2, final: 0.1}
clip: 1
bias_rate: 0.001
router: {balance: 0.01, z: 0.001}
scenes:
  model: {channels: 8, blocks: 1, layers: 1, layer: {width: 32, heads: 2, window: 32, ahead: 16, taps: 2, experts: 2, top_k: 1, hidden: 16}, value_dim: 64}
  films: 2
  seconds: 16
  objects: 4
`

const tinyEars = `
kind: ears
name: tiny
seed: 7
workers: 2
steps: 4
schedule: {rate: 0.002, warmup: 2, decay: 2, final: 0.1}
clip: 1
corpus: [CORPUS]
ears:
  model: {stem: 8, layers: 1, layer: {width: 32, heads: 2, window: 16, ahead: 4, taps: 2, hidden: 16}, key_dim: 64, value_dim: 64}
  sentences: 12
  statements: 24
  batch_embeddings: 512
  lengths: [{from: 0, length: 256}]
  ask: 1
  questions: 8
  absent: 0.3
`

// senseRun writes a recipe and returns how to open a run of it.
func senseRun(t *testing.T, recipe string) (open func(dir string) *SenseTrainer) {
	t.Helper()
	dir := t.TempDir()
	corpus := filepath.Join(dir, "book.txt")
	text := strings.Repeat("It was a bright cold day in the village, and the old miller was striking thirteen. He went slowly up the stairs to his room, thinking of the harbour. ", 40)
	if err := os.WriteFile(corpus, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tiny.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(recipe, "CORPUS", corpus)), 0o666); err != nil {
		t.Fatal(err)
	}
	return func(dir string) *SenseTrainer {
		r, err := LoadSenseRecipe(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := OpenSense(context.Background(), r, dir, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func steps(t *testing.T, s *SenseTrainer, n int) (last *SenseMetrics) {
	t.Helper()
	for range n {
		var err error
		if last, err = s.RunStep(); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// testSense checks that a run that was stopped and resumed is the run that was
// not, and that the finished sense loads.
func testSense(t *testing.T, recipe string, n int) {
	open := senseRun(t, recipe)
	whole, dir := open(t.TempDir()), t.TempDir()
	met := steps(t, whole, n)
	if len(met.Mean) == 0 {
		t.Fatal("nothing is reported")
	}
	first := open(dir)
	steps(t, first, n/2)
	if err := first.Save(dir); err != nil {
		t.Fatal(err)
	}
	second := open(dir)
	if second.Step != n/2 {
		t.Fatalf("resumed at step %d", second.Step)
	}
	steps(t, second, n-n/2)
	if !slices.Equal(whole.params.Data, second.params.Data) {
		t.Error("a resumed run comes out otherwise")
	}
	whole.Calibrate()
	path := filepath.Join(dir, "model.gguf")
	if err := whole.SaveModel(path); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if arch, err := f.Meta.String("general.architecture"); arch != model.Architecture {
		t.Errorf("architecture %q, %v", arch, err)
	}
}

func TestTrainReader(t *testing.T) { testSense(t, tinyReader, 6) }
func TestTrainScenes(t *testing.T) { testSense(t, tinyScenes, 4) }

func TestTrainEars(t *testing.T) {
	s, err := speech.Start(context.Background())
	if err != nil {
		t.Skipf("speech cannot be synthesised here: %v", err)
	}
	s.Close()
	testSense(t, tinyEars, 4)
}

func TestSenseRecipeErrors(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"steps: 6", "steps: 0", "steps is 0"}, {"workers: 2", "workers: 99", "workers is 99"},
		{"name: tiny", "name: a/b", "name is"}, {"rate: 0.003", "rate: 0", "schedule.rate"}, {"clip: 1", "clip: 1\nweight_decay: 4600.02", "weight_decay is 4600"},
		{"clip: 1", "clap: 1", "clap"},
	} {
		path := filepath.Join(t.TempDir(), "r.yaml")
		if err := os.WriteFile(path, []byte(strings.Replace(tinyReader, c.from, c.to, 1)), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSenseRecipe(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
}
