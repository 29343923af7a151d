// Package enginetest makes tiny models for tests of what lies above the engine.
package enginetest

import (
	"math"
	"testing"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
	"github.com/handscroll/handscroll/internal/tensor"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// WriteModel writes a model of random weights to path. It answers nonsense, or,
// if absent is set, that the answer is not in the context. Equal seeds give
// equal models.
func WriteModel(t testing.TB, path string, seed uint64, absent bool) {
	t.Helper()
	m := newModel(t, seed, absent)
	if err := m.Writer(tensor.F32).WriteFile(path); err != nil {
		t.Fatal(err)
	}
}

// newModel makes the model that WriteModel writes.
func newModel(t testing.TB, seed uint64, absent bool) *model.Native {
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
	return m
}

// WriteSensingModel writes a model as WriteModel does, but with eyes that cannot
// read and ears that know no words.
func WriteSensingModel(t testing.TB, path string, seed uint64) {
	t.Helper()
	m := newModel(t, seed, false)
	layer := nn.SelfConfig{Width: 32, Heads: 2, Window: 8, Ahead: 4, Taps: 3, Hidden: 32}
	seeing, err := encoder.NewSeeing(encoder.SeeingConfig{
		Width: m.Config.Width, Scenes: encoder.ScenesConfig{Channels: 16, Layers: 1, Layer: layer, Key: m.Config.KeyDim},
	}, nn.F32)
	if err != nil {
		t.Fatal(err)
	}
	hearing, err := encoder.NewHearing(encoder.HearingConfig{Width: m.Config.Width, Ears: encoder.EarsConfig{
		Stem: 16, Layers: 1, Layer: layer, Key: m.Config.KeyDim, Value: m.Config.ValueDim, Phones: len(speech.Inventory),
	}}, nn.F32)
	if err != nil {
		t.Fatal(err)
	}
	seeing.Params.Alloc()
	seeing.Params.Reset(seed)
	hearing.Params.Alloc()
	hearing.Params.Reset(seed)
	hearing.Lexicon, hearing.Prior = &speech.Lexicon{}, make([]float32, len(speech.Inventory))
	m.Senses = encoder.Senses{Seeing: seeing, Hearing: hearing}
	w := m.Writer(tensor.F32)
	if err := m.Senses.Write(w, tensor.F32); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFile(path); err != nil {
		t.Fatal(err)
	}
}
