package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Transformer is a decoder-only model of open weights. Its weights live in the
// mapped file, which must stay open. It may be used by several goroutines, each
// with a scratch and sequences of its own.
type Transformer struct {
	Shape
	forward   forwarder
	params    nn.Params
	embed     *nn.Blocks // [Vocab, Width]
	normOut   *nn.RMSNorm
	normOutLN *nn.LayerNorm // in place of normOut
	out       nn.Weight     // [Vocab, Width]
	embedGain float32       // of embeddings; 0 is 1
	outGain   float32       // of logits; 0 is 1
	softcap   float32       // of logits: c·tanh(x/c); 0 is none
	laid      []*nn.Blocks  // weights that products are made of
	kvWidth   []int         // of each layer's key and value rows; 0 where it has none of its own
}

// Shape is what a file says about a model's sizes.
type Shape struct {
	Architecture, Name            string
	Type                          tensor.DType // of most of the weights
	Vocab, Width, Layers, Context int
	Experts, TopK                 int // 0 for a dense model
}

// forwarder is what is of an architecture: its layers.
type forwarder interface {
	// layers runs x [T, Width], the embeddings of ids, through all layers in
	// place, adding to the sequence. pos is the position of the first.
	layers(s *nn.Scratch, seq *kvcache.Sequence, x []float32, ids []int32, pos int)
}

// architectures are the loaders of GGUF architectures. A loader reads what is of
// the architecture; LoadTransformer does the rest.
var architectures = map[string]func(l *weights, m *Transformer) forwarder{
	"llama": loadLlama, "minicpm": loadMiniCPM, "qwen3moe": loadQwen3, "qwen3": loadQwen3,
	"gemma4": loadGemma4, "gpt-oss": loadGptOss, "phi2": loadPhi2,
}

// LoadTransformer reads a model of one of the supported architectures.
func LoadTransformer(f *gguf.File) (*Transformer, error) {
	arch, err := f.Meta.String("general.architecture")
	if err != nil {
		return nil, err
	}
	load := architectures[arch]
	if load == nil {
		return nil, fmt.Errorf("model: %s: architecture %q is not supported; supported are %s", f.Name, arch,
			strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	l := &weights{f: f, arch: arch}
	m := &Transformer{Shape: Shape{Architecture: arch, Type: storedAs(f)}}
	m.Name, _ = f.Meta.String("general.name") // a name is not needed
	m.Width, m.Layers, m.Context = l.dim("embedding_length"), l.dim("block_count"), l.dim("context_length")
	if m.Layers > maxLayers {
		return nil, fmt.Errorf("model: %s: %d layers, want at most %d", f.Name, m.Layers, maxLayers)
	}
	m.Experts, m.TopK = l.countOr("expert_count", 0), l.countOr("expert_used_count", 0)
	table, err := f.Tensor("token_embd.weight")
	if err != nil {
		return nil, err
	}
	m.Vocab = table.Shape[0]
	m.embed = l.blocks(m.Width, l.tensor("token_embd.weight", m.Vocab, m.Width))
	if m.out = l.optional("output", m.Vocab, m.Width); m.out == nil {
		m.out = l.product(m.embed)
	}
	m.forward = load(l, m)
	if err := l.load(); err != nil {
		return nil, err
	}
	m.params, m.laid = l.params, l.laid
	return m, nil
}

// LaidSize returns how many bytes Lay takes.
func (m *Transformer) LaidSize() int {
	n := 0
	for _, w := range m.laid {
		n += w.LaidSize()
	}
	return n
}

// Lay lays the weights out for fast products; without it, products are those that
// define the rest, with weights decoded anew each time. Quantised weights are then
// multiplied by activations rounded to int8.
func (m *Transformer) Lay(team *nn.Team, progress func(done, total int)) {
	nn.Lay(team, progress, m.laid...)
}

const maxLayers = 1024

// NewSequence makes an empty sequence for the model.
func (m *Transformer) NewSequence() *kvcache.Sequence { return kvcache.NewSequence(m.kvWidth) }

// Forward reads ids after what the sequence holds and writes the logits of the
// last n of them to logits [n, Vocab]. It fails on ids outside the vocabulary.
func (m *Transformer) Forward(s *nn.Scratch, seq *kvcache.Sequence, ids []int32, logits []float32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= m.Vocab {
			return fmt.Errorf("model: id %d of %d is %d, outside of the vocabulary of %d", i, len(ids), id, m.Vocab)
		}
	}
	s.Reset()
	s.Keep = false
	d, n := m.Width, len(logits)/m.Vocab
	if n > len(ids) {
		panic("model: more logits than ids")
	}
	x := s.Floats(len(ids) * d)
	for i, id := range ids {
		m.embed.Row(x[i*d:(i+1)*d], int(id))
	}
	if m.embedGain != 0 {
		kernel.Scale(x, m.embedGain)
	}
	m.forward.layers(s, seq, x, ids, seq.N)
	seq.N += len(ids)
	last := x[(len(ids)-n)*d:]
	if m.normOutLN != nil {
		m.normOutLN.Forward(m.params.Data, last, last)
	} else {
		m.normOut.Forward(s, m.params.Data, last, last)
	}
	m.out.Mul(s, logits, last, n, false)
	if m.outGain != 0 {
		kernel.Scale(logits, m.outGain)
	}
	if m.softcap != 0 {
		softcap(logits, m.softcap)
	}
	return nil
}

// tokens prepares the rotary angles of n tokens from position pos on.
func tokens(s *nn.Scratch, rope *nn.Rope, n, pos int) *nn.Tokens {
	t := &nn.Tokens{T: n, Spans: []nn.Span{{Start: 0, End: n, Pos: pos}}}
	rope.Prepare(s, t)
	return t
}

// attend adds to x the attention of its normalised rows h, whose keys and values
// join the sequence's layer.
func attend(s *nn.Scratch, w []float32, a *nn.Attention, seq *kvcache.Sequence, layer int, x, h []float32, t *nn.Tokens) {
	mark := s.Mark()
	q, n := s.Floats(t.T*a.Heads*a.HeadDim), t.T*a.KVHeads*a.HeadDim
	k, v := s.Floats(n), s.Floats(n)
	a.Queries(s, w, q, h, t)
	a.KeysValues(s, w, k, v, h, t)
	seq.Append(layer, k, v)
	k, v = seq.Rows(layer)
	a.Forward(s, w, x, q, k, v, t)
	s.Release(mark)
}

// preNorm is the usual stack: each block normalises, attends, normalises and
// feeds forward, adding to its input twice.
type preNorm struct {
	m        *Transformer
	rope     *nn.Rope
	blocks   []preNormBlock
	residual float32 // of what is added; 0 is 1
}

type preNormBlock struct {
	normAttn, normFF *nn.RMSNorm
	attn             *nn.Attention
	ff               feedForward
}

func (a *preNorm) layers(s *nn.Scratch, seq *kvcache.Sequence, x []float32, ids []int32, pos int) {
	w, n := a.m.params.Data, len(ids)
	t := tokens(s, a.rope, n, pos)
	h, sum := s.Floats(len(x)), x
	if a.residual != 0 {
		sum = s.Floats(len(x))
	}
	add := func() {
		if a.residual != 0 {
			kernel.Axpy(x, a.residual, sum)
		}
	}
	for i := range a.blocks {
		b := &a.blocks[i]
		mark := s.Mark()
		b.normAttn.Forward(s, w, h, x)
		if a.residual != 0 {
			clear(sum)
		}
		attend(s, w, b.attn, seq, i, sum, h, t)
		add()
		b.normFF.Forward(s, w, h, x)
		if a.residual != 0 {
			clear(sum)
		}
		b.ff.forward(s, w, sum, h, n, &feedForwardAct{})
		add()
		s.Release(mark)
	}
}

// heads reads the sizes of attention.
func (l *weights) heads(d int) (heads, kvHeads, headDim int) {
	heads = l.dim("attention.head_count")
	kvHeads = l.dimOr("attention.head_count_kv", heads)
	headDim = l.dimOr("attention.key_length", max(1, d/heads))
	if heads%kvHeads != 0 {
		l.fail(fmt.Errorf("model: %s: %d heads are no multiple of %d key-value heads", l.f.Name, heads, kvHeads))
	}
	if v := l.dimOr("attention.value_length", headDim); v != headDim {
		l.fail(fmt.Errorf("model: %s: keys of %d and values of %d dimensions, want the same", l.f.Name, headDim, v))
	}
	return heads, kvHeads, headDim
}

// rotary reads how many leading dimensions of a head turn with its position.
func (l *weights) rotary(name string, headDim int) int {
	n := l.dimOr(name, headDim)
	if n > headDim {
		l.fail(fmt.Errorf("model: %s: %d rotary dimensions of a head of %d", l.f.Name, n, headDim))
	}
	return min(n, headDim)
}

// same is n times v.
func same(n, v int) []int { return slices.Repeat([]int{v}, n) }

// softcap bends logits to stay within ±c.
func softcap(x []float32, c float32) {
	for i, v := range x {
		x[i] = c * float32(math.Tanh(float64(v/c)))
	}
}
