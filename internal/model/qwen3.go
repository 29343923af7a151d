package model

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/nn"
)

// loadQwen3 reads Qwen3 (arXiv 2505.09388), dense and with experts: queries and
// keys are normalised a head.
func loadQwen3(l *weights, m *Transformer) forwarder {
	d, eps := m.Width, l.float("attention.layer_norm_rms_epsilon")
	heads, kvHeads, headDim := l.heads(d)
	a := &preNorm{m: m, rope: l.rope(headDim, l.floatOr("rope.freq_base", 1e6))}
	for i := range m.Layers {
		b := fmt.Sprintf("blk.%d.", i)
		x := preNormBlock{normAttn: l.norm(b+"attn_norm", d, eps), normFF: l.norm(b+"ffn_norm", d, eps)}
		x.attn = l.attention(b, d, heads, kvHeads, headDim)
		x.attn.QNorm, x.attn.KNorm = l.norm(b+"attn_q_norm", headDim, eps), l.norm(b+"attn_k_norm", headDim, eps)
		if m.Experts > 0 {
			x.ff.MoE = l.experts(b+"ffn", d, l.dim("expert_feed_forward_length"), m.Experts, m.TopK, nn.SiLU)
		} else {
			x.ff.Dense = l.gated(b+"ffn", d, l.dim("feed_forward_length"), nn.SiLU)
		}
		a.blocks = append(a.blocks, x)
	}
	m.normOut = l.norm("output_norm", d, eps)
	m.kv = a.cacheShapes()
	return a
}
