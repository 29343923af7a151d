package train

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
	"github.com/handscroll/handscroll/internal/train/data"
	"github.com/handscroll/handscroll/internal/train/optim"
)

// Recipe is everything a training run depends on.
type Recipe struct {
	Name      string           `yaml:"name"`
	Seed      uint64           `yaml:"seed"`
	Workers   int              `yaml:"workers"`   // goroutines; part of what the bits depend on
	Precision string           `yaml:"precision"` // bf16 or f32
	Model     model.Config     `yaml:"model"`
	Tokenizer TokenizerRecipe  `yaml:"tokenizer"`
	Corpus    []string         `yaml:"corpus"` // files, directories, globs; environment variables expanded
	Limit     int64            `yaml:"corpus_limit"`
	Data      data.Options     `yaml:"data"`
	Steps     int              `yaml:"steps"`
	AheadFrom int              `yaml:"ahead_from"`   // step at which the entry layer joins
	Lexical   model.Lexical    `yaml:"lexical"`      // prior of answers, written to the model
	Batch     int              `yaml:"batch_tokens"` // context tokens a step
	Lengths   []LengthStage    `yaml:"lengths"`
	Schedule  optim.Schedule   `yaml:"schedule"`
	Decay     float32          `yaml:"weight_decay"`
	Clip      float64          `yaml:"clip"`
	Loss      LossWeights      `yaml:"loss"`
	Router    model.RouterLoss `yaml:"router"`
	BiasRate  float32          `yaml:"bias_rate"` // loss-free balancing step, 0 for none
	Every     int              `yaml:"checkpoint_every"`
}

// TokenizerRecipe says where the vocabulary comes from: File, a GGUF model, or
// else training on the corpus.
type TokenizerRecipe struct {
	File string `yaml:"file"`
	Size int    `yaml:"size"` // pieces
}

// LengthStage sets the longest context from step From on.
type LengthStage struct {
	From   int `yaml:"from"`
	Length int `yaml:"length"`
}

// LossWeights weigh the parts of the loss: answers count 1.
type LossWeights struct {
	LM      float32 `yaml:"lm"`
	Pointer float32 `yaml:"pointer"`
	First   float32 `yaml:"first"` // weight of an answer's first row, where the finding happens
}

// LoadRecipe reads and checks a recipe.
func LoadRecipe(path string) (*Recipe, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: recipe: %w", err)
	}
	r := &Recipe{Workers: 2, Precision: "bf16", Clip: 1, Every: 250, Data: data.DefaultOptions()}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(r); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, fmt.Errorf("train: recipe %s: %w", path, err)
	}
	for i := range r.Corpus {
		err = errors.Join(err, expand(&r.Corpus[i], fmt.Sprintf("corpus[%d]", i)))
	}
	err = errors.Join(err, expand(&r.Tokenizer.File, "tokenizer.file"))
	if err = errors.Join(err, r.validate()); err != nil {
		return nil, fmt.Errorf("train: recipe %s: %w", path, err)
	}
	return r, nil
}

func (r *Recipe) validate() error {
	switch r.Precision {
	case "bf16":
		r.Model.Precision = nn.BF16
	case "f32":
		r.Model.Precision = nn.F32
	default:
		return fmt.Errorf("precision is %q, want bf16 or f32", r.Precision)
	}
	if err := r.validateRates(); err != nil {
		return err
	}
	switch {
	case r.Name == "" || r.Name != filepath.Base(r.Name):
		return fmt.Errorf("name is %q, want a name that can be a folder's", r.Name)
	case r.Steps < 1:
		return fmt.Errorf("steps is %d, want at least 1", r.Steps)
	case r.Workers < 1 || r.Workers > 64:
		return fmt.Errorf("workers is %d, want 1 to 64", r.Workers)
	case r.Batch < 256 || r.Batch > 1<<22: // a step's examples are numbered in 16 bits
		return fmt.Errorf("batch_tokens is %d, want 256 to %d", r.Batch, 1<<22)
	case len(r.Lengths) == 0 || r.Lengths[0].From != 0:
		return fmt.Errorf("lengths must begin with a stage from step 0")
	case len(r.Corpus) == 0:
		return fmt.Errorf("corpus is empty: name files or directories of text")
	case r.Every < 1:
		return fmt.Errorf("checkpoint_every is %d, want at least 1", r.Every)
	case r.Tokenizer.Size < tokenizer.NumSpecial+256 || r.Tokenizer.Size > 1<<16: // the corpus is kept in 16 bits an id
		return fmt.Errorf("tokenizer.size is %d, want %d to %d pieces", r.Tokenizer.Size, tokenizer.NumSpecial+256, 1<<16)
	}
	for i, l := range r.Lengths {
		if l.Length < 128 || i > 0 && (l.From <= r.Lengths[i-1].From || l.Length < r.Lengths[i-1].Length) {
			return fmt.Errorf("lengths[%d]: stages must ascend in from and length, from 128 tokens", i)
		}
	}
	r.Model.Vocab = r.Tokenizer.Size
	return r.Model.Validate()
}

// validateRates checks what must be a number, not negative.
func (r *Recipe) validateRates() error {
	return within(append(learning(r.Schedule, r.Decay, r.Clip),
		bound{"loss.lm", float64(r.Loss.LM), 1e3}, bound{"loss.pointer", float64(r.Loss.Pointer), 1e3}, bound{"loss.first", float64(r.Loss.First), 1e3},
		bound{"router.balance", float64(r.Router.Balance), 1e3}, bound{"router.z", float64(r.Router.Z), 1e3},
		bound{"bias_rate", float64(r.BiasRate), 1}))
}

// bound is a number of a recipe that must be 0 to most.
type bound struct {
	name    string
	v, most float64
}

// learning are the numbers that every kind of recipe has.
func learning(s optim.Schedule, decay float32, clip float64) []bound {
	return []bound{
		{"schedule.rate", s.Rate, 1}, {"schedule.final", s.Final, 1},
		{"schedule.warmup", float64(s.Warmup), 1e9}, {"schedule.decay", float64(s.Decay), 1e9},
		{"weight_decay", float64(decay), 10}, {"clip", clip, 1e9},
	}
}

func within(bounds []bound) error {
	for _, x := range bounds {
		if !(x.v >= 0 && x.v <= x.most) {
			return fmt.Errorf("%s is %g, want 0 to %g", x.name, x.v, x.most)
		}
		if x.v == 0 && (x.name == "schedule.rate" || x.name == "clip") {
			return fmt.Errorf("%s is 0: nothing would be learned", x.name)
		}
	}
	return nil
}

// expand replaces the environment variables in a field of the recipe; GOROOT
// is known even where it is not in the environment.
func expand(path *string, field string) (err error) {
	text := *path
	*path = os.Expand(text, func(name string) string {
		v := os.Getenv(name)
		if v == "" && name == "GOROOT" {
			v = goroot()
		}
		if v == "" {
			err = errors.Join(err, fmt.Errorf("%s is %s, but %s is not set: set it in the environment, or write a path there", field, text, name))
		}
		return v
	})
	return err
}
