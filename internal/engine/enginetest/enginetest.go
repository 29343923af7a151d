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
	write(t, path, seed, absent, encoder.Senses{})
}

// WriteSenses is WriteModel for a model that also sees and hears, nonsense too, and,
// if reads is set, reads in pictures.
func WriteSenses(t testing.TB, path string, seed uint64, reads bool) {
	t.Helper()
	layer := nn.SelfConfig{Width: 32, Heads: 2, Window: 8, Ahead: 4, Taps: 4, Hidden: 32}
	reading, err := encoder.NewReading(encoder.EyesConfig{Channels: 8, Blocks: 1, Hidden: 8}, nn.F32)
	if err != nil {
		t.Fatal(err)
	}
	seeing, err := encoder.NewSeeing(encoder.ScenesConfig{
		Channels: 8, Blocks: 1, Layers: 2, Layer: layer, Value: 64, Labels: [][]string{{"circle", "square"}, {"red", "blue"}, {"still", "moving left"}},
	}, nn.F32)
	if err != nil {
		t.Fatal(err)
	}
	hearing, err := encoder.NewHearing(encoder.HearingConfig{
		Width: 32, Ears: encoder.EarsConfig{Stem: 8, Layers: 2, Layer: layer, Key: 64, Value: 64, Phones: len(speech.Inventory)},
	}, nn.F32)
	if err != nil {
		t.Fatal(err)
	}
	hearing.Lexicon = speech.NewLexicon([]string{"tea", "key"}, []string{"en-us"})
	hearing.Lexicon.Add(0, []uint8{62, 40}, 1, false)
	hearing.Lexicon.Add(1, []uint8{50, 40}, 1, false)
	hearing.Prior = make([]float32, len(speech.Inventory))
	for i := range hearing.Prior {
		hearing.Prior[i] = 1 / float32(len(hearing.Prior))
	}
	senses := encoder.Senses{Seeing: seeing, Hearing: hearing}
	if reads {
		senses.Reading = reading
	}
	for i, ps := range senses.Params() {
		ps.Alloc()
		ps.Reset(seed + uint64(i))
	}
	write(t, path, seed, false, senses)
}

func write(t testing.TB, path string, seed uint64, absent bool, senses encoder.Senses) {
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
	w := m.Writer(tensor.F32)
	if err := senses.Write(w, tensor.F32); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFile(path); err != nil {
		t.Fatal(err)
	}
}
