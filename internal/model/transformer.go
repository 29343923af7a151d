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
	laid      []*nn.Blocks  // weights that products are made of, but experts
	moes      []*nn.MoE     // sparse feed-forwards
	kv        []kvcache.LayerShape
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
	// layers runs x [T, Width], the embeddings of the batch's ids, through all
	// layers in place, adding to its sequences.
	layers(b *batch, x []float32)
	// parts returns layer i's attention, the width of its dense feed-forward's hidden
	// layer or 0, and its experts or nil, for those who describe the model.
	parts(i int) (a *nn.Attention, dense int, moe *nn.MoE)
}

// batch is what one pass over the layers reads: pieces of sequences, one after the
// other.
type batch struct {
	*nn.Scratch
	layers int
	seqs   []*kvcache.Sequence
	ids    []int32
	spans  []nn.Span
	caches []nn.Cache  // of the layer at hand
	watch  [][]float32 // of each piece; nil if none is watched
}

// architectures are the loaders of GGUF architectures. A loader reads what is of
// the architecture; LoadTransformer does the rest.
var architectures = map[string]func(l *weights, m *Transformer) forwarder{
	"llama": loadLlama, "minicpm": loadMiniCPM, "qwen3moe": loadQwen3, "qwen3": loadQwen3,
	"gemma4": loadGemma4, "gpt-oss": loadGptOss, "phi2": loadPhi2,
}

// LoadTransformer reads a model of one of the supported architectures.
func LoadTransformer(f *gguf.File) (*Transformer, error) { return loadTransformer(f, false) }

func loadTransformer(f *gguf.File, outline bool) (*Transformer, error) {
	arch, err := f.Meta.String("general.architecture")
	if err != nil {
		return nil, err
	}
	load := architectures[arch]
	if load == nil {
		return nil, fmt.Errorf("model: %s: architecture %q is not supported; supported are %s", f.Name, arch,
			strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	l := &weights{f: f, arch: arch, outline: outline}
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
	m.params, m.laid, m.moes = l.params, l.laid, l.moes
	return m, nil
}

// LaidSize returns how many bytes Lay takes for all weights, and how many of them
// for experts.
func (m *Transformer) LaidSize() (all, experts int) {
	experts = nn.LaidSize(m.experts()...)
	return nn.LaidSize(m.laid...) + experts, experts
}

func (m *Transformer) experts() (out []*nn.Blocks) {
	for _, l := range m.moes {
		for _, e := range l.Experts {
			out = append(out, e.Blocks()...)
		}
	}
	return out
}

// Lay lays the weights out for fast products; without it, products are those that
// define the rest, with weights decoded anew each time. Quantised weights are then
// multiplied by activations rounded to int8. If they take more than budget bytes
// (0 is no bound), experts are laid out when they are needed, as many at a time as
// there is room for; Lay reports false if there is not even room for that.
func (m *Transformer) Lay(team *nn.Team, budget int, progress func(done, total int)) bool {
	all, experts := m.LaidSize()
	if budget <= 0 || all <= budget {
		nn.Lay(team, progress, append(m.experts(), m.laid...)...)
		return true
	}
	if nn.NewExpertCache(budget-(all-experts), m.moes...) == nil {
		return false
	}
	nn.Lay(team, progress, m.laid...)
	return true
}

const maxLayers = 1024

// NewSequence makes an empty sequence for the model, of up to limit tokens; 0 is
// what the model was trained on. It decides which rotary table a model with two of
// them uses.
func (m *Transformer) NewSequence(f kvcache.Format, limit int) *kvcache.Sequence {
	seq := kvcache.NewSequence(m.kv, f)
	if seq.Limit = limit; limit <= 0 {
		seq.Limit = m.Context
	}
	return seq
}

// SequenceBytes returns the memory of a sequence of n tokens.
func (m *Transformer) SequenceBytes(f kvcache.Format, n int) int {
	return kvcache.SequenceBytes(m.kv, f, n)
}

// Piece is what a pass reads of one sequence.
type Piece struct {
	Seq    *kvcache.Sequence
	IDs    []int32   // what comes after the tokens that Seq holds
	Logits []float32 // [n, Vocab]: receives the logits of the last n of them, or nil
	// Watch, if not nil and there is one id, has added to it, for each position up to
	// the id's own, the squares of what the heads of some layers in the middle give it.
	Watch []float32
	// Hidden, if not nil, [Width], has added to it the rows of the ids after the last
	// layer and its norm: what logits are made of.
	Hidden []float32
}

// Forward reads pieces of different sequences in one pass. What comes of a piece
// does not depend on the others. It fails on ids outside the vocabulary, before
// anything is read.
func (m *Transformer) Forward(s *nn.Scratch, pieces ...Piece) error {
	b := &batch{Scratch: s, layers: m.Layers}
	for _, p := range pieces {
		for i, id := range p.IDs {
			if id < 0 || int(id) >= m.Vocab {
				return fmt.Errorf("model: id %d of %d is %d, outside of the vocabulary of %d", i, len(p.IDs), id, m.Vocab)
			}
		}
		if len(p.Logits) > len(p.IDs)*m.Vocab {
			panic("model: more logits than ids")
		}
		b.seqs = append(b.seqs, p.Seq)
		if p.Watch != nil {
			b.watch = make([][]float32, len(pieces))
		}
		b.spans = append(b.spans, nn.Span{Start: len(b.ids), End: len(b.ids) + len(p.IDs), Pos: p.Seq.Len()})
		b.ids = append(b.ids, p.IDs...)
	}
	for i := range b.watch {
		b.watch[i] = pieces[i].Watch
	}
	s.Reset()
	s.Keep = false
	d := m.Width
	x := s.Floats(len(b.ids) * d)
	for i, id := range b.ids {
		m.embed.Row(x[i*d:(i+1)*d], int(id))
	}
	if m.embedGain != 0 {
		kernel.Scale(x, m.embedGain)
	}
	m.forward.layers(b, x)
	for _, p := range pieces {
		p.Seq.Advance(len(p.IDs))
	}
	m.hidden(s, b, pieces, x)
	m.logits(s, b, pieces, x)
	return nil
}

// hidden adds up the rows of pieces that ask for them.
func (m *Transformer) hidden(s *nn.Scratch, b *batch, pieces []Piece, x []float32) {
	d := m.Width
	for i, p := range pieces {
		if p.Hidden == nil {
			continue
		}
		rows := s.Floats(len(p.IDs) * d)
		copy(rows, x[b.spans[i].Start*d:b.spans[i].End*d])
		m.norm(s, rows)
		for t := range p.IDs {
			kernel.Add(p.Hidden, rows[t*d:(t+1)*d])
		}
	}
}

// norm is the norm after the last layer, in place.
func (m *Transformer) norm(s *nn.Scratch, rows []float32) {
	if m.normOutLN != nil {
		m.normOutLN.Forward(m.params.Data, rows, rows)
		return
	}
	m.normOut.Forward(s, m.params.Data, rows, rows)
}

// logits writes the logits that pieces ask for.
func (m *Transformer) logits(s *nn.Scratch, b *batch, pieces []Piece, x []float32) {
	d, rows := m.Width, 0
	for _, p := range pieces {
		rows += len(p.Logits) / m.Vocab
	}
	if rows == 0 {
		return
	}
	last, all := s.Floats(rows * d)[:0], s.Floats(rows*m.Vocab)
	for i, p := range pieces {
		end := b.spans[i].End
		last = append(last, x[(end-len(p.Logits)/m.Vocab)*d:end*d]...)
	}
	m.norm(s, last)
	m.out.Mul(s, all, last, rows, false)
	if m.outGain != 0 {
		kernel.Scale(all, m.outGain)
	}
	if m.softcap != 0 {
		softcap(all, m.softcap)
	}
	for _, p := range pieces {
		all = all[copy(p.Logits, all):]
	}
}

// tokens prepares the rotary angles of the batch's tokens.
func (b *batch) tokens(rope *nn.Rope) *nn.Tokens {
	t := &nn.Tokens{T: len(b.ids), Spans: b.spans}
	for _, seq := range b.seqs {
		t.Limits = append(t.Limits, seq.Limit)
	}
	rope.Prepare(b.Scratch, t)
	return t
}

// keep adds keys and values [T, KVHeads·HeadDim] to the sequences' layer.
func (b *batch) keep(layer, width int, k, v []float32) {
	for i, sp := range b.spans {
		b.seqs[i].Layer(layer).Append(k[sp.Start*width:sp.End*width], v[sp.Start*width:sp.End*width])
	}
}

// look returns what the sequences' layer keeps.
func (b *batch) look(layer int) []nn.Cache {
	b.caches = b.caches[:0]
	for _, seq := range b.seqs {
		b.caches = append(b.caches, seq.Layer(layer))
	}
	return b.caches
}

// attend adds to x the attention of its normalised rows h, whose keys and values
// join the sequences' layer.
func (b *batch) attend(w []float32, a *nn.Attention, layer int, x, h []float32, t *nn.Tokens) {
	mark := b.Mark()
	q, width := b.Floats(t.T*a.Heads*a.HeadDim), a.KVHeads*a.HeadDim
	k, v := b.Floats(t.T*width), b.Floats(t.T*width)
	a.All(b.Scratch, w, q, k, v, h, t)
	b.keep(layer, width, k, v)
	a.Forward(b.Scratch, w, x, q, b.look(layer), b.watched(layer, a, t))
	b.Release(mark)
}

// watched returns t, with what is watched if the layer is one of up to six in the
// middle of those that see everything.
func (b *batch) watched(layer int, a *nn.Attention, t *nn.Tokens) *nn.Tokens {
	layers := b.layers
	step := max(1, layers/12)
	if b.watch == nil || a.Window > 0 || layer < layers/3 || layer >= max(layers/3+1, 5*layers/6) || layer%step != 0 {
		return t
	}
	w := *t
	w.Watch = b.watch
	return &w
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
	ff               nn.FeedForward
}

func (a *preNorm) layers(in *batch, x []float32) {
	s, w, n := in.Scratch, a.m.params.Data, len(in.ids)
	t := in.tokens(a.rope)
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
		in.attend(w, b.attn, i, sum, h, t)
		add()
		b.normFF.Forward(s, w, h, x)
		if a.residual != 0 {
			clear(sum)
		}
		b.ff.Forward(s, w, sum, h, n, &nn.FeedForwardAct{})
		add()
		s.Release(mark)
	}
}

func (a *preNorm) parts(i int) (*nn.Attention, int, *nn.MoE) {
	b := &a.blocks[i]
	if b.ff.MoE != nil {
		return b.attn, 0, b.ff.MoE
	}
	return b.attn, b.ff.Dense.Hidden, nil
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

// cacheShapes says what each layer of a stack keeps.
func (a *preNorm) cacheShapes() (shapes []kvcache.LayerShape) {
	for i := range a.blocks {
		shapes = append(shapes, cacheShape(a.blocks[i].attn))
	}
	return shapes
}

func cacheShape(a *nn.Attention) kvcache.LayerShape {
	return kvcache.LayerShape{Heads: a.KVHeads, Dim: a.HeadDim, Window: a.Window}
}

// softcap bends logits to stay within ±c.
func softcap(x []float32, c float32) {
	for i, v := range x {
		x[i] = c * float32(math.Tanh(float64(v/c)))
	}
}
