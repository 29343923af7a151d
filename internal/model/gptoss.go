package model

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/nn"
)

// loadGptOss reads gpt-oss (arXiv 2508.10925): experts with biases and a clamped
// SwiGLU, attention sinks, every other layer with a window.
func loadGptOss(l *weights, m *Transformer) forwarder {
	d, eps := m.Width, l.float("attention.layer_norm_rms_epsilon")
	heads, kvHeads, headDim := l.heads(d)
	window := l.dim("attention.sliding_window")
	a := &preNorm{m: m, rope: l.rope(headDim, l.floatOr("rope.freq_base", 150000))}
	for i := range m.Layers {
		b := fmt.Sprintf("blk.%d.", i)
		x := preNormBlock{normAttn: l.norm(b+"attn_norm", d, eps), normFF: l.norm(b+"post_attention_norm", d, eps)}
		x.attn = l.attention(b, d, heads, kvHeads, headDim)
		x.attn.Sinks = l.vector(b+"attn_sinks.weight", heads)
		if i%2 == 0 {
			x.attn.Window = window
		}
		x.ff.MoE = l.experts(b+"ffn", d, l.dim("expert_feed_forward_length"), m.Experts, m.TopK, nn.ClampedSwiGLU)
		a.blocks = append(a.blocks, x)
	}
	m.normOut = l.norm("output_norm", d, eps)
	m.kv = a.cacheShapes()
	return a
}
