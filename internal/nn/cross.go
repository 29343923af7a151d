package nn

import (
	"math"
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Cross is global attention of a few query rows over every cache entry, without
// positions: logits are exp(t_h)·ln(n)·cos(q, k), with unit keys and queries
// (QK-norm), a learned temperature a head and n the number of entries seen
// (scalable softmax, arXiv 2501.19399). All heads share one key and one value.
//
// A learned sink competes with the entries at a fixed cosine, so that it stands
// for "nothing matches" at any n. Head 0 is the pointer: a row whose
// predecessor pointed at p has a learned bonus on p+1, which keeps a long copy
// on its track.
type Cross struct {
	D, Heads, DK, DV int
	Query, Out       Trainable // [H·DK, D], [D, H·DV]
	Temp             *Param    // [H]
	Sink             *Param    // [H], cosine
	SinkValue        *Param    // [DV]
	Follow           *Param    // [D]
	FollowBias       *Param    // [1]
}

// NewCross registers the layer's parameters.
func NewCross(ps *Params, name string, d, heads, dk, dv int, prec Precision, add func(*Matrix)) *Cross {
	q := NewMatrix(ps.Add(name+"_q.weight", ClassMatrix, FanIn(1, d), heads*dk, d), 0, prec)
	o := NewMatrix(ps.Add(name+"_output.weight", ClassMatrix, FanIn(0.5, heads*dv), d, heads*dv), 0, prec)
	add(q)
	add(o)
	return &Cross{
		D: d, Heads: heads, DK: dk, DV: dv, Query: q, Out: o,
		Temp:       ps.Add(name+"_temp.weight", ClassTemperature, Const(math.Log(12/math.Log(1000))), heads),
		Sink:       ps.Add(name+"_sink.weight", ClassTemperature, Const(0.3), heads),
		SinkValue:  ps.Add(name+"_sink_v.weight", ClassVector, Normal(0.5), dv),
		Follow:     ps.Add(name+"_follow.weight", ClassVector, func(w []float32, _ *rand.Rand) { clear(w) }, d),
		FollowBias: ps.Add(name+"_follow.bias", ClassTemperature, Const(0.5), 1),
	}
}

// Rows are query rows: positions of a packed sequence from which the
// cross-decoder predicts.
type Rows struct {
	Token  []int32   // [R]: row of the self-decoder's output
	Limit  []int32   // [R]: entries [0, Limit) are visible
	Prev   []int32   // [R]: entry the previous row pointed at, or −1
	Target []int32   // [R]: token to predict
	Source []int32   // [R]: entry to point at, −1 none, SinkSource the sink
	Weight []float32 // [R]: of the prediction's loss
	Aux    []float32 // [R]: of the pointer's loss
}

// SinkSource as a row's Source supervises the sink.
const SinkSource = -2

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.Token) }

// follow is the entry with the continuation bonus, or −1.
func (r *Rows) follow(i int) int {
	if p := r.Prev[i]; p >= 0 && p+1 < r.Limit[i] {
		return int(p) + 1
	}
	return -1
}

// Factor is what head h multiplies cosines by over n entries.
func (l *Cross) Factor(w []float32, h, n int) float32 {
	return float32(math.Exp(float64(l.Temp.Of(w)[h])) * LogN(n))
}

// LogN is ln(n) of scalable softmax, kept away from zero.
func LogN(n int) float64 { return math.Log(float64(max(n, 2))) }

// Bonus is what a row x adds to the logit of the entry after the one its
// predecessor pointed at.
func (l *Cross) Bonus(w, x []float32, n int) float32 {
	return float32(LogN(n)) * (kernel.Dot(l.Follow.Of(w), x) + l.FollowBias.Of(w)[0])
}

// Queries writes unit queries q [R, H·DK] of x [R, D].
func (l *Cross) Queries(s *Scratch, q, x []float32, r int) (inv []float32) {
	l.Query.Mul(s, q, x, r, false)
	inv = s.Floats(r * l.Heads)
	for i := range inv {
		row := q[i*l.DK : (i+1)*l.DK]
		inv[i] = Normalise(row)
	}
	return inv
}

// CrossAct is what Backward and the pointer's loss need of Forward.
type CrossAct struct {
	P           []float32 // [R, H, N+1]: attention; the last column is the sink
	LD          int       // N+1
	q, inv, ctx []float32
}

// Pointer returns the pointer head's attention of a row, sink last.
func (a *CrossAct) Pointer(row, heads int) []float32 {
	return a.P[row*heads*a.LD : row*heads*a.LD+a.LD]
}

// Forward adds to y [R, D] the attention of rows x over n entries k [n, DK] and
// v [n, DV].
func (l *Cross) Forward(s *Scratch, w, y, x, k, v []float32, n int, rows *Rows, act *CrossAct) {
	r, h := rows.Len(), l.Heads
	act.LD = n + 1
	act.q, act.ctx, act.P = s.Floats(r*h*l.DK), s.Floats(r*h*l.DV), s.Floats(r*h*act.LD)
	act.inv = l.Queries(s, act.q, x, r)
	ld, sink := act.LD, l.SinkValue.Of(w)
	s.mul(act.P, ld, act.q, l.DK, 1, k, 1, l.DK, r*h, n, l.DK, false)
	for i := range r {
		limit := int(rows.Limit[i])
		for j := range h {
			p := act.P[(i*h+j)*ld : (i*h+j+1)*ld]
			f := l.Factor(w, j, limit)
			kernel.Scale(p[:limit], f)
			if at := rows.follow(i); j == 0 && at >= 0 {
				p[at] += l.Bonus(w, x[i*l.D:(i+1)*l.D], limit)
			}
			for c := limit; c < n; c++ {
				p[c] = negInf
			}
			p[n] = f * l.Sink.Of(w)[j]
			kernel.Softmax(p, 1)
		}
	}
	s.mul(act.ctx, l.DV, act.P, ld, 1, v, l.DV, 1, r*h, l.DV, n, false)
	for i := range r * h {
		kernel.Axpy(act.ctx[i*l.DV:(i+1)*l.DV], act.P[i*ld+n], sink)
	}
	l.Out.Mul(s, y, act.ctx, r, true)
}

// PointerGrad is the gradient of a loss in one row of the pointer head: Val at
// every probability listed in Pos, Sink at the sink's, and Aux times that of
// −log of the probability at Source.
type PointerGrad struct {
	Pos       []int32
	Val, Sink float32
	Aux       float32
	Source    int32
}

// crossTile rows are taken through backward at a time.
const crossTile = 64

// Backward adds to dx, dk, dv and the parameters' gradients. ptr, one a row,
// may be nil.
func (l *Cross) Backward(s *Scratch, w, g, dx, dk, dv, dy, x, k, v []float32, n int, rows *Rows, act *CrossAct, ptr []PointerGrad) {
	r, h, ld := rows.Len(), l.Heads, act.LD
	mark := s.Mark()
	dctx, dq := s.Floats(r*h*l.DV), s.Floats(r*h*l.DK)
	l.Out.MulT(s, dctx, dy, r, false)
	l.Out.Grad(s, g, dy, act.ctx, r)
	for a := 0; a < r; a += crossTile {
		b := min(a+crossTile, r)
		m := s.Mark()
		dp := s.Floats((b - a) * h * ld)
		s.mul(dp, ld, dctx[a*h*l.DV:], l.DV, 1, v, 1, l.DV, (b-a)*h, n, l.DV, false)
		for i := a; i < b; i++ {
			for j := range h {
				at := i*h + j
				row := dp[(at-a*h)*ld : (at-a*h+1)*ld]
				dc := dctx[at*l.DV : (at+1)*l.DV]
				kernel.Axpy(l.SinkValue.Of(g), act.P[at*ld+n], dc)
				row[n] = kernel.Dot(dc, l.SinkValue.Of(w))
				var pg *PointerGrad
				if j == 0 && ptr != nil {
					pg = &ptr[i]
				}
				l.rowBackward(w, g, dx[i*l.D:(i+1)*l.D], row, act.P[at*ld:(at+1)*ld], x[i*l.D:(i+1)*l.D], rows, i, j, pg)
			}
		}
		s.mul(dq[a*h*l.DK:], l.DK, dp, ld, 1, k, l.DK, 1, (b-a)*h, l.DK, n, false)
		s.mul(dk, l.DK, dp, 1, ld, act.q[a*h*l.DK:], l.DK, 1, n, l.DK, (b-a)*h, true)
		s.mul(dv, l.DV, act.P[a*h*ld:], 1, ld, dctx[a*h*l.DV:], l.DV, 1, n, l.DV, (b-a)*h, true)
		s.Release(m)
	}
	for i := range r * h {
		q, d := act.q[i*l.DK:(i+1)*l.DK], dq[i*l.DK:(i+1)*l.DK]
		l.Temp.Of(g)[i%h] += kernel.Dot(q, d)
		NormaliseBackward(d, q, act.inv[i])
	}
	l.Query.MulT(s, dx, dq, r, true)
	l.Query.Grad(s, g, dq, x, r)
	s.Release(mark)
}

// rowBackward turns dp, the gradient of one row's probabilities, into that of
// its cosines, and adds the gradients of sink, temperature and bonus.
func (l *Cross) rowBackward(w, g, dx, dp, p, x []float32, rows *Rows, i, j int, pg *PointerGrad) {
	n, limit := len(p)-1, int(rows.Limit[i])
	if pg != nil {
		for _, c := range pg.Pos {
			dp[c] += pg.Val
		}
		dp[n] += pg.Sink
	}
	kernel.SoftmaxBackward(dp, p, 1)
	if pg != nil && pg.Aux != 0 {
		kernel.Axpy(dp, pg.Aux, p)
		dp[pg.Source] -= pg.Aux
	}
	f, c := l.Factor(w, j, limit), l.Sink.Of(w)[j]
	l.Sink.Of(g)[j] += dp[n] * f
	l.Temp.Of(g)[j] += dp[n] * f * c
	if at := rows.follow(i); j == 0 && at >= 0 {
		db := dp[at] * float32(LogN(limit))
		kernel.Axpy(l.Follow.Of(g), db, x)
		kernel.Axpy(dx, db, l.Follow.Of(w))
		l.FollowBias.Of(g)[0] += db
	}
	kernel.Scale(dp[:n], f)
}
