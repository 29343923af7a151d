package nn

import (
	"math"
	"sync"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Activation is what a feed-forward's hidden layer applies.
type Activation uint8

const (
	// SiLU is z·σ(z) (arXiv 1702.03118): a gated layer with it is SwiGLU.
	SiLU Activation = iota
	// GELU is z·Φ(z), see [HalfGELU]: GeGLU.
	GELU
	// ClampedSwiGLU is that of gpt-oss: g·σ(1.702·g)·(u+1) with g at most 7 and u
	// between −7 and 7.
	ClampedSwiGLU
)

// Gated is the gated feed-forward W2·(act(Wg·x) ⊙ Wu·x) (arXiv 2002.05202); gate
// and up share one matrix, gate rows first. Only SiLU has a backward pass.
type Gated struct {
	D, Hidden int
	GateUp    Weight // [2·Hidden, D]
	Down      Weight // [D, Hidden]
	Act       Activation
}

// NewGated registers a feed-forward.
func NewGated(ps *Params, name string, d, hidden int, prec Precision, add func(*Matrix)) *Gated {
	gu := NewMatrix(ps.Add(name+"_gate_up.weight", ClassMatrix, FanIn(1, d), 2*hidden, d), 0, prec)
	dn := NewMatrix(ps.Add(name+"_down.weight", ClassMatrix, FanIn(0.5, hidden), d, hidden), 0, prec)
	add(gu)
	add(dn)
	return &Gated{D: d, Hidden: hidden, GateUp: gu, Down: dn}
}

// GatedAct is what Backward needs of Forward.
type GatedAct struct{ gu, h []float32 }

// Forward writes (or, with acc, adds) the feed-forward of n rows to y.
func (l *Gated) Forward(s *Scratch, y, x []float32, n int, act *GatedAct, acc bool) {
	if g, ok := l.laid(); ok && !s.Keep {
		s.groups = append(s.groups[:0], laidGroup{g, 0, n})
		s.forwardGroups(y, s.quantize(&s.rows, x, n, l.D), l.D, l.Hidden, l.Act, s.groups, acc)
		return
	}
	f := l.Hidden
	act.gu, act.h = s.Floats(n*2*f), s.Floats(n*f)
	l.GateUp.Mul(s, act.gu, x, n, false)
	for i := range n {
		l.Act.gate(act.h[i*f:(i+1)*f], act.gu[i*2*f:i*2*f+f], act.gu[i*2*f+f:(i+1)*2*f])
	}
	l.Down.Mul(s, y, act.h, n, acc)
}

// Backward writes (or adds) to dx and adds to the weights' gradients. It
// overwrites act.
func (l *Gated) Backward(s *Scratch, g, dx, dy, x []float32, n int, act *GatedAct, acc bool) {
	f := l.Hidden
	gateUp, down := l.GateUp.(Trainable), l.Down.(Trainable)
	mark := s.Mark()
	dh := s.Floats(n * f)
	down.MulT(s, dh, dy, n, false)
	down.Grad(s, g, dy, act.h, n)
	for i := range n {
		gate, up := act.gu[i*2*f:i*2*f+f], act.gu[i*2*f+f:(i+1)*2*f]
		kernel.SiLUMulBackward(gate, up, dh[i*f:(i+1)*f], gate, up)
	}
	gateUp.MulT(s, dx, act.gu, n, acc)
	gateUp.Grad(s, g, act.gu, x, n)
	s.Release(mark)
}

// gate computes dst = act(gate) ⊙ up.
func (a Activation) gate(dst, gate, up []float32) {
	switch a {
	case SiLU:
		kernel.SiLUMul(dst, gate, up)
	case GELU:
		HalfGELU(dst, gate)
		kernel.Mul(dst, dst, up)
	case ClampedSwiGLU:
		const limit, alpha = 7, 1.702
		for i, g := range gate {
			g = min(g, limit)
			u := min(max(up[i], -limit), limit)
			dst[i] = g / (1 + float32(math.Exp(float64(-alpha*g)))) * (u + 1)
		}
	default:
		panic("nn: unknown activation")
	}
}

// MLP is the plain feed-forward W2·gelu(W1·x), as in Phi-2. It is for serving: it
// has no backward pass.
type MLP struct {
	Hidden   int
	Up, Down Weight // [Hidden, D], [D, Hidden]
}

// Forward adds the feed-forward of n rows to y.
func (l *MLP) Forward(s *Scratch, y, x []float32, n int) {
	mark := s.Mark()
	h := s.Floats(n * l.Hidden)
	l.Up.Mul(s, h, x, n, false)
	HalfGELU(h, h)
	l.Down.Mul(s, y, h, n, true)
	s.Release(mark)
}

// HalfGELU is kernel.GELU (arXiv 1606.08415, in its tanh form) with argument and
// result rounded to half precision between −10 and 10, by a table. Engines that
// users compare with compute it so, and it moves logits by a few thousandths.
func HalfGELU(dst, x []float32) {
	t := geluTable()
	for i, v := range x {
		switch {
		case v <= -10:
			dst[i] = 0
		case v >= 10:
			dst[i] = v
		default:
			dst[i] = t[tensor.FloatToHalf(v)]
		}
	}
}

var geluTable = sync.OnceValue(func() []float32 {
	t := make([]float32, 1<<16)
	for i := range t {
		t[i] = tensor.HalfToFloat(uint16(i))
	}
	kernel.GELU(t, t)
	for i, v := range t {
		t[i] = tensor.HalfToFloat(tensor.FloatToHalf(v))
	}
	return t
})
