package nn

import (
	"math"
	"testing"

	"github.com/handscroll/handscroll/internal/kernel"
)

// gradCheck holds what a layer's backward must agree with: a scalar loss and,
// for each vector it depends on, the gradient that backward gave.
type gradCheck struct {
	lt   *layerTest
	loss func() float64
}

// check compares got, the gradient of the loss in x, with central differences,
// element by element. Dimensions are small, so that single precision suffices.
func (c *gradCheck) check(t *testing.T, name string, x, got []float32) {
	t.Helper()
	if len(x) != len(got) {
		t.Fatalf("%s: %d values, %d gradients", name, len(x), len(got))
	}
	want, scale := make([]float64, len(x)), 0.0
	for i := range x {
		at := func(h float32) float64 {
			v := x[i]
			x[i] = v + h
			for _, m := range c.lt.mat {
				m.Refresh(c.lt.ps.Data, true)
			}
			l := c.loss()
			x[i] = v
			return l
		}
		// Richardson's extrapolation takes the error of order h² away.
		const h = 0.02
		wide, narrow := (at(2*h)-at(-2*h))/(4*h), (at(h)-at(-h))/(2*h)
		want[i] = narrow + (narrow-wide)/3
		scale = max(scale, math.Abs(want[i]))
	}
	for _, m := range c.lt.mat {
		m.Refresh(c.lt.ps.Data, true)
	}
	if scale == 0 {
		t.Errorf("%s: the loss does not depend on it", name)
	}
	for i := range x {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= 2e-3*scale+1e-4) {
			t.Fatalf("%s[%d]: gradient %g, differences %g", name, i, got[i], want[i])
		}
	}
}

// params checks every trained parameter against the flat gradient g.
func (c *gradCheck) params(t *testing.T, g []float32) {
	t.Helper()
	for _, p := range c.lt.ps.List {
		if p.Class != ClassState {
			c.check(t, p.Name, p.Of(c.lt.ps.Data), p.Of(g))
		}
	}
}

// weighted is Σ c·y in float64: a loss whose gradient in y is c.
func weighted(c, y []float32) float64 {
	s := 0.0
	for i, v := range y {
		s += float64(c[i]) * float64(v)
	}
	return s
}

// twoSegments are 11 tokens in two segments.
func twoSegments() *Tokens { return &Tokens{T: 11, Spans: []Span{{0, 7, 0}, {7, 11, 0}}} }

func TestEmbeddingGradient(t *testing.T) {
	lt := newLayerTest()
	l := NewEmbedding(&lt.ps, "embd", 6, 5)
	w, ids := lt.ready(), []int32{3, 0, 3, 5, 1, 2, 4}
	c, x, g := random(lt.r, len(ids)*5), make([]float32, len(ids)*5), make([]float32, len(w))
	gc := &gradCheck{lt, func() float64 { l.Forward(w, x, ids); return weighted(c, x) }}
	l.Backward(g, c, ids)
	gc.params(t, g)
}

func TestMatrixGradient(t *testing.T) {
	lt := newLayerTest()
	const n, in, out = 5, 7, 9
	m := NewMatrix(lt.ps.Add("w", ClassMatrix, Normal(1), out, in), 0, F32)
	lt.add(m)
	w := lt.ready()
	x, c, y := random(lt.r, n*in), random(lt.r, n*out), make([]float32, n*out)
	gc := &gradCheck{lt, func() float64 { m.Mul(&lt.s, y, x, n, false); return weighted(c, y) }}
	dx, g := make([]float32, n*in), make([]float32, len(w))
	m.MulT(&lt.s, dx, c, n, false)
	m.Grad(&lt.s, g, c, x, n)
	gc.check(t, "x", x, dx)
	gc.params(t, g)
}

// TestMatrixBF16 holds bfloat16 products to float32 ones: each operand is
// rounded by up to 2⁻⁸ of itself.
func TestMatrixBF16(t *testing.T) {
	lt := newLayerTest()
	const n, in, out = 6, 33, 17 // odd sizes are padded to pairs
	p := lt.ps.Add("w", ClassMatrix, Normal(1), out, in)
	exact, rounded := NewMatrix(p, 0, F32), NewMatrix(p, 0, BF16)
	lt.add(exact)
	lt.add(rounded)
	lt.ready()
	x, dy := random(lt.r, n*in), random(lt.r, n*out)
	for _, back := range []bool{false, true} {
		size := n * out
		mul := func(m *Matrix, dst []float32) { m.Mul(&lt.s, dst, x, n, false) }
		if back {
			size = n * in
			mul = func(m *Matrix, dst []float32) { m.MulT(&lt.s, dst, dy, n, false) }
		}
		a, b := make([]float32, size), make([]float32, size)
		mul(exact, a)
		mul(rounded, b)
		differ := false
		for i := range a {
			if d := math.Abs(float64(a[i] - b[i])); d > 0.1 {
				t.Fatalf("back %v: element %d is %g, in float32 %g", back, i, b[i], a[i])
			}
			differ = differ || a[i] != b[i]
		}
		if !differ {
			t.Errorf("back %v: nothing was rounded", back)
		}
	}
}

func TestRMSNormGradient(t *testing.T) {
	lt := newLayerTest()
	const n, d = 4, 6
	l := NewRMSNorm(&lt.ps, "norm", d)
	w := lt.ready()
	copy(l.Gain.Of(w), random(lt.r, d))
	x, c, y := random(lt.r, n*d), random(lt.r, n*d), make([]float32, n*d)
	gc := &gradCheck{lt, func() float64 { lt.s.Reset(); l.Forward(&lt.s, w, y, x); return weighted(c, y) }}
	gc.loss()
	inv := append([]float32(nil), l.Forward(&lt.s, w, y, x)...)
	dx, g := make([]float32, n*d), make([]float32, len(w))
	l.Backward(w, g, dx, c, x, inv)
	gc.check(t, "x", x, dx)
	gc.params(t, g)
}

func TestConvGradient(t *testing.T) {
	lt := newLayerTest()
	const d = 3
	l, tok := NewConv(&lt.ps, "conv", d, 4), twoSegments()
	w := lt.ready()
	x, c := random(lt.r, tok.T*d), random(lt.r, tok.T*d)
	gc := &gradCheck{lt, func() float64 {
		y := make([]float32, len(x))
		l.Forward(w, y, x, tok)
		return weighted(c, y)
	}}
	dx, g := make([]float32, len(x)), make([]float32, len(w))
	l.Backward(w, g, dx, c, x, tok)
	gc.check(t, "x", x, dx)
	gc.params(t, g)
}

// TestWindowGradient uses windows that are smaller than the segments: one that
// looks back, one ahead, one to both sides.
func TestWindowGradient(t *testing.T) {
	for _, size := range [][2]int{{4, 0}, {1, 3}, {2, 2}} {
		lt := newLayerTest()
		const d, heads = 8, 2
		l, tok := NewWindow(&lt.ps, "attn", d, heads, size[0], 0.3, F32, lt.add), twoSegments()
		l.Ahead = size[1]
		w := lt.ready()
		x, c := random(lt.r, tok.T*d), random(lt.r, tok.T*d)
		rope, act := NewRope(d/heads, 100), WindowAct{}
		gc := &gradCheck{lt, func() float64 {
			lt.s.Reset()
			lt.s.Keep = true
			rope.Prepare(&lt.s, tok)
			y := make([]float32, len(x))
			l.Forward(&lt.s, y, x, tok, &act)
			return weighted(c, y)
		}}
		gc.loss()
		dx, g := make([]float32, len(x)), make([]float32, len(w))
		l.Backward(&lt.s, g, dx, c, x, tok, &act)
		gc.check(t, "x", x, dx)
		gc.params(t, g)
	}
}

func TestKeyValueGradient(t *testing.T) {
	lt := newLayerTest()
	const d, dk, dv = 5, 4, 3
	l, tok := NewKeyValue(&lt.ps, d, dk, dv, 4, F32, lt.add), twoSegments()
	w := lt.ready()
	z, ck, cv := random(lt.r, tok.T*d), random(lt.r, tok.T*dk), random(lt.r, tok.T*dv)
	k, v, act := make([]float32, len(ck)), make([]float32, len(cv)), KeyValueAct{}
	gc := &gradCheck{lt, func() float64 {
		lt.s.Reset()
		l.Forward(&lt.s, k, v, z, tok, &act)
		return weighted(ck, k) + weighted(cv, v)
	}}
	gc.loss()
	for p := range tok.T {
		if n := kernel.SumSquares(k[p*dk : (p+1)*dk]); math.Abs(float64(n)-1) > 1e-4 {
			t.Errorf("key %d has squared length %g", p, n)
		}
	}
	dz, g := make([]float32, len(z)), make([]float32, len(w))
	l.Backward(&lt.s, g, dz, append([]float32(nil), ck...), cv, tok, &act)
	gc.check(t, "z", z, dz)
	gc.params(t, g)
}

// TestCrossGradient has rows that see all entries, some and none, a row with a
// continuation bonus, and losses on the pointer head's probabilities.
func TestCrossGradient(t *testing.T) {
	lt := newLayerTest()
	const d, heads, dk, dv, n, r = 6, 2, 4, 3, 7, 4
	l := NewCross(&lt.ps, "attn", d, heads, dk, dv, F32, lt.add)
	w := lt.ready()
	copy(l.Temp.Of(w), []float32{-0.5, -0.9}) // soft, so that nothing saturates
	copy(l.Follow.Of(w), random(lt.r, d))
	rows := &Rows{Token: make([]int32, r), Limit: []int32{7, 4, 0, 7}, Prev: []int32{2, 3, -1, -1}}
	x, c := random(lt.r, r*d), random(lt.r, r*d)
	k, v := random(lt.r, n*dk), random(lt.r, n*dv)
	ptr := make([]PointerGrad, r)
	ptr[0] = PointerGrad{Pos: []int32{1, 3}, Val: -0.7, Sink: 0.4}
	ptr[1] = PointerGrad{Aux: 0.5, Source: 2}
	ptr[2] = PointerGrad{Sink: 0.3}
	ptr[3] = PointerGrad{Pos: []int32{6}, Val: 0.2, Aux: 0.8, Source: n}
	var act CrossAct
	gc := &gradCheck{lt, func() float64 {
		lt.s.Reset()
		y := make([]float32, r*d)
		l.Forward(&lt.s, w, y, x, k, v, n, rows, &act)
		loss := weighted(c, y)
		for i, pg := range ptr {
			p := act.Pointer(i, heads)
			for _, at := range pg.Pos {
				loss += float64(pg.Val) * float64(p[at])
			}
			loss += float64(pg.Sink) * float64(p[n])
			if pg.Aux != 0 {
				loss -= float64(pg.Aux) * math.Log(float64(p[pg.Source]))
			}
		}
		return loss
	}}
	gc.loss()
	for i := range r {
		for _, p := range act.Pointer(i, heads)[rows.Limit[i]:n] {
			if p != 0 {
				t.Errorf("row %d attends beyond its limit", i)
			}
		}
	}
	dx, dk_, dv_, g := make([]float32, len(x)), make([]float32, len(k)), make([]float32, len(v)), make([]float32, len(w))
	l.Backward(&lt.s, w, g, dx, dk_, dv_, c, x, k, v, n, rows, &act, ptr)
	gc.check(t, "x", x, dx)
	gc.check(t, "k", k, dk_)
	gc.check(t, "v", v, dv_)
	gc.params(t, g)
}

func TestGatedGradient(t *testing.T) {
	lt := newLayerTest()
	const n, d, hidden = 5, 4, 6
	l := NewGated(&lt.ps, "ffn", d, hidden, F32, lt.add)
	w := lt.ready()
	x, c, act := random(lt.r, n*d), random(lt.r, n*d), GatedAct{}
	gc := &gradCheck{lt, func() float64 {
		lt.s.Reset()
		y := make([]float32, n*d)
		l.Forward(&lt.s, y, x, n, &act, true)
		return weighted(c, y)
	}}
	gc.loss()
	dx, g := make([]float32, n*d), make([]float32, len(w))
	l.Backward(&lt.s, g, dx, c, x, n, &act, true)
	gc.check(t, "x", x, dx)
	gc.params(t, g)
}

// TestMoEGradient includes the routers' losses, in which each expert's load is
// a constant, and a selection bias that changes the choice but no weight.
func TestMoEGradient(t *testing.T) {
	lt := newLayerTest()
	const n, d, hidden, e, k = 6, 4, 3, 4, 2
	router := TopK{K: k, Balance: 0.3, ZLoss: 0.2}
	l := NewMoE(&lt.ps, "ffn", d, hidden, e, router, F32, lt.add)
	w := lt.ready()
	// Far from ties, or a difference would cross a change of expert.
	kernel.Scale(w[:e*d], 50)
	copy(l.Bias.Of(w), []float32{0, 0.3, -0.3, 0})
	for _, m := range lt.mat {
		m.Refresh(w, true)
	}
	x, c, act := random(lt.r, n*d), random(lt.r, n*d), MoEAct{}
	var chosen []int32
	gc := &gradCheck{lt, func() float64 {
		lt.s.Reset()
		lt.s.Keep = true
		y := make([]float32, n*d)
		l.Forward(&lt.s, w, y, x, n, &act)
		for i, e := range act.Routing.Expert {
			if chosen != nil && chosen[i] != e {
				t.Fatal("a difference changes the choice of experts: the test's weights are too near a tie")
			}
		}
		return weighted(c, y) + router.Loss(&act.Routing)
	}}
	gc.loss()
	chosen = append(chosen, act.Routing.Expert...)
	dx, g := make([]float32, n*d), make([]float32, len(w))
	l.Backward(&lt.s, g, dx, c, x, &act)
	gc.check(t, "x", x, dx)
	for _, p := range lt.ps.List {
		if p.Class != ClassState {
			gc.check(t, p.Name, p.Of(w), p.Of(g))
		}
	}
	for _, v := range l.Bias.Of(g) {
		if v != 0 {
			t.Errorf("the selection bias has a gradient, %g", v)
		}
	}
}

// TestPointerGradient checks the cross-entropy of the mixture: in its input,
// in its parameters, and in the attention it copies with.
func TestPointerGradient(t *testing.T) {
	lt := newLayerTest()
	const d, vocab, heads, n, r = 5, 9, 2, 8, 4
	l := NewPointer(&lt.ps, d, vocab, F32, lt.add)
	w := lt.ready()
	copy(l.Gate.Of(w), random(lt.r, d))
	l.GateBias.Of(w)[0] = 0.2
	kernel.Scale(w[:vocab*d], 30)
	for _, m := range lt.mat {
		m.Refresh(w, true)
	}
	ids := []int32{1, 4, 4, 7, 0, 8, 4, 2}
	rows := &Rows{
		Token: make([]int32, r), Limit: []int32{8, 5, 8, 8}, Prev: []int32{-1, -1, -1, -1},
		Target: []int32{4, 4, 3, 7}, Source: []int32{2, -1, SinkSource, 3}, // 3 stands nowhere
		Weight: []float32{1, 0.5, 0.8, 0.3}, Aux: []float32{0.4, 0.4, 0.4, 0.4},
	}
	act := &CrossAct{LD: n + 1, P: make([]float32, r*heads*(n+1))}
	for i := range r * heads {
		p := act.P[i*(n+1) : (i+1)*(n+1)]
		copy(p, random(lt.r, n+1))
		for c := int(rows.Limit[i/heads]); c < n; c++ {
			p[c] = negInf
		}
		kernel.Softmax(p, 1)
	}
	x := random(lt.r, r*d)
	lt.s.Reset()
	occ := NewOccurrences(&lt.s, ids, vocab)
	run := func(g, dx []float32, grad bool) ([]RowLoss, []PointerGrad) {
		return l.Loss(&lt.s, w, g, dx, x, ids, rows, act, heads, occ, grad)
	}
	gc := &gradCheck{lt, func() float64 {
		losses, _ := run(nil, nil, false)
		sum := 0.0
		for i, lo := range losses {
			sum += float64(rows.Weight[i]) * float64(lo.NLL)
		}
		return sum
	}}
	dx, g := make([]float32, r*d), make([]float32, len(w))
	losses, ptr := run(g, dx, true)
	gc.check(t, "x", x, dx)
	gc.params(t, g)
	for i := range r {
		alpha, got := act.Pointer(i, heads), make([]float32, n+1)
		for _, p := range ptr[i].Pos {
			got[p] += ptr[i].Val
		}
		got[n] = ptr[i].Sink
		gc.check(t, "attention", alpha, got)
		switch src := rows.Source[i]; {
		case src == -1:
			if losses[i].Aux != 0 || ptr[i].Aux != 0 {
				t.Errorf("row %d has no source, yet a pointer's loss", i)
			}
		default:
			if src == SinkSource {
				src = n
			}
			if want := -math.Log(float64(alpha[src])); math.Abs(float64(losses[i].Aux)-want) > 1e-4 || ptr[i].Source != src {
				t.Errorf("row %d: the pointer's loss is %g on %d, want %g on %d", i, losses[i].Aux, ptr[i].Source, want, src)
			}
		}
	}
}

// TestPointerRight checks which of copy and generator counts as the answer.
func TestPointerRight(t *testing.T) {
	lt := newLayerTest()
	const d, vocab, n = 3, 4, 3
	l := NewPointer(&lt.ps, d, vocab, F32, lt.add)
	w := lt.ready()
	ids, x := []int32{2, 1, 2}, []float32{1, 0, 0}
	for y := range vocab {
		w[y*d] = float32(y) // the generator prefers 3
	}
	for _, m := range lt.mat {
		m.Refresh(w, true)
	}
	occ := NewOccurrences(&lt.s, ids, vocab)
	for _, c := range []struct {
		bias   float32 // of the gate: copy or generate
		target int32
		right  bool
	}{{9, 1, true}, {9, 3, false}, {-9, 3, true}, {-9, 1, false}} {
		l.GateBias.Of(w)[0] = c.bias
		act := &CrossAct{LD: n + 1, P: []float32{0.1, 0.8, 0.05, 0.05}} // points at 1
		rows := &Rows{Token: []int32{0}, Limit: []int32{n}, Prev: []int32{-1}, Target: []int32{c.target}, Source: []int32{1}}
		losses, _ := l.Loss(&lt.s, w, nil, nil, x, ids, rows, act, 1, occ, false)
		if losses[0].Right != c.right || !losses[0].Pointed {
			t.Errorf("gate %g, target %d: right is %v, want %v; pointed is %v", c.bias, c.target, losses[0].Right, c.right, losses[0].Pointed)
		}
	}
}
