package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Pointer is the output of the model: a mixture of a generator over the
// vocabulary and a copy of the context token under the pointer head
// (pointer-generator networks, arXiv 1704.04368):
//
//	p(y) = g·Σ_{id_p = y} α_p + (1 − g·(1−α_sink))·softmax(W·x)_y
//
// with the gate g = σ(w·x + b). The sink's mass goes to the generator.
type Pointer struct {
	D, Vocab int
	Head     Trainable // [Vocab, D]
	Gate     *Param    // [D]
	GateBias *Param    // [1]
}

// NewPointer registers the output layer.
func NewPointer(ps *Params, d, vocab int, prec Precision, add func(*Matrix)) *Pointer {
	hd := NewMatrix(ps.Add("output.weight", ClassMatrix, Normal(0.02), vocab, d), 0, prec)
	add(hd)
	return &Pointer{
		D: d, Vocab: vocab, Head: hd,
		Gate:     ps.Add("output_gate.weight", ClassVector, Const(0), d),
		GateBias: ps.Add("output_gate.bias", ClassVector, Const(0), 1),
	}
}

// GateOf returns g of a row.
func (l *Pointer) GateOf(w, x []float32) float32 {
	z := kernel.Dot(l.Gate.Of(w), x) + l.GateBias.Of(w)[0]
	return float32(1 / (1 + math.Exp(-float64(z))))
}

// Occurrences lists, for each token id, the entries that hold it, ascending.
type Occurrences struct {
	start []int32 // [Vocab+1]
	pos   []int32
}

// NewOccurrences indexes the entries' ids.
func NewOccurrences(s *Scratch, ids []int32, vocab int) *Occurrences {
	o := &Occurrences{start: s.Ints(vocab + 1), pos: s.Ints(len(ids))}
	clear(o.start)
	for _, id := range ids {
		o.start[id+1]++
	}
	for v := range vocab {
		o.start[v+1] += o.start[v]
	}
	mark := s.Mark()
	next := s.Ints(vocab)
	copy(next, o.start)
	for p, id := range ids {
		o.pos[next[id]] = int32(p)
		next[id]++
	}
	s.Release(mark)
	return o
}

// Of returns the entries below limit that hold id.
func (o *Occurrences) Of(id, limit int32) []int32 {
	at := o.pos[o.start[id]:o.start[id+1]]
	for len(at) > 0 && at[len(at)-1] >= limit {
		at = at[:len(at)-1]
	}
	return at
}

// RowLoss reports one row.
type RowLoss struct {
	NLL     float32 // −log p(target)
	Aux     float32 // −log of the attention on the source, 0 without one
	Pointed bool    // the pointer's peak is on the source
	Right   bool    // the likeliest token (peak of copy or generator) is the target
}

// pointerTile rows of logits are held at a time.
const pointerTile = 64

// Loss evaluates rows x [R, D] with the last layer's attention act. With grad
// set it adds to dx and the parameters' gradients g, and returns the gradient
// for the pointer head.
func (l *Pointer) Loss(s *Scratch, w, g, dx, x []float32, ids []int32, rows *Rows, act *CrossAct, heads int, occ *Occurrences, grad bool) ([]RowLoss, []PointerGrad) {
	r, n := rows.Len(), act.LD-1
	out, ptr := make([]RowLoss, r), make([]PointerGrad, r)
	for a := 0; a < r; a += pointerTile {
		b := min(a+pointerTile, r)
		mark := s.Mark()
		logits := s.Floats((b - a) * l.Vocab)
		l.Head.Mul(s, logits, x[a*l.D:b*l.D], b-a, false)
		for i := a; i < b; i++ {
			alpha := act.Pointer(i, heads)
			lg, xi := logits[(i-a)*l.Vocab:(i-a+1)*l.Vocab], x[i*l.D:(i+1)*l.D]
			gate := l.GateOf(w, xi)
			peak := argmax(alpha)
			gen := argmax(lg)
			kernel.Softmax(lg, 1)
			y := rows.Target[i]
			at := occ.Of(y, rows.Limit[i])
			copied := float32(0)
			for _, p := range at {
				copied += alpha[p]
			}
			sink := alpha[n]
			share := 1 - gate*(1-sink)
			p := max(gate*copied+share*lg[y], 1e-12)
			ro := &out[i]
			ro.NLL = -float32(math.Log(float64(p)))
			src := rows.Source[i]
			if src == SinkSource {
				src = int32(n)
			}
			if src >= 0 {
				ro.Aux = -float32(math.Log(float64(max(alpha[src], 1e-20))))
				ro.Pointed = peak == int(src)
			}
			if peak < n && gate*alpha[peak] > share*lg[gen] {
				ro.Right = ids[peak] == y
			} else {
				ro.Right = gen == int(y)
			}
			if !grad {
				continue
			}
			wt := rows.Weight[i] / p
			ptr[i] = PointerGrad{Pos: at, Val: -wt * gate, Sink: -wt * gate * lg[y], Source: max(src, 0)}
			if src >= 0 {
				ptr[i].Aux = rows.Aux[i]
			}
			dz := -wt * (copied - (1-sink)*lg[y]) * gate * (1 - gate)
			kernel.Axpy(l.Gate.Of(g), dz, xi)
			kernel.Axpy(dx[i*l.D:(i+1)*l.D], dz, l.Gate.Of(w))
			l.GateBias.Of(g)[0] += dz
			dy := -wt * share * lg[y]
			kernel.Scale(lg, -dy)
			lg[y] += dy
		}
		if grad {
			l.Head.MulT(s, dx[a*l.D:b*l.D], logits, b-a, true)
			l.Head.Grad(s, g, logits, x[a*l.D:b*l.D], b-a)
		}
		s.Release(mark)
	}
	return out, ptr
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
