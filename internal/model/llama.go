package model

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/nn"
)

// loadLlama reads Llama (arXiv 2302.13971), Mistral and, with experts, Mixtral
// (arXiv 2401.04088).
func loadLlama(l *weights, m *Transformer) forwarder { return loadPreNormLlama(l, m) }

// loadPreNormLlama is loadLlama for architectures that build on it.
func loadPreNormLlama(l *weights, m *Transformer) *preNorm {
	d, eps := m.Width, l.float("attention.layer_norm_rms_epsilon")
	heads, kvHeads, headDim := l.heads(d)
	hidden := l.dim("feed_forward_length")
	rotary := l.rotary("rope.dimension_count", headDim)
	a := &preNorm{m: m, rope: l.rope(rotary, l.floatOr("rope.freq_base", 10000))}
	for i := range m.Layers {
		b := fmt.Sprintf("blk.%d.", i)
		x := preNormBlock{normAttn: l.norm(b+"attn_norm", d, eps), normFF: l.norm(b+"ffn_norm", d, eps)}
		x.attn = l.attention(b, d, heads, kvHeads, headDim)
		x.attn.Q, x.attn.K = l.interleaved(b+"attn_q", heads, headDim, rotary, d), l.interleaved(b+"attn_k", kvHeads, headDim, rotary, d)
		if m.Experts > 0 {
			x.ff.MoE = l.experts(b+"ffn", d, l.dimOr("expert_feed_forward_length", hidden), m.Experts, m.TopK, nn.SiLU)
		} else {
			x.ff.Dense = l.gated(b+"ffn", d, hidden, nn.SiLU)
		}
		a.blocks = append(a.blocks, x)
	}
	m.normOut = l.norm("output_norm", d, eps)
	m.kv = a.cacheShapes()
	return a
}
