package model

import (
	"fmt"
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// gemma4 is the architecture of Gemma 4: most layers see a window, the others
// all; the last layers read the keys and values of earlier ones; norms stand
// before and after every part. Small models add an embedding a layer; sparse
// ones have experts beside the dense feed-forward.
type gemma4 struct {
	m                *Transformer
	window, global   *nn.Rope
	blocks           []gemma4Block
	perLayer         int        // size of a layer's own embeddings, 0 without
	perLayerTable    *nn.Blocks // [Vocab, Layers·perLayer]
	perLayerProj     nn.Weight  // [Layers·perLayer, Width]
	perLayerProjNorm *nn.RMSNorm
}

type gemma4Block struct {
	normAttn, normFF, postAttn, postFF *nn.RMSNorm
	attn                               *nn.Attention
	source                             int // layer whose keys and values are read: its own, or an earlier one
	dense                              *nn.Gated

	moe                       *nn.MoE // beside dense, or nil
	gateScale                 *nn.Param
	preMoE, postDense, postMo *nn.RMSNorm

	gate, proj nn.Weight // of the layer's own embeddings, or nil
	postOwn    *nn.RMSNorm
	scale      *nn.Param // [1] of the block's output, or nil
}

func loadGemma4(l *weights, m *Transformer) forwarder {
	d, eps := m.Width, l.float("attention.layer_norm_rms_epsilon")
	pattern := l.windowPattern(m.Layers)
	heads := l.perLayer("attention.head_count", m.Layers)
	kvHeads := l.perLayer("attention.head_count_kv", m.Layers)
	hidden := l.perLayer("feed_forward_length", m.Layers)
	headDim := l.dim("attention.key_length")
	headDimWindow := l.dimOr("attention.key_length_swa", headDim)
	rotary, rotaryWindow := l.rotary("rope.dimension_count", headDim), l.rotary("rope.dimension_count_swa", headDimWindow)
	if len(l.errs) > 0 {
		return nil
	}
	base := l.floatOr("rope.freq_base", 1e6)
	a := &gemma4{m: m, perLayer: l.countOr("embedding_length_per_layer_input", 0)}
	a.window = l.ropeTable(rotaryWindow, l.floatOr("rope.freq_base_swa", base), nil)
	a.global = l.rope(rotary, base)
	if a.perLayer > 0 {
		a.perLayerTable = l.blocks(m.Layers*a.perLayer, l.tensor("per_layer_token_embd.weight", m.Vocab, m.Layers*a.perLayer))
		a.perLayerProj = l.matrix("per_layer_model_proj", m.Layers*a.perLayer, d)
		a.perLayerProjNorm = l.norm("per_layer_proj_norm", a.perLayer, eps)
	}
	own := m.Layers - l.countOr("attention.shared_kv_layers", 0) // layers that have keys and values
	for i := range m.Layers {
		dim, size := headDim, 0
		if pattern[i] {
			dim, size = headDimWindow, l.dim("attention.sliding_window")
		}
		if heads[i]%kvHeads[i] != 0 {
			l.fail(fmt.Errorf("model: %s: layer %d: %d heads are no multiple of %d key-value heads", l.f.Name, i, heads[i], kvHeads[i]))
			return nil
		}
		b := a.block(l, i, eps, hidden[i])
		p := fmt.Sprintf("blk.%d.", i)
		b.attn = &nn.Attention{
			D: d, Heads: heads[i], KVHeads: kvHeads[i], HeadDim: dim, Window: size, Scale: 1, VUnit: true, Eps: float32(eps),
			Q: l.matrix(p+"attn_q", heads[i]*dim, d), Out: l.matrix(p+"attn_output", d, heads[i]*dim),
			QNorm: l.norm(p+"attn_q_norm", dim, eps),
		}
		b.source = i
		if width := kvHeads[i] * dim; i < own {
			b.attn.K, b.attn.V = l.matrix(p+"attn_k", width, d), l.optional(p+"attn_v", width, d)
			b.attn.KNorm = l.norm(p+"attn_k_norm", dim, eps)
		} else if b.source = lastOf(pattern[:max(own, 0)], pattern[i]); b.source < 0 || kvHeads[b.source] != kvHeads[i] {
			l.fail(fmt.Errorf("model: %s: layer %d has no earlier layer to share keys and values with", l.f.Name, i))
			return nil
		}
		shape := cacheShape(b.attn)
		if i >= own {
			shape.Heads = 0
		}
		m.kv = append(m.kv, shape)
		a.blocks = append(a.blocks, b)
	}
	m.normOut = l.norm("output_norm", d, eps)
	m.embedGain = float32(math.Sqrt(float64(d)))
	m.softcap = float32(l.floatOr("final_logit_softcapping", 0))
	return a
}

// block reads what stands around attention.
func (a *gemma4) block(l *weights, i int, eps float64, hidden int) gemma4Block {
	d, p := a.m.Width, fmt.Sprintf("blk.%d.", i)
	b := gemma4Block{
		normAttn: l.norm(p+"attn_norm", d, eps), postAttn: l.norm(p+"post_attention_norm", d, eps),
		normFF: l.norm(p+"ffn_norm", d, eps), postFF: l.norm(p+"post_ffw_norm", d, eps),
		dense: l.gated(p+"ffn", d, hidden, nn.GELU), scale: l.vectorIf(p+"layer_output_scale.weight", 1),
	}
	if a.m.Experts > 0 && l.has(p+"ffn_gate_inp.weight") {
		b.moe = l.experts(p+"ffn", d, l.dim("expert_feed_forward_length"), a.m.Experts, a.m.TopK, nn.GELU)
		b.moe.Scale = l.vectorIf(p+"ffn_down_exps.scale", a.m.Experts)
		b.gateScale = l.vector(p+"ffn_gate_inp.scale", d)
		b.preMoE, b.postDense, b.postMo = l.norm(p+"pre_ffw_norm_2", d, eps), l.norm(p+"post_ffw_norm_1", d, eps), l.norm(p+"post_ffw_norm_2", d, eps)
	}
	if a.perLayer > 0 {
		b.gate, b.proj = l.matrix(p+"inp_gate", a.perLayer, d), l.matrix(p+"proj", d, a.perLayer)
		b.postOwn = l.norm(p+"post_norm", d, eps)
	}
	return b
}

// lastOf returns the index of the last element that is v, or −1.
func lastOf(list []bool, v bool) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == v {
			return i
		}
	}
	return -1
}

func (a *gemma4) layers(in *batch, x []float32) {
	s, w, n := in.Scratch, a.m.params.Data, len(in.ids)
	window, global := in.tokens(a.window), in.tokens(a.global)
	own := a.ownEmbeddings(s, x, in.ids)
	h, y := s.Floats(len(x)), s.Floats(len(x))
	for i := range a.blocks {
		b := &a.blocks[i]
		mark := s.Mark()
		t := global
		if b.attn.Window > 0 {
			t = window
		}
		b.normAttn.Forward(s, w, h, x)
		clear(y)
		q := s.Floats(n * b.attn.Heads * b.attn.HeadDim)
		if b.source == i {
			width := b.attn.KVHeads * b.attn.HeadDim
			k, v := s.Floats(n*width), s.Floats(n*width)
			b.attn.All(s, w, q, k, v, h, t)
			in.keep(i, width, k, v)
		} else {
			b.attn.Queries(s, w, q, h, t)
		}
		b.attn.Forward(s, w, y, q, in.look(b.source), in.watched(i, b.attn, t))
		b.postAttn.Forward(s, w, y, y)
		kernel.Add(x, y)

		a.feedForward(s, b, y, h, x, n)
		b.postFF.Forward(s, w, y, y)
		kernel.Add(x, y)
		if own != nil {
			a.addOwn(s, b, x, h, own[i*n*a.perLayer:(i+1)*n*a.perLayer], n)
		}
		if b.scale != nil {
			kernel.Scale(x, b.scale.Of(w)[0])
		}
		s.Release(mark)
	}
}

func (a *gemma4) parts(i int) (*nn.Attention, int, *nn.MoE) {
	b := &a.blocks[i]
	return b.attn, b.dense.Hidden, b.moe
}

// nn.FeedForward writes to y the feed-forward of x: the dense one, and the experts
// beside it.
func (a *gemma4) feedForward(s *nn.Scratch, b *gemma4Block, y, h, x []float32, n int) {
	w, d := a.m.params.Data, a.m.Width
	b.normFF.Forward(s, w, h, x)
	b.dense.Forward(s, y, h, n, &nn.GatedAct{}, false)
	if b.moe == nil {
		return
	}
	b.postDense.Forward(s, w, y, y)
	// The router sees x at unit root mean square, over √d and scaled.
	g, z := s.Floats(len(x)), s.Zeros(len(x))
	scale := b.gateScale.Of(w)
	for i := range n {
		row, in := g[i*d:(i+1)*d], x[i*d:(i+1)*d]
		kernel.RMSNorm(row, in, scale, b.normFF.Eps)
	}
	kernel.Scale(g, float32(1/math.Sqrt(float64(d))))
	b.preMoE.Forward(s, w, h, x)
	b.moe.ForwardRouted(s, w, z, h, g, n, &nn.MoEAct{})
	b.postMo.Forward(s, w, z, z)
	kernel.Add(y, z)
}

// ownEmbeddings returns what each layer adds of its own embeddings of the
// tokens, [Layers, T, perLayer], or nil: half from a table, half projected from
// the tokens' common embeddings.
func (a *gemma4) ownEmbeddings(s *nn.Scratch, x []float32, ids []int32) []float32 {
	if a.perLayer == 0 {
		return nil
	}
	w, p, n := a.m.params.Data, a.perLayer, len(ids)
	all := a.m.Layers * p
	out := s.Floats(n * all)
	mark := s.Mark()
	proj, row := s.Floats(n*all), s.Floats(all)
	a.perLayerProj.Mul(s, proj, x, n, false)
	kernel.Scale(proj, float32(1/math.Sqrt(float64(a.m.Width))))
	a.perLayerProjNorm.Forward(s, w, proj, proj)
	for t, id := range ids {
		a.perLayerTable.Row(row, int(id))
		kernel.Scale(row, float32(math.Sqrt(float64(p))))
		kernel.Add(row, proj[t*all:(t+1)*all])
		kernel.Scale(row, float32(1/math.Sqrt2))
		for i := range a.m.Layers {
			copy(out[(i*n+t)*p:(i*n+t+1)*p], row[i*p:(i+1)*p])
		}
	}
	s.Release(mark)
	return out
}

// addOwn adds the layer's own embeddings [T, perLayer] to x, as much of them as x
// itself lets through.
func (a *gemma4) addOwn(s *nn.Scratch, b *gemma4Block, x, h, own []float32, n int) {
	g := s.Floats(n * a.perLayer)
	b.gate.Mul(s, g, x, n, false)
	nn.HalfGELU(g, g)
	kernel.Mul(g, g, own)
	b.proj.Mul(s, h, g, n, false)
	b.postOwn.Forward(s, a.m.params.Data, h, h)
	kernel.Add(x, h)
}

// windowPattern reads which layers see a window: a list, or every how many-th
// layer sees all.
func (l *weights) windowPattern(layers int) []bool {
	key := l.key("attention.sliding_window_pattern")
	if v, ok := l.f.Meta.Value(key).([]bool); ok && len(v) >= layers {
		return v[:layers]
	}
	every, err := l.f.Meta.Uint32(key)
	if err != nil || every == 0 {
		l.fail(fmt.Errorf("model: %s: %s is neither a number nor a list of %d booleans", l.f.Name, key, layers))
		every = 1
	}
	out := make([]bool, layers)
	for i := range out {
		out[i] = (i+1)%int(every) != 0
	}
	return out
}

// perLayer reads a size that is one for all layers or a list.
func (l *weights) perLayer(name string, layers int) []int {
	list, err := l.f.Meta.Ints(l.key(name))
	if err != nil {
		return same(layers, l.dim(name))
	}
	for i, v := range list {
		if v < 1 || v > maxDim {
			l.fail(fmt.Errorf("model: %s: %s: layer %d has %d, want 1 to %d", l.f.Name, l.key(name), i, v, maxDim))
			return same(layers, 1)
		}
	}
	if len(list) < layers {
		l.fail(fmt.Errorf("model: %s: %s has %d numbers for %d layers", l.f.Name, l.key(name), len(list), layers))
		return same(layers, 1)
	}
	return list[:layers]
}
