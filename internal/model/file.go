package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Architecture is the native model's name in GGUF metadata; its keys begin
// with it.
const Architecture = "handscroll"

const (
	keyRopeBase = Architecture + ".rope.freq_base"
)

// fields ties each hyper-parameter to its metadata key.
func (c *Config) fields() []struct {
	key string
	v   *int
} {
	const a = Architecture + "."
	return []struct {
		key string
		v   *int
	}{
		{a + "vocab_size", &c.Vocab}, {a + "embedding_length", &c.Width},
		{a + "block_count", &c.SelfLayers}, {a + "cross_block_count", &c.CrossLayers},
		{a + "attention.head_count", &c.Heads}, {a + "attention.sliding_window", &c.Window},
		{a + "conv.taps", &c.Taps}, {a + "expert_count", &c.Experts},
		{a + "expert_used_count", &c.TopK}, {a + "expert_feed_forward_length", &c.Hidden},
		{a + "cross.head_count", &c.CrossHeads}, {a + "attention.key_length", &c.KeyDim},
		{a + "attention.value_length", &c.ValueDim}, {a + "key_lookahead", &c.Lookahead},
		{a + "entry_lookahead", &c.Ahead},
	}
}

// tuned are the numbers that answering depends on and entries do not.
func (m *Native) tuned() []struct {
	key string
	v   *float32
} {
	const a = Architecture + "."
	return []struct {
		key string
		v   *float32
	}{
		{a + "absent_bias", &m.AbsentBias},
		{a + "lexical_weight", &m.Lexical.Weight}, {a + "lexical_sink", &m.Lexical.Sink},
	}
}

// Writer lays the model out as GGUF, matrices as dtype (F32 or BF16), vectors
// as F32.
func (m *Native) Writer(dtype tensor.DType) *gguf.Writer {
	w := gguf.NewWriter()
	w.Set("general.architecture", Architecture)
	w.Set("general.name", "Handscroll")
	for _, f := range m.Config.fields() {
		w.Set(f.key, uint32(*f.v))
	}
	w.Set(keyRopeBase, float32(m.Config.RopeBase))
	for _, x := range m.tuned() {
		w.Set(x.key, *x.v)
	}
	v := m.Tokens.Vocab()
	pieces, merges := v.Strings()
	w.Set("tokenizer.ggml.model", "gpt2")
	w.Set("tokenizer.ggml.pre", Architecture)
	w.Set("tokenizer.ggml.tokens", pieces)
	w.Set("tokenizer.ggml.merges", merges)
	w.Set("tokenizer.ggml.special_count", uint32(v.Special))
	m.Params.Write(w, dtype, func(p *nn.Param) bool { return p == m.embed.Table })
	return w
}

// LoadTokenizer reads the vocabulary of a native model.
func LoadTokenizer(f *gguf.File) (*tokenizer.BPE, error) {
	pieces, err := f.Meta.Strings("tokenizer.ggml.tokens")
	if err != nil {
		return nil, err
	}
	merges, err := f.Meta.Strings("tokenizer.ggml.merges")
	if err != nil {
		return nil, err
	}
	special, err := f.Meta.Uint32("tokenizer.ggml.special_count")
	if err != nil {
		return nil, err
	}
	if special != tokenizer.NumSpecial {
		return nil, fmt.Errorf("model: tokenizer.ggml.special_count is %d, want %d", special, tokenizer.NumSpecial)
	}
	v, err := tokenizer.FromStrings(pieces, merges, int(special))
	if err != nil {
		return nil, err
	}
	return tokenizer.NewBPE(v)
}

// LoadNative reads a native model for reading and answering.
func LoadNative(f *gguf.File) (*Native, error) {
	m, err := load(f, nn.BF16, RouterLoss{})
	if err != nil {
		return nil, err
	}
	m.Refresh(false, 0, 1)
	return m, nil
}

// LoadForTraining reads a native model to train it further.
func LoadForTraining(f *gguf.File, prec nn.Precision, loss RouterLoss) (*Native, error) {
	return load(f, prec, loss)
}

func load(f *gguf.File, prec nn.Precision, loss RouterLoss) (*Native, error) {
	arch, err := f.Meta.String("general.architecture")
	if err != nil {
		return nil, err
	}
	if arch != Architecture {
		return nil, fmt.Errorf("model: architecture is %q, want %q", arch, Architecture)
	}
	c := Config{Precision: prec}
	for _, x := range c.fields() {
		v, err := f.Meta.Uint32(x.key)
		if err != nil {
			return nil, err
		}
		*x.v = int(v)
	}
	base, err := f.Meta.Float32(keyRopeBase)
	if err != nil {
		return nil, err
	}
	c.RopeBase = float64(base)
	tok, err := LoadTokenizer(f)
	if err != nil {
		return nil, err
	}
	m, err := declare(c, tok, loss)
	if err != nil {
		return nil, err
	}
	for _, x := range m.tuned() {
		if *x.v, err = f.Meta.Float32(x.key); err != nil {
			return nil, err
		}
		if b := *x.v; b-b != 0 {
			return nil, fmt.Errorf("model: %s is %g, want a finite number", x.key, b)
		}
	}
	if err := m.Params.Load(f); err != nil {
		return nil, err
	}
	m.rope = c.rope()
	if m.Senses, err = encoder.LoadSenses(f); err != nil {
		return nil, err
	}
	if m.Fingerprint, err = m.fingerprint(f); err != nil {
		return nil, err
	}
	return m, nil
}

// fingerprint identifies a model: what stored contexts are bound to. It covers
// what entries and token ids follow from (hyper-parameters, vocabulary and the
// tensors as stored) and leaves out AbsentBias: calibrating again keeps the
// contexts.
func (m *Native) fingerprint(f *gguf.File) (string, error) {
	h := sha256.New()
	for _, x := range m.Config.fields() {
		fmt.Fprintf(h, "%s %d\n", x.key, *x.v)
	}
	fmt.Fprintf(h, "%s %x\n", keyRopeBase, math.Float32bits(float32(m.Config.RopeBase)))
	v := m.Tokens.Vocab()
	for _, merge := range v.Merges {
		fmt.Fprintf(h, "%d %d\n", merge[0], merge[1])
	}
	for _, ps := range append([]*nn.Params{&m.Params}, m.Senses.Params()...) {
		for _, p := range ps.List {
			t, err := f.Tensor(p.Name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s %v %v\n", t.Name, t.Shape, t.Type)
			h.Write(t.Data)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
