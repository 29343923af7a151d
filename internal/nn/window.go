package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Window is multi-head attention over a sliding window of the segment, with
// rotary positions: token i attends to the Size tokens [i−Size+1, i] and to the
// Ahead tokens that follow it.
type Window struct {
	D, Heads, Size int
	Ahead          int
	QKV, Out       Trainable // [3D, D], [D, D]
}

// NewWindow registers the projections of a causal window; outGain scales the
// output's initial weights.
func NewWindow(ps *Params, name string, d, heads, size int, outGain float64, prec Precision, add func(*Matrix)) *Window {
	qkv := NewMatrix(ps.Add(name+"_qkv.weight", ClassMatrix, FanIn(1, d), 3*d, d), 0, prec)
	out := NewMatrix(ps.Add(name+"_output.weight", ClassMatrix, FanIn(outGain, d), d, d), 0, prec)
	add(qkv)
	add(out)
	return &Window{D: d, Heads: heads, Size: size, QKV: qkv, Out: out}
}

// WindowAct is what Backward needs of Forward.
type WindowAct struct {
	qkv, ctx []float32
	p        [][]float32 // a matrix of weights for each block and head, in order
}

// Forward adds the attention of x [T, D] to y.
func (l *Window) Forward(s *Scratch, y, x []float32, t *Tokens, act *WindowAct) {
	d := l.D
	act.qkv, act.ctx = s.Floats(t.T*3*d), s.Floats(t.T*d)
	act.p = act.p[:0]
	l.QKV.Mul(s, act.qkv, x, t.T, false)
	t.rotate(act.qkv, 3*d, 2*l.Heads, false)
	l.blocks(t, func(b block) {
		for h := range l.Heads {
			mark := s.Mark()
			p := l.weights(s, act.qkv, b, h)
			v := act.qkv[b.lo*3*d+2*d+h*l.dh():]
			s.mul(act.ctx[b.q0*d+h*l.dh():], d, p, b.keys(), 1, v, 3*d, 1, b.queries(), l.dh(), b.keys(), false)
			if s.Keep {
				act.p = append(act.p, p)
			} else {
				s.Release(mark)
			}
		}
	})
	l.Out.Mul(s, y, act.ctx, t.T, true)
}

// Backward adds to dx and to the weights' gradients.
func (l *Window) Backward(s *Scratch, g, dx, dy, x []float32, t *Tokens, act *WindowAct) {
	d, dh := l.D, l.dh()
	mark := s.Mark()
	dctx, dqkv := s.Floats(t.T*d), s.Zeros(t.T*3*d)
	l.Out.MulT(s, dctx, dy, t.T, false)
	l.Out.Grad(s, g, dy, act.ctx, t.T)
	i := 0
	l.blocks(t, func(b block) {
		nq, nk := b.queries(), b.keys()
		for h := range l.Heads {
			m := s.Mark()
			p := act.p[i]
			i++
			q, k, v := b.q0*3*d+h*dh, b.lo*3*d+d+h*dh, b.lo*3*d+2*d+h*dh
			do := dctx[b.q0*d+h*dh:]
			dp := s.Floats(nq * nk)
			s.mul(dp, nk, do, d, 1, act.qkv[v:], 1, 3*d, nq, nk, dh, false)
			s.mul(dqkv[v:], 3*d, p, 1, nk, do, d, 1, nk, dh, nq, true)
			for r := range nq {
				kernel.SoftmaxBackward(dp[r*nk:(r+1)*nk], p[r*nk:(r+1)*nk], l.scale())
			}
			s.mul(dqkv[q:], 3*d, dp, nk, 1, act.qkv[k:], 3*d, 1, nq, dh, nk, false)
			s.mul(dqkv[k:], 3*d, dp, 1, nk, act.qkv[q:], 3*d, 1, nk, dh, nq, true)
			s.Release(m)
		}
	})
	t.rotate(dqkv, 3*d, 2*l.Heads, true)
	l.QKV.MulT(s, dx, dqkv, t.T, true)
	l.QKV.Grad(s, g, dqkv, x, t.T)
	s.Release(mark)
}

func (l *Window) dh() int        { return l.D / l.Heads }
func (l *Window) scale() float32 { return float32(1 / math.Sqrt(float64(l.dh()))) }

// block is a run of queries [q0, q1) and the keys [lo, hi) any of them sees.
type block struct{ q0, q1, lo, hi int }

func (b block) queries() int { return b.q1 - b.q0 }
func (b block) keys() int    { return b.hi - b.lo }

// blocks visits the query blocks. Their bounds follow from positions in the
// segment alone, so that sums run in the same order however it was cut.
func (l *Window) blocks(t *Tokens, visit func(block)) {
	left := (l.Size - 1 + Block - 1) / Block * Block
	for _, sp := range t.Spans {
		for q := sp.Start; q < sp.End; q += Block {
			visit(block{q0: q, q1: min(q+Block, sp.End), lo: max(sp.Start, q-left), hi: min(q+Block+l.Ahead, sp.End)})
		}
	}
}

// weights computes the attention weights of one block and head, [queries, keys].
// Each softmax runs over the visible keys alone: its length, and so its
// rounding, depends on the position only.
func (l *Window) weights(s *Scratch, qkv []float32, b block, h int) []float32 {
	d, dh, nk := l.D, l.dh(), b.keys()
	p := s.Floats(b.queries() * nk)
	s.mul(p, nk, qkv[b.q0*3*d+h*dh:], 3*d, 1, qkv[b.lo*3*d+d+h*dh:], 1, 3*d, b.queries(), nk, dh, false)
	for i := b.q0; i < b.q1; i++ {
		row := p[(i-b.q0)*nk : (i-b.q0+1)*nk]
		from, to := max(0, i-l.Size+1-b.lo), min(nk, i+1+l.Ahead-b.lo)
		clear(row[:from])
		kernel.Softmax(row[from:to], l.scale())
		clear(row[to:])
	}
	return p
}

var negInf = float32(math.Inf(-1))
