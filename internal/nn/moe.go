package nn

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/kernel"
)

// MoE is a sparse feed-forward: a router sends each token to K of E gated
// experts. Tokens are grouped by expert, so that an expert is one product, and
// none is ever dropped.
type MoE struct {
	D, Hidden int
	Router    Router
	Gate      Weight // [E, D]
	Bias      *Param // [E] selection bias, or nil
	Scale     *Param // [E] of experts' outputs, or nil; for serving
	Experts   []*Gated
	Cache     *ExpertCache // of experts that are not all laid out, or nil; for serving
}

// NewMoE registers a router and its experts. The router multiplies in float32
// at any precision: a rounded logit would flip a choice.
func NewMoE(ps *Params, name string, d, hidden, experts int, router Router, prec Precision, add func(*Matrix)) *MoE {
	l := &MoE{D: d, Hidden: hidden, Router: router}
	gate := NewMatrix(ps.Add(name+"_gate_inp.weight", ClassVector, Normal(0.02), experts, d), 0, F32)
	add(gate)
	l.Gate = gate
	l.Bias = ps.Add(name+"_exp_probs.bias", ClassState, Const(0), experts)
	gu := ps.Add(name+"_gate_up_exps.weight", ClassMatrix, FanIn(1, d), experts, 2*hidden, d)
	dn := ps.Add(name+"_down_exps.weight", ClassMatrix, FanIn(0.5, hidden), experts, d, hidden)
	for e := range experts {
		x := &Gated{D: d, Hidden: hidden}
		a, b := NewMatrix(gu, e, prec), NewMatrix(dn, e, prec)
		add(a)
		add(b)
		x.GateUp, x.Down = a, b
		l.Experts = append(l.Experts, x)
	}
	return l
}

// MoEAct is what Backward needs of Forward.
type MoEAct struct {
	Routing Routing
	start   []int32 // [E+1]: each expert's range of slots
	token   []int32 // [T·K]: the token in a slot
	which   []int32 // [T·K]: the slot's index into Routing.Weight
	xs, ys  []float32
	gated   []GatedAct
}

// Forward adds the feed-forward of x [T, D] to y.
func (l *MoE) Forward(s *Scratch, w, y, x []float32, t int, act *MoEAct) {
	l.ForwardRouted(s, w, y, x, x, t, act)
}

// ForwardRouted is Forward with the router's input gx [T, D] beside that of the
// experts.
func (l *MoE) ForwardRouted(s *Scratch, w, y, x, gx []float32, t int, act *MoEAct) {
	e, d := len(l.Experts), l.D
	logits := s.Floats(t * e)
	l.Gate.Mul(s, logits, gx, t, false)
	var bias []float32
	if l.Bias != nil {
		bias = l.Bias.Of(w)
	}
	l.Router.Route(s, &act.Routing, logits, bias, t)
	if l.Scale != nil {
		for i, x := range act.Routing.Expert {
			act.Routing.Weight[i] *= l.Scale.Of(w)[x]
		}
	}
	l.group(s, act)
	if !s.Keep && l.forwardLaid(s, y, x, act) {
		return
	}
	n := len(act.token)
	if s.Keep {
		act.xs, act.ys = s.Floats(n*d), s.Floats(n*d)
		if len(act.gated) != e {
			act.gated = make([]GatedAct, e)
		}
	}
	for ex, expert := range l.Experts {
		a, b := int(act.start[ex]), int(act.start[ex+1])
		if a == b && !s.Keep {
			continue
		}
		mark := s.Mark()
		var xs, ys []float32
		var scratchAct GatedAct
		ga := &scratchAct
		if s.Keep {
			xs, ys, ga = act.xs[a*d:b*d], act.ys[a*d:b*d], &act.gated[ex]
		} else {
			xs, ys = s.Floats((b-a)*d), s.Floats((b-a)*d)
		}
		for i := a; i < b; i++ {
			copy(xs[(i-a)*d:(i-a+1)*d], x[int(act.token[i])*d:])
		}
		expert.Forward(s, ys, xs, b-a, ga, false)
		for i := a; i < b; i++ {
			tok := int(act.token[i])
			kernel.Axpy(y[tok*d:(tok+1)*d], act.Routing.Weight[act.which[i]], ys[(i-a)*d:(i-a+1)*d])
		}
		if !s.Keep {
			s.Release(mark)
		}
	}
}

// group sorts assignments by expert, tokens ascending within each.
func (l *MoE) group(s *Scratch, act *MoEAct) {
	r := &act.Routing
	n := r.T * r.K
	act.start, act.token, act.which = s.Ints(r.E+1), s.Ints(n), s.Ints(n)
	clear(act.start)
	for _, e := range r.Expert {
		if int(e) >= r.E {
			panic(fmt.Sprintf("nn: router chose expert %d of %d", e, r.E))
		}
		act.start[e+1]++
	}
	for e := range r.E {
		act.start[e+1] += act.start[e]
	}
	next := s.Ints(r.E)
	copy(next, act.start)
	for i, e := range r.Expert {
		at := next[e]
		next[e]++
		act.token[at], act.which[at] = int32(i/r.K), int32(i)
	}
}

// Backward adds to dx and to the weights' gradients.
func (l *MoE) Backward(s *Scratch, g, dx, dy, x []float32, act *MoEAct) {
	d, r := l.D, &act.Routing
	mark := s.Mark()
	dw, dlogits := s.Floats(r.T*r.K), s.Floats(r.T*r.E)
	for ex, expert := range l.Experts {
		a, b := int(act.start[ex]), int(act.start[ex+1])
		m := s.Mark()
		dys, dxs := s.Floats((b-a)*d), s.Floats((b-a)*d)
		for i := a; i < b; i++ {
			row, tok := dys[(i-a)*d:(i-a+1)*d], int(act.token[i])
			copy(row, dy[tok*d:(tok+1)*d])
			dw[act.which[i]] = kernel.Dot(row, act.ys[i*d:(i+1)*d])
			kernel.Scale(row, r.Weight[act.which[i]])
		}
		expert.Backward(s, g, dxs, dys, act.xs[a*d:b*d], b-a, &act.gated[ex], false)
		for i := a; i < b; i++ {
			tok := int(act.token[i])
			kernel.Add(dx[tok*d:(tok+1)*d], dxs[(i-a)*d:(i-a+1)*d])
		}
		s.Release(m)
	}
	l.Router.Backward(dlogits, dw, r)
	gate := l.Gate.(Trainable)
	gate.MulT(s, dx, dlogits, r.T, true)
	gate.Grad(s, g, dlogits, x, r.T)
	s.Release(mark)
}
