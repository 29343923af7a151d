package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/model/shipped"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
	"github.com/handscroll/handscroll/internal/train/optim"
)

// SenseRecipe is everything that training a sense depends on.
type SenseRecipe struct {
	Kind      string           `yaml:"kind"` // reader, scenes or ears
	Name      string           `yaml:"name"`
	Seed      uint64           `yaml:"seed"`
	Workers   int              `yaml:"workers"`
	Precision string           `yaml:"precision"`
	Steps     int              `yaml:"steps"`
	Schedule  optim.Schedule   `yaml:"schedule"`
	Decay     float32          `yaml:"weight_decay"`
	Clip      float64          `yaml:"clip"`
	Every     int              `yaml:"checkpoint_every"`
	Router    model.RouterLoss `yaml:"router"`
	BiasRate  float32          `yaml:"bias_rate"`
	Corpus    []string         `yaml:"corpus"`
	Base      string           `yaml:"base"` // text model, which stays as it is; "" is the shipped one

	Reader ReaderRecipe `yaml:"reader"`
	Scenes ScenesRecipe `yaml:"scenes"`
	Ears   EarsRecipe   `yaml:"ears"`

	precision nn.Precision
}

// SenseKind returns the kind of a recipe, "" for one of the text model.
func SenseKind(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("train: recipe: %w", err)
	}
	var r struct {
		Kind string `yaml:"kind"`
	}
	// What else is wrong with it is said by whoever reads it whole.
	if err := yaml.Unmarshal(raw, &r); err != nil {
		return "", nil
	}
	return r.Kind, nil
}

// LoadSenseRecipe reads and checks a recipe.
func LoadSenseRecipe(path string) (*SenseRecipe, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: recipe: %w", err)
	}
	r := &SenseRecipe{Workers: 2, Precision: "bf16", Clip: 1, Every: 250}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(r); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, fmt.Errorf("train: recipe %s: %w", path, err)
	}
	for _, list := range [][]string{r.Corpus, r.Reader.Fonts, r.Reader.Clips, r.Scenes.Clips} {
		for i := range list {
			err = errors.Join(err, expand(&list[i], "path"))
		}
	}
	if err = errors.Join(err, r.validate()); err != nil {
		return nil, fmt.Errorf("train: recipe %s: %w", path, err)
	}
	return r, nil
}

func (r *SenseRecipe) validate() error {
	switch r.Precision {
	case "bf16":
		r.precision = nn.BF16
	case "f32":
		r.precision = nn.F32
	default:
		return fmt.Errorf("precision is %q, want bf16 or f32", r.Precision)
	}
	switch {
	case r.Name == "" || r.Name != filepath.Base(r.Name):
		return fmt.Errorf("name is %q, want a name that can be a folder's", r.Name)
	case r.Steps < 1:
		return fmt.Errorf("steps is %d, want at least 1", r.Steps)
	case r.Workers < 1 || r.Workers > 64:
		return fmt.Errorf("workers is %d, want 1 to 64", r.Workers)
	case r.Every < 1:
		return fmt.Errorf("checkpoint_every is %d, want at least 1", r.Every)
	}
	return within(learning(r.Schedule, r.Decay, r.Clip))
}

// sense is what a kind of sense does in training.
type sense interface {
	params() *nn.Params
	matrices() []*nn.Matrix
	layers() []*nn.SelfLayer
	// example makes one example of a step and adds its gradient; it tells in t what
	// to report.
	example(w *worker, step, index int, t *tallies)
	// batch is the number of examples of a step.
	batch(step int) int
	write(w *gguf.Writer, dtype tensor.DType) error
	// threshold is what Calibrate sets, nil if there is none.
	threshold() *float32
	// load reads the parameters back.
	load(f *gguf.File) error
}

// tallies add up what is reported, and the experts' loads.
type tallies struct {
	sum, n map[string]float64
	load   [][]float32
	loads  float32
	asked  []outcome
}

// outcome is how a question went: the mass off the sink, and whether there was an
// answer.
type outcome struct {
	mass  float32
	there bool
}

func newTallies() *tallies { return &tallies{sum: map[string]float64{}, n: map[string]float64{}} }

func (t *tallies) add(name string, v, n float64) {
	t.sum[name] += v
	t.n[name] += n
}

// routed notes the loads of layers that were passed.
func (t *tallies) routed(layers []*nn.SelfLayer, acts []nn.SelfAct) {
	at := 0
	for i, l := range layers {
		if l.FF.MoE == nil {
			continue
		}
		if at == len(t.load) {
			t.load = append(t.load, make([]float32, l.FF.MoE.Bias.Len))
		}
		for j, v := range acts[i].FF.MoE.Routing.Load {
			t.load[at][j] += v
		}
		at++
	}
	t.loads++
}

func (t *tallies) merge(o *tallies) {
	for k, v := range o.sum {
		t.add(k, v, o.n[k])
	}
	for i, l := range o.load {
		if i == len(t.load) {
			t.load = append(t.load, make([]float32, len(l)))
		}
		for j, v := range l {
			t.load[i][j] += v
		}
	}
	t.loads += o.loads
	t.asked = append(t.asked, o.asked...)
}

// SenseTrainer trains a sense.
type SenseTrainer struct {
	Recipe *SenseRecipe
	Step   int
	sense  sense
	descent
}

// SenseMetrics is what a step reports: means by name.
type SenseMetrics struct {
	Step    int                `json:"step"`
	Rate    float64            `json:"lr"`
	Norm    float64            `json:"grad_norm"`
	Seconds float64            `json:"seconds"`
	Mean    map[string]float64 `json:"mean"`
}

// OpenSense starts a run of a recipe, or goes on with the one whose checkpoint is in
// dir.
func OpenSense(ctx context.Context, r *SenseRecipe, dir string, log func(string)) (*SenseTrainer, error) {
	var s sense
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	switch r.Kind {
	case "reader":
		s, err = newReading(r, log)
	case "scenes":
		s, err = newSeeing(r, log)
	case "ears":
		s, err = newHearing(ctx, r, base, dir, log)
	default:
		err = fmt.Errorf("train: kind is %q, want reader, scenes or ears", r.Kind)
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, CheckpointName)
	f, err := gguf.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		s.params().Alloc()
		s.params().Reset(r.Seed)
		return &SenseTrainer{Recipe: r, sense: s, descent: newDescent(s.params(), r.Workers, r.Decay)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("train: cannot resume: %w", err)
	}
	defer f.Close()
	if err := s.load(f); err != nil {
		return nil, fmt.Errorf("train: cannot resume from %s: %w", path, err)
	}
	t := &SenseTrainer{Recipe: r, sense: s, descent: newDescent(s.params(), r.Workers, r.Decay)}
	step, err := f.Meta.Uint64("train.step")
	if err != nil {
		return nil, fmt.Errorf("train: cannot resume from %s: %w", path, err)
	}
	t.Step, t.Opt.Step = int(step), int(step)
	for name, dst := range map[string][]float32{"train.adam_m": t.Opt.M, "train.adam_v": t.Opt.V} {
		if err := nn.LoadTensor(f, name, dst); err != nil {
			return nil, fmt.Errorf("train: cannot resume from %s: %w", path, err)
		}
	}
	return t, nil
}

// route gives the routers of loaded layers the recipe's auxiliary losses.
func (r *SenseRecipe) route(layers []*nn.SelfLayer) {
	for _, l := range layers {
		if m := l.FF.MoE; m != nil {
			top := m.Router.(nn.TopK)
			m.Router = nn.TopK{K: top.K, Balance: r.Router.Balance, ZLoss: r.Router.Z}
		}
	}
}

// base loads the text model.
func (r *SenseRecipe) base() (*model.Native, error) {
	f, err := gguf.Parse(shipped.GGUF, "the shipped model")
	if r.Base != "" {
		f, err = gguf.Open(r.Base)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return model.LoadNative(f)
}

// Save writes a checkpoint.
func (t *SenseTrainer) Save(dir string) error {
	w := gguf.NewWriter()
	if err := t.sense.write(w, tensor.F32); err != nil {
		return err
	}
	w.Set("train.step", uint64(t.Step))
	n := []int{len(t.Opt.M)}
	w.Add("train.adam_m", tensor.F32, n, tensor.F32Bytes(t.Opt.M))
	w.Add("train.adam_v", tensor.F32, n, tensor.F32Bytes(t.Opt.V))
	return w.WriteFile(filepath.Join(dir, CheckpointName))
}

// SaveModel writes the finished sense, which joins a model's file.
func (t *SenseTrainer) SaveModel(path string) error {
	w := gguf.NewWriter()
	w.Set("general.architecture", model.Architecture)
	if err := t.sense.write(w, tensor.BF16); err != nil {
		return err
	}
	return w.WriteFile(path)
}

// calibrationSteps of fresh examples decide a sense's threshold; a false alarm
// costs as much as falseAlarm answers that are passed over.
const (
	calibrationSteps = 24
	falseAlarm       = 4
)

// Calibrate sets the mass off the sink from which an answer counts, on examples
// that come after the last step's. It returns the threshold, the share of answers
// that are passed over by it, and that of false alarms.
func (t *SenseTrainer) Calibrate() (threshold, missed, alarms float64) {
	set := t.sense.threshold()
	if set == nil {
		return 0, 0, 0
	}
	n := len(t.workers)
	all := make([]*tallies, n)
	t.parallel(func(i int, w *worker) {
		encoder.Refresh(t.sense.matrices(), t.params, true, i, n)
	})
	t.parallel(func(i int, w *worker) {
		all[i] = newTallies()
		for step := t.Step + 1 + i; step <= t.Step+calibrationSteps; step += n {
			for b := range t.sense.batch(step) {
				w.scratch.Reset()
				w.scratch.Keep = true
				t.sense.example(w, step, b, all[i]) // the gradient is not used
			}
		}
	})
	for _, o := range all[1:] {
		all[0].merge(o)
	}
	best, cost := 0.5, math.Inf(1)
	for th := 0.02; th < 1; th += 0.02 {
		miss, alarm, there, absent := 0.0, 0.0, 0.0, 0.0
		for _, o := range all[0].asked {
			over := float64(o.mass) >= th
			switch {
			case o.there:
				there++
				if !over {
					miss++
				}
			default:
				absent++
				if over {
					alarm++
				}
			}
		}
		miss, alarm = miss/max(there, 1), alarm/max(absent, 1)
		if c := miss + falseAlarm*alarm; c < cost {
			best, cost, missed, alarms = th, c, miss, alarm
		}
	}
	*set = float32(best)
	return best, missed, alarms
}

// Size is the number of parameters.
func (t *SenseTrainer) Size() int { return len(t.params.Data) }

// RunStep does one step.
func (t *SenseTrainer) RunStep() (*SenseMetrics, error) {
	start := time.Now()
	n := len(t.workers)
	all := make([]*tallies, n)
	batch := t.sense.batch(t.Step)
	t.parallel(func(i int, w *worker) {
		clear(w.grad)
		encoder.Refresh(t.sense.matrices(), t.params, true, i, n)
	})
	t.parallel(func(i int, w *worker) {
		all[i] = newTallies()
		for b := i; b < batch; b += n {
			w.scratch.Reset()
			w.scratch.Keep = true
			t.sense.example(w, t.Step, b, all[i])
		}
	})
	for _, o := range all[1:] {
		all[0].merge(o)
	}
	met := &SenseMetrics{Step: t.Step + 1, Mean: map[string]float64{}, Rate: t.Recipe.Schedule.At(t.Step, t.Recipe.Steps)}
	var err error
	if met.Norm, err = t.step(t.Step, t.Recipe.Clip, float32(met.Rate)); err != nil {
		return nil, err
	}
	t.balance(all[0])
	for k, v := range all[0].sum {
		met.Mean[k] = v / max(all[0].n[k], 1e-9)
	}
	met.Seconds = time.Since(start).Seconds()
	t.Step++
	return met, nil
}

// balance moves the routers' biases towards equal loads.
func (t *SenseTrainer) balance(all *tallies) {
	if all.loads == 0 || t.Recipe.BiasRate == 0 {
		return
	}
	at := 0
	for _, l := range t.sense.layers() {
		if l.FF.MoE == nil {
			continue
		}
		for j := range all.load[at] {
			all.load[at][j] /= all.loads
		}
		nn.BalanceBias(l.FF.MoE.Bias.Of(t.params.Data), all.load[at], t.Recipe.BiasRate)
		at++
	}
}

// Run trains until the recipe's last step, or ctx ends; see Trainer.Run.
func (t *SenseTrainer) Run(ctx context.Context, report func(*SenseMetrics), save func() error) error {
	return runSteps(ctx, &t.Step, t.Recipe.Steps, t.Recipe.Every, t.RunStep, report, save)
}
