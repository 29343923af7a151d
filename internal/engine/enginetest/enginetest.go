// Package enginetest makes tiny models for tests of what lies above the engine.
package enginetest

import (
	"math"
	"testing"

	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// WriteModel writes a model of random weights to path. It answers nonsense, or,
// if absent is set, that the answer is not in the context. Equal seeds give
// equal models.
func WriteModel(t testing.TB, path string, seed uint64, absent bool) {
	t.Helper()
	vocab, err := tokenizer.Train([][]byte{[]byte("The quick brown fox jumps over the lazy dog. 0123456789\n")}, 300, nil)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.NewBPE(vocab)
	if err != nil {
		t.Fatal(err)
	}
	c := model.Config{
		Vocab: tok.Size(), Width: 32, SelfLayers: 1, CrossLayers: 1, Heads: 2, Window: 16, Taps: 4,
		Experts: 2, TopK: 1, Hidden: 32, CrossHeads: 2, KeyDim: 64, ValueDim: 64, Lookahead: 16,
		RopeBase: 10000, Precision: nn.F32,
	}
	m, err := model.New(c, tok, model.RouterLoss{})
	if err != nil {
		t.Fatal(err)
	}
	m.Params.Reset(seed)
	m.AbsentBias = -math.MaxFloat32 / 4
	if absent {
		m.AbsentBias = 1000
	}
	if err := m.Writer(tensor.F32).WriteFile(path); err != nil {
		t.Fatal(err)
	}
}
