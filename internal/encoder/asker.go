package encoder

import (
	"github.com/handscroll/handscroll/internal/nn"
)

// Asker turns the rows that the text's self-decoder makes of questions into
// queries over the keys of a sense.
type Asker struct {
	Loc   *nn.Locator
	layer *nn.SelfLayer
	norm  *nn.RMSNorm
	rope  *nn.Rope
}

// AskerHidden is the feed-forward of the layer that reads a question, times its
// width.
const askerHidden = 2

// newAsker registers an asker for rows of width d.
func newAsker(ps *nn.Params, prefix string, d, key int, prec nn.Precision, add func(*nn.Matrix)) *Asker {
	heads := d / 32
	c := nn.SelfConfig{Width: d, Heads: heads, Window: 64, Taps: 4, Hidden: askerHidden * d, Precision: prec}
	return &Asker{
		layer: nn.NewSelfLayer(ps, prefix+"ask.", c, add),
		norm:  nn.NewRMSNorm(ps, prefix+"ask.output_norm", d),
		Loc:   nn.NewLocator(ps, prefix+"ask", d, key, prec, add),
		rope:  nn.NewRope(d/heads, 1000),
	}
}

// AskerAct is what Backward needs of Forward.
type AskerAct struct {
	tokens       nn.Tokens
	layer        nn.SelfAct
	h, x, z, inv []float32
	Loc          nn.LocatorAct
}

// Rows makes of the hidden rows [T, D] of questions, a span each, one row a
// question, [R, D]: that of its last token.
func (a *Asker) Rows(s *nn.Scratch, w, hidden []float32, spans []nn.Span, act *AskerAct) []float32 {
	t := spans[len(spans)-1].End
	d := a.Loc.D
	act.tokens = nn.Tokens{T: t, Spans: spans}
	a.rope.Prepare(s, &act.tokens)
	h := s.Floats(t * d)
	copy(h, hidden)
	a.layer.Forward(s, w, h, &act.tokens, &act.layer)
	act.h = h
	act.x, act.z = s.Floats(len(spans)*d), s.Floats(len(spans)*d)
	for i, sp := range spans {
		copy(act.x[i*d:(i+1)*d], h[(sp.End-1)*d:sp.End*d])
	}
	act.inv = a.norm.Forward(s, w, act.z, act.x)
	return act.z
}

// Forward computes the weights over n keys; see Rows.
func (a *Asker) Forward(s *nn.Scratch, w, hidden []float32, spans []nn.Span, k []float32, n int, act *AskerAct) {
	z := a.Rows(s, w, hidden, spans, act)
	a.Loc.Forward(s, w, z, k, len(spans), n, &act.Loc)
}

// Backward adds the gradient of Σ weight·(−log of the mass on a question's
// target) to dk and the parameters', and returns the questions' losses. The
// hidden rows' gradient is not needed: the text's self-decoder is fixed.
func (a *Asker) Backward(s *nn.Scratch, w, g, dk, k []float32, n int, act *AskerAct, targets []nn.Target, weights []float32) []float32 {
	d, r := a.Loc.D, len(act.tokens.Spans)
	dz, dx, dh := s.Zeros(r*d), s.Zeros(r*d), s.Zeros(act.tokens.T*d)
	losses := a.Loc.Backward(s, w, g, dz, dk, act.z, k, r, n, &act.Loc, targets, weights)
	a.norm.Backward(w, g, dx, dz, act.x, act.inv)
	for i, sp := range act.tokens.Spans {
		copy(dh[(sp.End-1)*d:sp.End*d], dx[i*d:(i+1)*d])
	}
	a.layer.Backward(s, w, g, dh, &act.tokens, &act.layer)
	return losses
}
