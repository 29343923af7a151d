package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Locator is one head of attention that says where among the keys of a sense a
// row's answer is, or, by a sink, nowhere: unit queries and keys, scalable softmax
// (arXiv 2501.19399), no values.
type Locator struct {
	D, DK int
	Query Trainable // [DK, D]
	Temp  *Param    // [1]: log of the factor of ln(n)
	Sink  *Param    // [1]: the sink's cosine
}

// NewLocator registers a head.
func NewLocator(ps *Params, name string, d, dk int, prec Precision, add func(*Matrix)) *Locator {
	q := NewMatrix(ps.Add(name+"_q.weight", ClassMatrix, FanIn(1, d), dk, d), 0, prec)
	add(q)
	return &Locator{
		D: d, DK: dk, Query: q,
		Temp: ps.Add(name+"_temp", ClassTemperature, Const(math.Log(2)), 1),
		Sink: ps.Add(name+"_sink", ClassTemperature, Const(0.2), 1),
	}
}

// Factor is what cosines are multiplied by where n keys are seen.
func (l *Locator) Factor(w []float32, n int) float32 {
	return float32(math.Exp(float64(l.Temp.Of(w)[0])) * LogN(n))
}

// Target is where a row's answer is: keys of any of the ranges; none is the sink.
type Target [][2]int32

// LocatorAct is what Backward needs of Forward.
type LocatorAct struct {
	q, inv, P []float32 // P [R, N+1], the sink's weight last
}

// Queries writes unit queries q [R, DK] of rows x [R, D] and returns their
// factors of normalisation.
func (l *Locator) Queries(s *Scratch, q, x []float32, r int) (inv []float32) {
	inv = s.Floats(r)
	l.Query.Mul(s, q, x, r, false)
	for i := range r {
		inv[i] = Normalise(q[i*l.DK : (i+1)*l.DK])
	}
	return inv
}

// Forward computes the weights of rows x [R, D] over unit keys k [N, DK].
func (l *Locator) Forward(s *Scratch, w, x, k []float32, r, n int, act *LocatorAct) {
	act.q, act.P = s.Floats(r*l.DK), s.Floats(r*(n+1))
	act.inv = l.Queries(s, act.q, x, r)
	s.mul(act.P, n+1, act.q, l.DK, 1, k, 1, l.DK, r, n, l.DK, false)
	f := l.Factor(w, n)
	for i := range r {
		row := act.P[i*(n+1) : (i+1)*(n+1)]
		row[n] = l.Sink.Of(w)[0]
		kernel.Softmax(row, f)
	}
}

// Backward adds the gradient of Σ weight·(−log of the mass on a row's target) to
// dx, dk and the parameters', and returns the rows' losses.
func (l *Locator) Backward(s *Scratch, w, g, dx, dk, x, k []float32, r, n int, act *LocatorAct, targets []Target, weights []float32) (losses []float32) {
	mark := s.Mark()
	losses = make([]float32, r)
	d := s.Floats(r * (n + 1))
	f, sink := l.Factor(w, n), l.Sink.Of(w)[0]
	for i := range r {
		p, row := act.P[i*(n+1):(i+1)*(n+1)], d[i*(n+1):(i+1)*(n+1)]
		copy(row, p)
		mass := float32(1e-9)
		each(targets[i], n, func(a, b int) {
			for _, v := range p[a:b] {
				mass += v
			}
		})
		each(targets[i], n, func(a, b int) { kernel.Axpy(row[a:b], -1/mass, p[a:b]) })
		losses[i] = -float32(math.Log(float64(mass)))
		kernel.Scale(row, weights[i])
		dot := float32(0) // of the logits' gradient and the logits over f
		q := act.q[i*l.DK : (i+1)*l.DK]
		for j, v := range row[:n] {
			if v != 0 {
				dot += v * kernel.Dot(q, k[j*l.DK:(j+1)*l.DK])
			}
		}
		dot += row[n] * sink
		l.Temp.Of(g)[0] += dot * f
		l.Sink.Of(g)[0] += row[n] * f
		kernel.Scale(row, f)
	}
	dq := s.Floats(r * l.DK)
	s.mul(dq, l.DK, d, n+1, 1, k, l.DK, 1, r, l.DK, n, false)
	s.mul(dk, l.DK, d, 1, n+1, act.q, l.DK, 1, n, l.DK, r, true)
	for i := range r {
		NormaliseBackward(dq[i*l.DK:(i+1)*l.DK], act.q[i*l.DK:(i+1)*l.DK], act.inv[i])
	}
	l.Query.MulT(s, dx, dq, r, true)
	l.Query.Grad(s, g, dq, x, r)
	s.Release(mark)
	return losses
}

// each visits the ranges of a target among n keys; the sink is at n.
func each(t Target, n int, f func(a, b int)) {
	if len(t) == 0 {
		f(n, n+1)
	}
	for _, r := range t {
		f(int(r[0]), int(r[1]))
	}
}
