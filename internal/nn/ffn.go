package nn

import "github.com/handscroll/handscroll/internal/kernel"

// Gated is the gated feed-forward W2·(silu(Wg·x) ⊙ Wu·x) (SwiGLU,
// arXiv 2002.05202); gate and up share one matrix, gate rows first.
type Gated struct {
	D, Hidden int
	GateUp    Trainable // [2·Hidden, D]
	Down      Trainable // [D, Hidden]
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
	f := l.Hidden
	act.gu, act.h = s.Floats(n*2*f), s.Floats(n*f)
	l.GateUp.Mul(s, act.gu, x, n, false)
	for i := range n {
		kernel.SiLUMul(act.h[i*f:(i+1)*f], act.gu[i*2*f:i*2*f+f], act.gu[i*2*f+f:(i+1)*2*f])
	}
	l.Down.Mul(s, y, act.h, n, acc)
}

// Backward writes (or adds) to dx and adds to the weights' gradients. It
// overwrites act.
func (l *Gated) Backward(s *Scratch, g, dx, dy, x []float32, n int, act *GatedAct, acc bool) {
	f := l.Hidden
	mark := s.Mark()
	dh := s.Floats(n * f)
	l.Down.MulT(s, dh, dy, n, false)
	l.Down.Grad(s, g, dy, act.h, n)
	for i := range n {
		gate, up := act.gu[i*2*f:i*2*f+f], act.gu[i*2*f+f:(i+1)*2*f]
		kernel.SiLUMulBackward(gate, up, dh[i*f:(i+1)*f], gate, up)
	}
	l.GateUp.MulT(s, dx, act.gu, n, acc)
	l.GateUp.Grad(s, g, act.gu, x, n)
	s.Release(mark)
}
