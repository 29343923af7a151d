package nn

import (
	"errors"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

// laidGated is a gated feed-forward whose weights are laid out for products in
// int8, so that its hidden layer can be computed and rounded in pieces that
// never leave the cache.
type laidGated struct {
	gate, up, down     *kernel.Blocks
	upFrom             int       // first column of up
	innerBias, outBias []float32 // [2·Hidden], [D], or nil
}

// laid returns the layer's weights if all of them are laid out.
func (l *Gated) laid() (g laidGated, ok bool) {
	inner, innerBias := unbiased(l.GateUp)
	down, outBias := unbiased(l.Down)
	if inner == nil || down == nil || len(down.parts) != 1 || l.Hidden%32 != 0 {
		return g, false
	}
	g = laidGated{gate: inner.parts[0].blocks, down: down.parts[0].blocks, innerBias: innerBias, outBias: outBias}
	switch len(inner.parts) {
	case 1:
		g.up, g.upFrom = g.gate, l.Hidden
	case 2:
		g.up = inner.parts[1].blocks
	}
	return g, g.gate != nil && g.up != nil && g.down != nil && g.gate.Alike(g.up)
}

// unbiased takes a bias off a weight as a file stores it, or that was rounded; others
// are nil.
func unbiased(w Weight) (*Blocks, []float32) {
	switch w := w.(type) {
	case *Blocks:
		return w, nil
	case *Biased:
		b, _ := unbiased(w.Weight)
		return b, w.Bias
	case *Matrix:
		return w.rounded, nil
	}
	return nil, nil
}

// laidGroup is a feed-forward and the rows that go through it.
type laidGroup struct {
	laidGated
	from, to int
}

// groupRows is up to how many rows of a group are taken at a time: what stays of
// them in the cache is their hidden layer's piece of 32 columns.
const groupRows = 256

// forwardGroups writes to y [n, D] the feed-forward of rounded rows x, each row by
// the weights of its group; with acc, it adds. All groups' weights must be alike.
func (s *Scratch) forwardGroups(y []float32, x *kernel.Rows8, d, hidden int, act Activation, groups []laidGroup, acc bool) {
	if len(groups) == 0 {
		return
	}
	s.prepare(x, groups[0].gate)
	inner := &s.hidden
	inner.Resize(x.Len(), hidden)
	s.shareOut(len(groups), hidden, func(worker, g, from, to int) {
		s.worker(worker).inner(inner, x, &groups[g], hidden, act, from, to)
	})
	s.prepare(inner, groups[0].down)
	s.shareOut(len(groups), d, func(worker, i, from, to int) {
		g := &groups[i]
		kernel.GemmBlocks(&s.worker(worker).blocks, y[g.from*d+from:], d, inner, g.from, g.to, g.down, from, to, acc)
		if g.outBias != nil {
			for r := g.from; r < g.to; r++ {
				kernel.Add(y[r*d+from:r*d+to], g.outBias[from:to])
			}
		}
	})
}

// shareOut shares out the columns of groups, whole panels at a time: several pieces a
// worker, but long ones, since memory is read faster in long runs.
func (s *Scratch) shareOut(groups, cols int, f func(worker, group, from, to int)) {
	const panel = 32
	size := max(panel, cols*groups/(8*s.Team.Workers())/panel*panel)
	size = min(size, (cols+panel-1)/panel*panel)
	pieces := (cols + size - 1) / size
	s.Team.Run(groups*pieces, func(worker, i int) {
		from := i % pieces * size
		f(worker, i/pieces, from, min(cols, from+size))
	})
}

// inner computes columns from to to of the hidden layer of a group, and rounds
// them: panel by panel, or for a few rows all columns in one go, so that memory is
// read in long runs.
func (ws *worker) inner(dst, x *kernel.Rows8, g *laidGroup, hidden int, act Activation, from, to int) {
	step, rows := 32, groupRows
	if g.to-g.from <= fewTokens {
		step, rows = to-from, fewTokens
	}
	ws.panel = grow(ws.panel, 2*rows*step)
	for r := g.from; r < g.to; r += rows {
		m := min(rows, g.to-r)
		for j := from; j < to; j += step {
			n := min(step, to-j)
			gate, up := ws.panel[:m*n], ws.panel[rows*step:][:m*n]
			kernel.GemmBlocks(&ws.blocks, gate, n, x, r, r+m, g.gate, j, j+n, false)
			kernel.GemmBlocks(&ws.blocks, up, n, x, r, r+m, g.up, g.upFrom+j, g.upFrom+j+n, false)
			if g.innerBias != nil {
				for i := 0; i < len(gate); i += n {
					kernel.Add(gate[i:i+n], g.innerBias[j:j+n])
					kernel.Add(up[i:i+n], g.innerBias[hidden+j:hidden+j+n])
				}
			}
			act.gate(gate, gate, up)
			if n == 32 {
				dst.SetTile(r, m, j, gate)
				continue
			}
			for i := range m {
				dst.SetPart(r+i, j, gate[i*n:(i+1)*n])
			}
		}
	}
}

// forwardLaid is ForwardRouted after routing, if all experts are laid out or can be.
func (l *MoE) forwardLaid(s *Scratch, y, x []float32, act *MoEAct) bool {
	if _, ok := l.Experts[0].laid(); !ok && l.Cache == nil {
		return false
	}
	if cap(s.groups) < len(l.Experts) {
		s.groups = make([]laidGroup, 0, len(l.Experts))
	}
	d, n := l.D, len(act.token)
	ys := s.Floats(n * d)
	slot := s.Ints(n) // where an assignment of a token went
	s.rows.Resize(n, d)
	s.Rows(n, func(from, to int) {
		for i := from; i < to; i++ {
			slot[act.which[i]] = int32(i)
			s.rows.Set(i, x[int(act.token[i])*d:][:d])
		}
	})
	most := len(l.Experts)
	if l.Cache != nil {
		l.Cache.mu.Lock()
		defer l.Cache.mu.Unlock()
		most = l.Cache.most
	}
	for e := 0; e < len(l.Experts); {
		groups := s.groups[:0]
		for ; e < len(l.Experts) && len(groups) < most; e++ {
			from, to := int(act.start[e]), int(act.start[e+1])
			if from == to {
				continue
			}
			if l.Cache != nil {
				l.Cache.need(s.Team, l.Experts[e])
			}
			g, ok := l.Experts[e].laid()
			if !ok || len(groups) > 0 && !(g.gate.Alike(groups[0].gate) && g.down.Alike(groups[0].down)) {
				return false
			}
			groups = append(groups, laidGroup{g, from, to})
		}
		s.forwardGroups(ys, &s.rows, d, l.Hidden, l.Experts[0].Act, groups, false)
	}
	k := act.Routing.K
	s.Rows(act.Routing.T, func(from, to int) {
		for t := from; t < to; t++ {
			for i := t * k; i < (t+1)*k; i++ {
				kernel.Axpy(y[t*d:(t+1)*d], act.Routing.Weight[i], ys[int(slot[i])*d:][:d])
			}
		}
	})
	return true
}

// Round rounds the weights of a feed-forward made by [NewGated]; see [Matrix.Round].
func (l *Gated) Round(flat []float32) error {
	for _, w := range []Weight{l.GateUp, l.Down} {
		m, ok := w.(*Matrix)
		if !ok {
			return errors.New("nn: only trained weights can be rounded")
		}
		if err := m.Round(flat); err != nil {
			return err
		}
	}
	return nil
}

// Round rounds a weight to eight bits (Q8_0) and lays it out for serving: there is no
// backward pass any more. Rows must be whole blocks of 32.
func (w *Matrix) Round(flat []float32) error {
	elements, size, _ := tensor.Q8_0.Block()
	data := make([]byte, w.out*w.in/elements*size)
	if err := quant.Encode(data, tensor.Q8_0, flat[w.off:w.off+w.out*w.in]); err != nil {
		return err
	}
	b := &Blocks{In: w.in}
	if err := b.Append(tensor.Q8_0, data); err != nil {
		return err
	}
	Lay(nil, nil, b)
	*w = Matrix{out: w.out, in: w.in, off: w.off, prec: w.prec, rounded: b}
	return nil
}
