package train

import (
	"fmt"
	"path/filepath"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
)

// CheckpointName is the file of a run's folder that it resumes from.
const CheckpointName = "checkpoint.gguf"

// Save writes a checkpoint: the model in float32 with the optimiser's moments
// and the step, from which a run goes on bit for bit.
func (t *Trainer) Save(dir string) error {
	w := t.Model.Writer(tensor.F32)
	w.Set("train.step", uint64(t.Step))
	w.Set("train.seed", t.Recipe.Seed)
	n := []int{len(t.Opt.M)}
	w.Add("train.adam_m", tensor.F32, n, tensor.F32Bytes(t.Opt.M))
	w.Add("train.adam_v", tensor.F32, n, tensor.F32Bytes(t.Opt.V))
	return w.WriteFile(filepath.Join(dir, CheckpointName))
}

// Resume continues the run whose checkpoint is in dir.
func Resume(r *Recipe, dir string, log func(string)) (*Trainer, error) {
	path := filepath.Join(dir, CheckpointName)
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("train: cannot resume: %w", err)
	}
	defer f.Close()
	m, err := model.LoadForTraining(f, r.Model.Precision, r.routerLoss())
	if err != nil {
		return nil, fmt.Errorf("train: cannot resume from %s: %w", path, err)
	}
	want, got := r.Model, m.Config
	want.Precision = got.Precision
	if want != got {
		return nil, fmt.Errorf("train: %s holds another model than the recipe: %+v, not %+v; use another --out", path, got, want)
	}
	seed, err := f.Meta.Uint64("train.seed")
	if err != nil {
		return nil, err
	}
	if seed != r.Seed {
		return nil, fmt.Errorf("train: %s was trained from seed %d, the recipe says %d; use another --out", path, seed, r.Seed)
	}
	step, err := f.Meta.Uint64("train.step")
	if err != nil {
		return nil, err
	}
	if step > uint64(r.Steps) {
		return nil, fmt.Errorf("train: %s is at step %d, the recipe ends at %d; use another --out", path, step, r.Steps)
	}
	gen, err := r.generator(m.Tokens, log)
	if err != nil {
		return nil, err
	}
	t := New(r, m, gen)
	t.Step, t.Opt.Step = int(step), int(step)
	for name, dst := range map[string][]float32{"train.adam_m": t.Opt.M, "train.adam_v": t.Opt.V} {
		if err := nn.LoadTensor(f, name, dst); err != nil {
			return nil, fmt.Errorf("train: cannot resume from %s: %w", path, err)
		}
	}
	return t, nil
}

// SaveModel writes the finished model, matrices in bfloat16.
func (t *Trainer) SaveModel(path string) error {
	t.Model.Lexical = t.Recipe.Lexical
	return t.Model.Writer(tensor.BF16).WriteFile(path)
}
