package model

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/nn"
)

// phi2 is the architecture of Phi-2: attention and feed-forward side by side on
// one layer norm, a part of each head turned, biases everywhere.
type phi2 struct {
	m      *Transformer
	rope   *nn.Rope
	blocks []phi2Block
}

type phi2Block struct {
	norm *nn.LayerNorm
	attn *nn.Attention
	ff   *nn.MLP
}

func loadPhi2(l *weights, m *Transformer) forwarder {
	d, eps := m.Width, l.float("attention.layer_norm_epsilon")
	heads, kvHeads, headDim := l.heads(d)
	hidden, rotary := l.dim("feed_forward_length"), l.rotary("rope.dimension_count", headDim)
	a := &phi2{m: m, rope: l.rope(rotary, l.floatOr("rope.freq_base", 10000))}
	for i := range m.Layers {
		b := fmt.Sprintf("blk.%d.", i)
		a.blocks = append(a.blocks, phi2Block{
			norm: l.layerNorm(b+"attn_norm", d, eps),
			attn: l.attention(b, d, heads, kvHeads, headDim),
			ff:   &nn.MLP{Hidden: hidden, Up: l.matrix(b+"ffn_up", hidden, d), Down: l.matrix(b+"ffn_down", d, hidden)},
		})
		m.kv = append(m.kv, cacheShape(a.blocks[i].attn))
	}
	m.normOutLN = l.layerNorm("output_norm", d, eps)
	return a
}

func (a *phi2) layers(in *batch, x []float32) {
	s, w, n := in.Scratch, a.m.params.Data, len(in.ids)
	t := in.tokens(a.rope)
	h := s.Floats(len(x))
	for i := range a.blocks {
		b := &a.blocks[i]
		b.norm.Forward(w, h, x)
		in.attend(w, b.attn, i, x, h, t)
		b.ff.Forward(s, x, h, n)
	}
}

func (a *phi2) parts(i int) (*nn.Attention, int, *nn.MoE) {
	return a.blocks[i].attn, a.blocks[i].ff.Hidden, nil
}
