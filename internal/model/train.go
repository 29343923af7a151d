package model

import (
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// Sample is one packed training sequence: context spans first, then the spans
// of questions, whose rows see the whole context.
type Sample struct {
	IDs     []int32
	Spans   []nn.Span
	Context int // tokens of context: entries [0, Context) are what rows attend to
	Rows    nn.Rows
}

// Result is what one pass over a sample reports.
type Result struct {
	Rows   []nn.RowLoss
	Router float64     // the routers' weighted auxiliary losses
	Load   [][]float32 // a slice of expert shares for each MoE layer of the self-decoder
}

// crossAct keeps what backward needs of one cross layer.
type crossAct struct {
	in, norm, inv [2][]float32
	attn          nn.CrossAct
	ff            nn.FeedForwardAct
}

// Train runs one sample forward and, with a gradient vector g, backward,
// adding to g. The scratch is reset.
func (m *Native) Train(s *nn.Scratch, g []float32, smp *Sample) *Result {
	s.Reset()
	s.Keep = true
	w, d, n, rows := m.Params.Data, m.Config.Width, smp.Context, &smp.Rows
	t := &nn.Tokens{T: len(smp.IDs), Spans: smp.Spans}
	acts := make([]nn.SelfAct, len(m.layers))
	h := m.selfDecoder(s, smp.IDs, t, acts)
	ctx := t.First(n)
	var ea entryAct
	k, v := m.entries(s, h[:n*d], ctx, &ea)

	r := rows.Len()
	x := s.Floats(r * d)
	for i, tok := range rows.Token {
		copy(x[i*d:(i+1)*d], h[int(tok)*d:(int(tok)+1)*d])
	}
	cacts := make([]crossAct, len(m.cross))
	for i, l := range m.cross {
		l.forward(s, w, x, k, v, n, rows, &cacts[i])
	}
	out := s.Floats(r * d)
	inv := m.normOut.Forward(s, w, out, x)
	occ := nn.NewOccurrences(s, smp.IDs[:n], m.Config.Vocab)
	dout := s.Zeros(r * d)
	last := &cacts[len(cacts)-1].attn
	res := &Result{}
	var ptr []nn.PointerGrad
	res.Rows, ptr = m.pointer.Loss(s, w, g, dout, out, smp.IDs, rows, last, m.Config.CrossHeads, occ, g != nil)
	m.routers(res, acts, cacts)
	if g == nil {
		return res
	}

	dx := s.Zeros(r * d)
	m.normOut.Backward(w, g, dx, dout, x, inv)
	dk, dv := s.Zeros(len(k)), s.Zeros(len(v))
	for i := len(m.cross) - 1; i >= 0; i-- {
		if i < len(m.cross)-1 {
			ptr = nil
		}
		m.cross[i].backward(s, w, g, dx, dk, dv, k, v, n, rows, &cacts[i], ptr)
	}
	dh := s.Zeros(len(h))
	for i, tok := range rows.Token {
		kernel.Add(dh[int(tok)*d:(int(tok)+1)*d], dx[i*d:(i+1)*d])
	}
	m.entriesBackward(s, g, dh[:n*d], dk, dv, h[:n*d], ctx, &ea)
	for i := len(m.layers) - 1; i >= 0; i-- {
		m.layers[i].Backward(s, w, g, dh, t, &acts[i])
	}
	m.embed.Backward(g, dh, smp.IDs)
	return res
}

func (m *Native) routers(res *Result, acts []nn.SelfAct, cacts []crossAct) {
	for i, l := range m.layers {
		if l.FF.MoE != nil {
			r := &acts[i].FF.MoE.Routing
			res.Router += l.FF.MoE.Router.Loss(r)
			res.Load = append(res.Load, append([]float32(nil), r.Load...))
		}
	}
	for i, l := range m.cross {
		if l.ff.MoE != nil {
			r := &cacts[i].ff.MoE.Routing
			res.Router += l.ff.MoE.Router.Loss(r)
			res.Load = append(res.Load, append([]float32(nil), r.Load...))
		}
	}
}

// Balance moves the selection biases of the MoE layers towards equal load;
// load is laid out as in Result.
func (m *Native) Balance(load [][]float32, rate float32) {
	for i, l := range m.moes {
		nn.BalanceBias(l.Bias.Of(m.Params.Data), load[i], rate)
	}
}

// forward applies the layer to rows x [R, D] in place.
func (l *crossLayer) forward(s *nn.Scratch, w, x, k, v []float32, n int, rows *nn.Rows, act *crossAct) {
	step := func(i int, norm *nn.RMSNorm) []float32 {
		act.in[i], act.norm[i] = s.Floats(len(x)), s.Floats(len(x))
		copy(act.in[i], x)
		act.inv[i] = norm.Forward(s, w, act.norm[i], x)
		return act.norm[i]
	}
	l.attn.Forward(s, w, x, step(0, l.normAttn), k, v, n, rows, &act.attn)
	l.ff.Forward(s, w, x, step(1, l.normFF), rows.Len(), &act.ff)
}

func (l *crossLayer) backward(s *nn.Scratch, w, g, dx, dk, dv, k, v []float32, n int, rows *nn.Rows, act *crossAct, ptr []nn.PointerGrad) {
	mark := s.Mark()
	dn := s.Zeros(len(dx))
	l.ff.Backward(s, g, dn, dx, act.norm[1], rows.Len(), &act.ff)
	l.normFF.Backward(w, g, dx, dn, act.in[1], act.inv[1])
	clear(dn)
	l.attn.Backward(s, w, g, dn, dk, dv, dx, act.norm[0], k, v, n, rows, &act.attn, ptr)
	l.normAttn.Backward(w, g, dx, dn, act.in[0], act.inv[0])
	s.Release(mark)
}
