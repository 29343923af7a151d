package handscroll

import (
	"context"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/model/shipped"
)

// Model is a model, ready to read.
type Model struct{ m *engine.Model }

// Open reads a model from a GGUF file; "" is the one embedded in this module.
func Open(path string) (*Model, error) {
	if path != "" {
		m, err := engine.OpenModel(path)
		if err != nil {
			return nil, err
		}
		return &Model{m}, nil
	}
	m, err := engine.ParseModel(shipped.GGUF, "embedded model")
	if err != nil {
		return nil, err
	}
	return &Model{m}, nil
}

// Name returns the model's name.
func (m *Model) Name() string { return m.m.Name() }

// Fingerprint identifies the model's weights, as SHA-256 in hexadecimal. Stored
// contexts are bound to it.
func (m *Model) Fingerprint() string { return m.m.Fingerprint() }

// CountTokens returns how long text is as a part of a context, in tokens.
func (m *Model) CountTokens(text []byte) int { return m.m.CountTokens(text) }

// EntryBytes returns the memory that a token of context takes, text aside.
func (m *Model) EntryBytes() int { return m.m.EntryBytes() }

// TokenScore is a token of a text and how well the model foresaw it.
type TokenScore struct {
	Text    string
	LogProb float32 // natural logarithm of its probability given those before
}

// Score returns the tokens of text with their probabilities. Time grows with
// the square of the text's length.
func (m *Model) Score(ctx context.Context, text []byte) ([]TokenScore, error) {
	scores, err := m.m.Score(ctx, text)
	if err != nil {
		return nil, err
	}
	out := make([]TokenScore, len(scores))
	for i, s := range scores {
		out[i] = TokenScore(s)
	}
	return out, nil
}

// Words returns the words that the model can hear, the most frequent first; none
// if it has no ears. They are not to be changed.
func (m *Model) Words() []string { return m.m.Words() }
