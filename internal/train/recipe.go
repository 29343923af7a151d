package train

import (
	"bytes"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
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

// TokenizerRecipe says where the vocabulary comes from: File, a GGUF model or
// a saved vocabulary, or else training on the corpus.
type TokenizerRecipe struct {
	File string `yaml:"file"`
	Size int    `yaml:"size"`
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
		return nil, fmt.Errorf("train: recipe %s: %w", path, err)
	}
	for i, p := range r.Corpus {
		r.Corpus[i] = os.Expand(p, expand)
	}
	r.Tokenizer.File = os.Expand(r.Tokenizer.File, expand)
	if err := r.validate(); err != nil {
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
	switch {
	case r.Steps < 1:
		return fmt.Errorf("steps is %d, want at least 1", r.Steps)
	case r.Workers < 1 || r.Workers > 64:
		return fmt.Errorf("workers is %d, want 1 to 64", r.Workers)
	case r.Batch < 256:
		return fmt.Errorf("batch_tokens is %d, want at least 256", r.Batch)
	case len(r.Lengths) == 0 || r.Lengths[0].From != 0:
		return fmt.Errorf("lengths must begin with a stage from step 0")
	case len(r.Corpus) == 0:
		return fmt.Errorf("corpus is empty: name files or directories of text")
	case r.Every < 1:
		return fmt.Errorf("checkpoint_every is %d, want at least 1", r.Every)
	}
	for i, l := range r.Lengths {
		if l.Length < 128 || i > 0 && (l.From <= r.Lengths[i-1].From || l.Length < r.Lengths[i-1].Length) {
			return fmt.Errorf("lengths[%d]: stages must ascend in from and length, from 128 tokens", i)
		}
	}
	r.Model.Vocab = r.Tokenizer.Size
	return r.Model.Validate()
}

// expand resolves GOROOT even where it is not in the environment.
func expand(name string) string {
	if v := os.Getenv(name); v != "" || name != "GOROOT" {
		return v
	}
	return goroot()
}
