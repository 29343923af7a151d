package handscroll

import (
	"context"

	"github.com/handscroll/handscroll/internal/engine"
)

// Weights is a model of open weights: a transformer in a GGUF file that is
// mapped, not read. It may be used by several goroutines, until Close.
type Weights struct {
	Vocabulary
	w *engine.Weights
}

// OpenWeights opens a GGUF file of a supported architecture: gemma4, gpt-oss,
// llama (Mistral and Mixtral too), minicpm, phi2, qwen3 and qwen3moe.
func OpenWeights(path string) (*Weights, error) {
	w, err := engine.OpenWeights(path)
	if err != nil {
		return nil, err
	}
	return &Weights{Vocabulary{w.Vocabulary}, w}, nil
}

// Close gives the file back.
func (w *Weights) Close() error { return w.w.Close() }

// Prepare lays the weights out in memory, which reading and answering need and do
// themselves: in at most budget bytes, or if that is 0 in 9/10 of what is free. What
// does not fit of a model's experts is read from the file whenever a token needs it.
// Progress may be nil.
func (w *Weights) Prepare(budget int64, progress func(done, total int)) error {
	return w.w.Prepare(budget, progress)
}

// Name and Fingerprint identify the weights, as those of [Model] do.
func (w *Weights) Name() string        { return w.w.Identity().Name }
func (w *Weights) Fingerprint() string { return w.w.Identity().Fingerprint }

// IsNative reports whether a GGUF file holds a model of this module's own
// architecture, for [Open], rather than open weights.
func IsNative(path string) (bool, error) { return engine.IsNative(path) }

// WeightsInfo is what a file says about its model.
type WeightsInfo struct {
	Architecture, Name string
	Type               string // of most of the weights, such as Q4_K
	Vocab              int
	Width, Layers      int
	Context            int // tokens that the model was trained on
	Experts, TopK      int // experts a layer and a token; 0 for a dense model
}

// Info returns the model's sizes.
func (w *Weights) Info() WeightsInfo {
	s := w.w.Shape()
	return WeightsInfo{
		Architecture: s.Architecture, Name: s.Name, Type: s.Type.String(), Vocab: s.Vocab,
		Width: s.Width, Layers: s.Layers, Context: s.Context, Experts: s.Experts, TopK: s.TopK,
	}
}

// Vocabulary is the tokenizer of a GGUF file.
type Vocabulary struct{ v *engine.Vocabulary }

// OpenVocabulary reads the tokenizer of a GGUF file, whatever its architecture.
func OpenVocabulary(path string) (*Vocabulary, error) {
	v, err := engine.OpenVocabulary(path)
	if err != nil {
		return nil, err
	}
	return &Vocabulary{v}, nil
}

// Tokenize returns the ids of text, with those that the model expects around a
// text. Control tokens written out in the text are plain text unless control is
// set.
func (v *Vocabulary) Tokenize(text []byte, control bool) ([]int32, error) {
	return v.v.Encode(text, control)
}

// TokenText returns the bytes of a token: none for a control token.
func (v *Vocabulary) TokenText(id int32) []byte { return v.v.Text(id) }

// Token is a token that may come next.
type Token struct {
	ID      int32
	Text    []byte
	LogProb float64 // natural logarithm of its probability
}

// TokenLikelihood is a token of a text, how well the model foresaw it and what it
// expects to come next, likeliest first.
type TokenLikelihood struct {
	Token // LogProb is 0 for the first token, which nothing precedes
	Top   []Token
}

// Score returns how likely the model takes each of ids to be after those before
// it, with the top likeliest tokens after it, and the perplexity of all.
func (w *Weights) Score(ctx context.Context, ids []int32, top int) ([]TokenLikelihood, float64, error) {
	list, err := w.w.Likelihoods(ctx, ids, top)
	if err != nil {
		return nil, 0, err
	}
	out := make([]TokenLikelihood, len(list))
	for i, l := range list {
		out[i].Token = Token{l.ID, w.w.Text(l.ID), l.LogProb}
		for _, c := range l.Top {
			out[i].Top = append(out[i].Top, Token{c.ID, w.w.Text(c.ID), c.Logprob})
		}
	}
	return out, engine.Perplexity(list), nil
}
