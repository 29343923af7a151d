package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
)

// weights reads the hyper-parameters and tensors of an open-weights file. It
// collects errors, so that a loader can be read from top to bottom: until load
// returns nil, what it gave is not to be used.
type weights struct {
	f       *gguf.File
	arch    string
	outline bool // sizes only: matrices are left where they are
	params  nn.Params
	laid    []*nn.Blocks // weights that products are made of, but experts
	moes    []*nn.MoE
	errs    []error
}

func (l *weights) fail(err error) {
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

// key is a metadata key of the architecture.
func (l *weights) key(name string) string { return l.arch + "." + name }

// maxDim bounds every size of a file; products of a few stay in an int64.
const maxDim = 1 << 24

// dim returns a size from 1 to maxDim.
func (l *weights) dim(name string) int {
	v, err := l.f.Meta.Uint32(l.key(name))
	l.fail(err)
	if err == nil && (v < 1 || v > maxDim) {
		l.fail(fmt.Errorf("model: %s is %d, want 1 to %d", l.key(name), v, maxDim))
	}
	return min(max(int(v), 1), maxDim) // sane also after a failure
}

// dimOr returns a size, or a default for one that is not given.
func (l *weights) dimOr(name string, otherwise int) int {
	if !l.f.Meta.Has(l.key(name)) {
		return otherwise
	}
	return l.dim(name)
}

// countOr is dimOr that also takes 0.
func (l *weights) countOr(name string, otherwise int) int {
	if v, err := l.f.Meta.Uint32(l.key(name)); err == nil && v == 0 {
		return 0
	}
	return l.dimOr(name, otherwise)
}

// float returns a finite number.
func (l *weights) float(name string) float64 {
	v, err := l.f.Meta.Float32(l.key(name))
	if err == nil && v-v != 0 {
		err = fmt.Errorf("model: %s is %g, want a finite number", l.key(name), v)
	}
	l.fail(err)
	return float64(v)
}

// floatOr returns a number, or a default for one that is not given.
func (l *weights) floatOr(name string, otherwise float64) float64 {
	if !l.f.Meta.Has(l.key(name)) {
		return otherwise
	}
	return l.float(name)
}

// has says whether the file has a tensor.
func (l *weights) has(name string) bool { return l.f.Has(name) }

// tensor returns a tensor of the given shape.
func (l *weights) tensor(name string, shape ...int) *gguf.Tensor {
	t, err := l.f.Tensor(name)
	if err == nil && !slices.Equal(t.Shape, shape) {
		err = fmt.Errorf("model: %s: tensor %q has shape %v, want %v", l.f.Name, name, t.Shape, shape)
	}
	if err != nil {
		l.fail(err)
		return nil
	}
	return t
}

// product makes a weight that products are made of: see Lay.
func (l *weights) product(w *nn.Blocks) *nn.Blocks {
	l.laid = append(l.laid, w)
	return w
}

// matrix returns name.weight [out, in], with name.bias [out] where there is one.
func (l *weights) matrix(name string, out, in int) nn.Weight {
	w := l.product(l.blocks(in, l.tensor(name+".weight", out, in)))
	if !l.has(name + ".bias") {
		return w
	}
	return &nn.Biased{Weight: w, Bias: l.floats(l.tensor(name+".bias", out))}
}

// optional is matrix, or nil where the file has none.
func (l *weights) optional(name string, out, in int) nn.Weight {
	if !l.has(name + ".weight") {
		return nil
	}
	return l.matrix(name, out, in)
}

// blocks makes a weight of the rows of tensors, one after the other.
func (l *weights) blocks(in int, tensors ...*gguf.Tensor) *nn.Blocks {
	w := &nn.Blocks{In: in}
	for _, t := range tensors {
		if t != nil {
			l.append(w, t, t.Data)
		}
	}
	return w
}

func (l *weights) append(w *nn.Blocks, t *gguf.Tensor, data []byte) {
	if err := w.Append(t.Type, data); err != nil {
		l.fail(fmt.Errorf("model: %s: tensor %q: %w", l.f.Name, t.Name, err))
	}
}

// floats decodes a tensor.
func (l *weights) floats(t *gguf.Tensor) []float32 {
	if t == nil {
		return nil
	}
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	x := make([]float32, n)
	l.fail(nn.LoadTensor(l.f, t.Name, x))
	return x
}

// vector declares a tensor [n] to be held as floats.
func (l *weights) vector(name string, n int) *nn.Param {
	l.tensor(name, n)
	return l.params.Add(name, nn.ClassVector, nil, n)
}

// vectorIf is vector, or nil where the file has none.
func (l *weights) vectorIf(name string, n int) *nn.Param {
	if !l.has(name) {
		return nil
	}
	return l.vector(name, n)
}

// norm declares name.weight [n] as an RMS norm.
func (l *weights) norm(name string, n int, eps float64) *nn.RMSNorm {
	return &nn.RMSNorm{D: n, Gain: l.vector(name+".weight", n), Eps: float32(eps)}
}

// layerNorm declares name.weight and name.bias [n].
func (l *weights) layerNorm(name string, n int, eps float64) *nn.LayerNorm {
	return &nn.LayerNorm{D: n, Gain: l.vector(name+".weight", n), Bias: l.vector(name+".bias", n), Eps: float32(eps)}
}

// interleaved returns a projection to heads whose rotary pairs are neighbours in
// the file, with the first rotary rows of each head put in halves. Queries and
// keys are turned alike, so that their products stay what they were.
func (l *weights) interleaved(name string, heads, headDim, rotary, in int) nn.Weight {
	t := l.tensor(name+".weight", heads*headDim, in)
	if t == nil || rotary%2 != 0 { // rope refuses odd ones
		return nil
	}
	data := t.Data
	if !l.outline {
		data = inHalves(t, heads, headDim, rotary, in)
	}
	w := l.product(&nn.Blocks{In: in})
	l.append(w, t, data)
	if l.has(name + ".bias") {
		l.fail(fmt.Errorf("model: %s: tensor %q: a bias of interleaved heads is not supported", l.f.Name, name+".bias"))
	}
	return w
}

// inHalves returns the data of a projection to heads with the first rotary rows of
// each head, of which neighbours are pairs, put in halves.
func inHalves(t *gguf.Tensor, heads, headDim, rotary, in int) []byte {
	elements, size, _ := t.Type.Block()
	row := in / elements * size
	data := make([]byte, 0, len(t.Data))
	for h := range heads {
		for i := range headDim {
			from := i
			if i < rotary/2 {
				from = 2 * i
			} else if i < rotary {
				from = 2*(i-rotary/2) + 1
			}
			at := (h*headDim + from) * row
			data = append(data, t.Data[at:at+row]...)
		}
	}
	return data
}

// attention returns the projections that are named attn_q, attn_k, attn_v and
// attn_output after a block's prefix.
func (l *weights) attention(block string, d, heads, kvHeads, headDim int) *nn.Attention {
	return &nn.Attention{
		D: d, Heads: heads, KVHeads: kvHeads, HeadDim: headDim,
		Q: l.matrix(block+"attn_q", heads*headDim, d), K: l.matrix(block+"attn_k", kvHeads*headDim, d),
		V: l.matrix(block+"attn_v", kvHeads*headDim, d), Out: l.matrix(block+"attn_output", d, heads*headDim),
	}
}

// gated returns name_gate, name_up and name_down as a feed-forward.
func (l *weights) gated(name string, d, hidden int, act nn.Activation) *nn.Gated {
	gu := l.product(l.blocks(d, l.tensor(name+"_gate.weight", hidden, d), l.tensor(name+"_up.weight", hidden, d)))
	return &nn.Gated{D: d, Hidden: hidden, GateUp: gu, Down: l.matrix(name+"_down", d, hidden), Act: act}
}

// experts returns a sparse feed-forward of tensors named name_gate_inp,
// name_gate_exps, name_up_exps and name_down_exps, or name_gate_up_exps for both.
func (l *weights) experts(name string, d, hidden, experts, topK int, act nn.Activation) *nn.MoE {
	m := &nn.MoE{D: d, Hidden: hidden, Router: nn.TopK{K: topK}, Gate: l.matrix(name+"_gate_inp", experts, d)}
	if topK > experts {
		l.fail(fmt.Errorf("model: %s: %d experts a token of %d", l.f.Name, topK, experts))
	}
	var inner []*gguf.Tensor // [E, rows, D]
	if l.has(name + "_gate_up_exps.weight") {
		inner = append(inner, l.tensor(name+"_gate_up_exps.weight", experts, 2*hidden, d))
	} else {
		inner = append(inner, l.tensor(name+"_gate_exps.weight", experts, hidden, d), l.tensor(name+"_up_exps.weight", experts, hidden, d))
	}
	down := l.tensor(name+"_down_exps.weight", experts, d, hidden)
	if down == nil || slices.Contains(inner, nil) {
		return m
	}
	var innerBias, downBias []float32
	if l.has(name + "_gate_exps.bias") {
		gate, up := l.floats(l.tensor(name+"_gate_exps.bias", experts, hidden)), l.floats(l.tensor(name+"_up_exps.bias", experts, hidden))
		downBias = l.floats(l.tensor(name+"_down_exps.bias", experts, d))
		if len(gate) != experts*hidden || len(up) != len(gate) || len(downBias) != experts*d {
			return m
		}
		for e := range experts {
			innerBias = append(append(innerBias, gate[e*hidden:(e+1)*hidden]...), up[e*hidden:(e+1)*hidden]...)
		}
	}
	for e := range experts {
		x := &nn.Gated{D: d, Hidden: hidden, Act: act}
		gu, dn := &nn.Blocks{In: d}, &nn.Blocks{In: hidden}
		for _, t := range inner {
			n := len(t.Data) / experts
			l.append(gu, t, t.Data[e*n:(e+1)*n])
		}
		n := len(down.Data) / experts
		l.append(dn, down, down.Data[e*n:(e+1)*n])
		x.GateUp, x.Down = gu, dn
		if innerBias != nil {
			x.GateUp = &nn.Biased{Weight: gu, Bias: innerBias[e*2*hidden : (e+1)*2*hidden]}
			x.Down = &nn.Biased{Weight: dn, Bias: downBias[e*d : (e+1)*d]}
		}
		m.Experts = append(m.Experts, x)
	}
	l.moes = append(l.moes, m)
	return m
}

// rope returns the rotary table of heads, scaled as the metadata and the tensors say
// that frequencies are divided by.
func (l *weights) rope(dim int, base float64) *nn.Rope {
	for _, name := range []string{"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"} {
		if !l.has(name) {
			continue
		}
		r := l.ropeTable(dim, base, l.floats(l.tensor(name, dim/2)))
		const long = "rope_factors_long.weight"
		if original := l.dimOr("rope.scaling.original_context_length", maxDim); r != nil && name != long && l.has(long) {
			r.Longer(original, l.ropeTable(dim, base, l.floats(l.tensor(long, dim/2))))
		}
		return r
	}
	return l.ropeTable(dim, base, nil)
}

// ropeTable returns a rotary table with frequencies over divisors [dim/2], which may
// be nil.
func (l *weights) ropeTable(dim int, base float64, divisors []float32) *nn.Rope {
	sc := nn.RopeScaling{}
	if kind, err := l.f.Meta.String(l.key("rope.scaling.type")); err == nil {
		sc.Factor = l.floatOr("rope.scaling.factor", 1)
		switch kind {
		case "none":
			sc.Factor = 1
		case "linear":
		case "yarn":
			sc.Yarn = true
			sc.Original = l.dimOr("rope.scaling.original_context_length", l.dim("context_length"))
			sc.Fast, sc.Slow = l.floatOr("rope.scaling.yarn_beta_fast", 0), l.floatOr("rope.scaling.yarn_beta_slow", 0)
		case "longrope":
			sc.Factor = 1
		default:
			l.fail(fmt.Errorf("model: %s: rope.scaling.type is %q, want none, linear, yarn or longrope", l.f.Name, kind))
		}
		sc.Gain = l.floatOr("rope.scaling.attn_factor", 0)
	}
	for i, d := range divisors {
		if !(d > 0) {
			l.fail(fmt.Errorf("model: %s: divisor %d of rotary frequencies is %g, want more than 0", l.f.Name, i, d))
		}
		sc.Divisors = append(sc.Divisors, float64(d))
	}
	if dim%2 != 0 || !(base > 1) {
		l.fail(fmt.Errorf("model: %s: rotary positions of %d dimensions with base %g, want an even number and more than 1", l.f.Name, dim, base))
		return nil
	}
	return nn.NewScaledRope(sc, dim, base)
}

// load takes memory for the declared vectors and decodes them. It returns all
// errors so far.
func (l *weights) load() error {
	if len(l.errs) > 0 {
		return errors.Join(l.errs...)
	}
	l.params.Alloc()
	for _, p := range l.params.List {
		if err := nn.LoadTensor(l.f, p.Name, p.Of(l.params.Data)); err != nil {
			return err
		}
	}
	return nil
}

// storedAs is the type of most of the weights, for display.
func storedAs(f *gguf.File) tensor.DType {
	bytes := map[tensor.DType]int{}
	var best tensor.DType
	for _, t := range f.Tensors {
		bytes[t.Type] += len(t.Data)
		if bytes[t.Type] > bytes[best] {
			best = t.Type
		}
	}
	return best
}
