package model

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
)

// Lead is how many tokens before a chunk its entries depend on.
func (m *Native) Lead() int { return m.Config.Lead() }

// Lookahead is how many tokens after a chunk its entries depend on.
func (m *Native) Lookahead() int { return m.Config.Reach() }

// EntryDims returns the sizes of a key and of a value.
func (m *Native) EntryDims() (dk, dv int) { return m.Config.KeyDim, m.Config.ValueDim }

// Prefill makes the cache entries of ids[lead : lead+dst.N]. The ids before
// are context, at least Lead of them or all since the segment's start; those
// after are the Lookahead next ones, fewer only at the segment's end. pos, a
// multiple of nn.Block, is the position of ids[0] in its segment.
//
// It panics on arguments that break these rules: they are the engine's error.
func (m *Native) Prefill(s *nn.Scratch, dst kvcache.Run, ids []int32, pos, lead int) {
	c := &m.Config
	if pos%nn.Block != 0 || lead < min(pos, m.Lead()) || lead+dst.N > len(ids) {
		panic(fmt.Sprintf("model: prefill of %d entries after %d of %d ids at position %d", dst.N, lead, len(ids), pos))
	}
	s.Reset()
	s.Keep = false
	t := &nn.Tokens{T: len(ids), Spans: []nn.Span{{Start: 0, End: len(ids), Pos: pos}}}
	x := m.selfDecoder(s, ids, t, make([]nn.SelfAct, len(m.layers)))
	k, v := m.entries(s, x, t, &entryAct{})
	q := make([]int8, c.KeyDim)
	for i := range dst.N {
		p := lead + i
		dst.KScale[i] = kernel.Quantize8(q, k[p*c.KeyDim:(p+1)*c.KeyDim])
		kernel.OffsetBinary(dst.K[i*c.KeyDim:(i+1)*c.KeyDim], q)
		dst.VScale[i] = kernel.Quantize8(dst.V[i*c.ValueDim:(i+1)*c.ValueDim], v[p*c.ValueDim:(p+1)*c.ValueDim])
		dst.ID[i] = uint32(ids[p])
	}
}
