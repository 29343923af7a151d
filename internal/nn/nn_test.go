package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/kernel"
)

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func closeTo(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tol*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d] = %g, want %g", what, i, got[i], want[i])
		}
	}
}

// matVec is y = W·x for a parameter [out, in].
func matVec(w []float32, out int, x []float32) []float32 {
	y := make([]float32, out)
	for o := range out {
		for i, v := range x {
			y[o] += w[o*len(x)+i] * v
		}
	}
	return y
}

type layerTest struct {
	ps  Params
	mat []*Matrix
	s   Scratch
	r   *rand.Rand
}

func newLayerTest() *layerTest { return &layerTest{r: rand.New(rand.NewPCG(1, 2))} }

func (lt *layerTest) add(m *Matrix) { lt.mat = append(lt.mat, m) }

func (lt *layerTest) ready() []float32 {
	lt.ps.Alloc()
	lt.ps.Reset(3)
	for _, m := range lt.mat {
		m.Refresh(lt.ps.Data, true)
	}
	return lt.ps.Data
}

// TestWindow compares windowed attention with its definition, token by token.
func TestWindow(t *testing.T) {
	testWindow(t, 70, 0)
	testWindow(t, 1, 32)
	testWindow(t, 5, 90)
}

func testWindow(t *testing.T, size, ahead int) {
	t.Helper()
	lt := newLayerTest()
	const d, heads, n = 24, 3, 300
	l := NewWindow(&lt.ps, "attn", d, heads, size, 0.3, F32, lt.add)
	l.Ahead = ahead
	w := lt.ready()
	x := random(lt.r, n*d)
	tok := &Tokens{T: n, Spans: []Span{{0, 130, 0}, {130, n, 0}}}
	rope := NewRope(d/heads, 500)
	rope.Prepare(&lt.s, tok)
	got := make([]float32, n*d)
	l.Forward(&lt.s, got, x, tok, &WindowAct{})

	dh := d / heads
	qkv := make([][]float32, n)
	for _, sp := range tok.Spans {
		for p := sp.Start; p < sp.End; p++ {
			qkv[p] = matVec(lt.ps.List[0].Of(w), 3*d, x[p*d:(p+1)*d])
			for h := range 2 * heads {
				for i := range dh / 2 {
					a := float64(p-sp.Start) * math.Pow(500, -2*float64(i)/float64(dh))
					c, sn := float32(math.Cos(a)), float32(math.Sin(a))
					u, v := qkv[p][h*dh+i], qkv[p][h*dh+i+dh/2]
					qkv[p][h*dh+i], qkv[p][h*dh+i+dh/2] = u*c-v*sn, u*sn+v*c
				}
			}
		}
	}
	for _, sp := range tok.Spans {
		for p := sp.Start; p < sp.End; p++ {
			ctx := make([]float32, d)
			for h := range heads {
				var z float64
				lo := max(sp.Start, p-size+1)
				hi := min(sp.End, p+1+ahead)
				e := make([]float64, hi-lo)
				for j := lo; j < hi; j++ {
					dot := kernel.Dot(qkv[p][h*dh:(h+1)*dh], qkv[j][d+h*dh:d+(h+1)*dh])
					e[j-lo] = math.Exp(float64(dot) / math.Sqrt(float64(dh)))
					z += e[j-lo]
				}
				for j := lo; j < hi; j++ {
					kernel.Axpy(ctx[h*dh:(h+1)*dh], float32(e[j-lo]/z), qkv[j][2*d+h*dh:2*d+(h+1)*dh])
				}
			}
			closeTo(t, "window", got[p*d:(p+1)*d], matVec(lt.ps.List[1].Of(w), d, ctx), 1e-4)
		}
	}
}

// TestMoE compares the grouped experts with a token-by-token evaluation, and
// checks that no token is dropped even when all choose one expert.
func TestMoE(t *testing.T) {
	lt := newLayerTest()
	const d, hidden, e, k, n = 16, 12, 5, 2, 77
	l := NewMoE(&lt.ps, "ffn", d, hidden, e, TopK{K: k}, F32, lt.add)
	w := lt.ready()
	for _, crowd := range []bool{false, true} {
		if crowd {
			l.Bias.Of(w)[3] = 100
		}
		x := random(lt.r, n*d)
		for _, keep := range []bool{false, true} {
			lt.s.Reset()
			lt.s.Keep = keep
			got := make([]float32, n*d)
			var act MoEAct
			l.Forward(&lt.s, w, got, x, n, &act)
			for p := range n {
				want := make([]float32, d)
				for j := range k {
					ex := int(act.Routing.Expert[p*k+j])
					gu := matVec(lt.ps.List[2].Of(w)[ex*2*hidden*d:(ex+1)*2*hidden*d], 2*hidden, x[p*d:(p+1)*d])
					h := make([]float32, hidden)
					for i := range h {
						g := float64(gu[i])
						h[i] = float32(g/(1+math.Exp(-g))) * gu[hidden+i]
					}
					kernel.Axpy(want, act.Routing.Weight[p*k+j], matVec(lt.ps.List[3].Of(w)[ex*d*hidden:(ex+1)*d*hidden], d, h))
				}
				closeTo(t, "moe", got[p*d:(p+1)*d], want, 1e-4)
			}
			if crowd && math.Abs(float64(act.Routing.Load[3])-0.5) > 1e-4 {
				t.Errorf("expert 3 takes %.3f of the slots, want every token's first: 0.5", act.Routing.Load[3])
			}
		}
	}
}

// TestRouter checks the choice, the weights and the losses against definitions.
func TestRouter(t *testing.T) {
	var s Scratch
	logits := []float32{1, 3, 2, 0, -1, 5, 4, 4}
	p := append([]float32(nil), logits...)
	var r Routing
	rt := TopK{K: 2, Balance: 0.5, ZLoss: 0.25}
	rt.Route(&s, &r, p, nil, 2)
	want := []int32{1, 2, 1, 2} // of equal logits the lower index
	for i, e := range want {
		if r.Expert[i] != e {
			t.Fatalf("experts %v, want %v", r.Expert, want)
		}
	}
	sig := float32(1 / (1 + math.Exp(-1)))
	closeTo(t, "weights", r.Weight, []float32{sig, 1 - sig, sig, 1 - sig}, 1e-5)
	var bal, z float64
	for i := range 2 {
		sum := 0.0
		for _, v := range logits[i*4 : i*4+4] {
			sum += math.Exp(float64(v))
		}
		z += math.Log(sum) * math.Log(sum) / 2
		for e := range 4 {
			bal += 4 * float64(r.Load[e]) * math.Exp(float64(logits[i*4+e])) / sum / 2
		}
	}
	if got := rt.Loss(&r); math.Abs(got-0.5*bal-0.25*z) > 1e-4 {
		t.Errorf("loss %g, want %g", got, 0.5*bal+0.25*z)
	}
	bias := []float32{0, 0, 0, 0}
	BalanceBias(bias, []float32{0.25, 0.5, 0.15, 0.1}, 0.01)
	closeTo(t, "bias", bias, []float32{0, -0.01, 0.01, 0.01}, 1e-6)
}

// TestConv compares the convolution with its definition across a segment's edge.
func TestConv(t *testing.T) {
	lt := newLayerTest()
	const d, n = 7, 20
	l := NewConv(&lt.ps, "conv", d, 4)
	w := lt.ready()
	x := random(lt.r, n*d)
	got := make([]float32, n*d)
	l.Forward(w, got, x, &Tokens{T: n, Spans: []Span{{0, 9, 0}, {9, n, 0}}})
	for p := range n {
		start := 0
		if p >= 9 {
			start = 9
		}
		want := make([]float32, d)
		for i := 0; i < 4 && p-i >= start; i++ {
			for c := range d {
				want[c] += w[i*d+c] * x[(p-i)*d+c]
			}
		}
		closeTo(t, "conv", got[p*d:(p+1)*d], want, 1e-5)
	}
}

// TestPointerMixture checks that the mixture is a distribution: the
// probabilities of every token as target add up to one.
func TestPointerMixture(t *testing.T) {
	lt := newLayerTest()
	const d, vocab, heads, n = 8, 30, 2, 12
	l := NewPointer(&lt.ps, d, vocab, F32, lt.add)
	w := lt.ready()
	copy(l.Gate.Of(w), random(lt.r, d))
	x := random(lt.r, d)
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(lt.r.IntN(vocab))
	}
	act := &CrossAct{LD: n + 1, P: random(lt.r, heads*(n+1))}
	for h := range heads {
		row := act.P[h*(n+1) : (h+1)*(n+1)]
		clear(row[9:n]) // entries from 9 are not visible: their attention is 0
		for i := 9; i < n; i++ {
			row[i] = negInf
		}
		kernel.Softmax(row, 1)
	}
	occ := NewOccurrences(&lt.s, ids, vocab)
	sum := 0.0
	for y := range vocab {
		rows := &Rows{Token: []int32{0}, Limit: []int32{9}, Prev: []int32{-1}, Target: []int32{int32(y)}, Source: []int32{-1}}
		losses, _ := l.Loss(&lt.s, w, nil, nil, x, ids, rows, act, heads, occ, false)
		sum += math.Exp(-float64(losses[0].NLL))
	}
	if math.Abs(sum-1) > 1e-4 {
		t.Errorf("probabilities add up to %.6f", sum)
	}
}

// TestKeyValue compares entries with their definition: what stands outside the
// segment counts as zeros.
func TestKeyValue(t *testing.T) {
	lt := newLayerTest()
	const d, dk, dv, look = 5, 4, 3, 4
	l, tok := NewKeyValue(&lt.ps, d, dk, dv, look, F32, lt.add), twoSegments()
	w := lt.ready()
	z, k, v := random(lt.r, tok.T*d), make([]float32, tok.T*dk), make([]float32, tok.T*dv)
	l.Forward(&lt.s, k, v, z, tok, &KeyValueAct{})
	for _, sp := range tok.Spans {
		for p := sp.Start; p < sp.End; p++ {
			side := func(offsets ...int) (in []float32) {
				for _, o := range offsets {
					if f := p + o; f >= sp.Start && f < sp.End {
						in = append(in, z[f*d:(f+1)*d]...)
					} else {
						in = append(in, make([]float32, d)...)
					}
				}
				return in
			}
			key := matVec(lt.ps.List[0].Of(w), dk, side(0, -1, look/2, look))
			kernel.Scale(key, float32(1/math.Sqrt(float64(kernel.SumSquares(key)))))
			closeTo(t, "key", k[p*dk:(p+1)*dk], key, 1e-4)
			closeTo(t, "value", v[p*dv:(p+1)*dv], matVec(lt.ps.List[1].Of(w), dv, side(0, 1)), 1e-4)
		}
	}
}

// TestCross compares global attention with its definition, for a row with a
// continuation bonus and one that sees fewer entries.
func TestCross(t *testing.T) {
	lt := newLayerTest()
	const d, heads, dk, dv, n = 6, 3, 4, 5, 9
	l := NewCross(&lt.ps, "attn", d, heads, dk, dv, F32, lt.add)
	w := lt.ready()
	copy(l.Follow.Of(w), random(lt.r, d))
	rows := &Rows{Token: make([]int32, 2), Limit: []int32{9, 5}, Prev: []int32{2, 7}} // 8 is beyond row 1's limit
	x, k, v := random(lt.r, 2*d), random(lt.r, n*dk), random(lt.r, n*dv)
	got := make([]float32, 2*d)
	l.Forward(&lt.s, w, got, x, k, v, n, rows, &CrossAct{})
	for i := range 2 {
		xi, seen := x[i*d:(i+1)*d], int(rows.Limit[i])
		q, lnN := matVec(lt.ps.List[0].Of(w), heads*dk, xi), math.Log(float64(seen))
		ctx := make([]float32, heads*dv)
		for h := range heads {
			qh := q[h*dk : (h+1)*dk]
			kernel.Scale(qh, float32(1/math.Sqrt(float64(kernel.SumSquares(qh)))))
			temp := math.Exp(float64(l.Temp.Of(w)[h]))
			e, z := make([]float64, seen+1), 0.0
			for p := range e {
				logit := temp * lnN * float64(l.Sink.Of(w)[h])
				if p < seen {
					logit = temp * lnN * float64(kernel.Dot(qh, k[p*dk:(p+1)*dk]))
				}
				if h == 0 && i == 0 && p == 3 {
					logit += lnN * float64(kernel.Dot(l.Follow.Of(w), xi)+l.FollowBias.Of(w)[0])
				}
				e[p] = math.Exp(logit)
				z += e[p]
			}
			for p := range e {
				val := l.SinkValue.Of(w)
				if p < seen {
					val = v[p*dv : (p+1)*dv]
				}
				kernel.Axpy(ctx[h*dv:(h+1)*dv], float32(e[p]/z), val)
			}
		}
		closeTo(t, "cross", got[i*d:(i+1)*d], matVec(lt.ps.List[1].Of(w), d, ctx), 1e-4)
	}
}

// TestRope compares angles far into a segment, which are composed from two
// tables, with their definition.
func TestRope(t *testing.T) {
	const dim, base = 6, 1000.0
	rope := NewRope(dim, base)
	tok := &Tokens{T: 70, Spans: []Span{{0, 40, 1 << 20}, {40, 70, 960}}}
	var s Scratch
	rope.Prepare(&s, tok)
	for _, sp := range tok.Spans {
		for j := sp.Start; j < sp.End; j++ {
			for i := range dim / 2 {
				sin, cos := math.Sincos(float64(sp.Pos+j-sp.Start) * math.Pow(base, -2*float64(i)/dim))
				at := j*dim/2 + i
				closeTo(t, "angle", []float32{tok.Cos[at], tok.Sin[at]}, []float32{float32(cos), float32(sin)}, 1e-6)
			}
		}
	}
}
