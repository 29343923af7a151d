package encoder

import (
	"strconv"

	"github.com/handscroll/handscroll/internal/nn"
)

// gridBlock adds to each cell of a grid what its neighbourhood of 5 × 5 cells says.
type gridBlock struct {
	conv *nn.Depthwise
	norm *nn.RMSNorm
	ff   *nn.Gated
}

// gridBlocks are such blocks, one after another.
type gridBlocks []*gridBlock

func newGridBlocks(ps *nn.Params, prefix string, n, channels, hidden int, prec nn.Precision, add func(*nn.Matrix)) (bs gridBlocks) {
	for i := range n {
		name := prefix + strconv.Itoa(i) + "."
		bs = append(bs, &gridBlock{
			conv: nn.NewDepthwise(ps, name+"conv", channels, 5),
			norm: nn.NewRMSNorm(ps, name+"norm", channels),
			ff:   nn.NewGated(ps, name+"ffn", channels, hidden, prec, add),
		})
	}
	return bs
}

// gridAct is what a block's backward needs of its forward: the sum before it, its
// convolution, and that normalised.
type gridAct struct {
	sum, conv, norm, inv []float32
	ff                   nn.GatedAct
}

// forward returns the sums x [N, H, W, C] after all blocks; x is overwritten unless
// s.Keep is set.
func (bs gridBlocks) forward(s *nn.Scratch, w, x []float32, g nn.Grid, acts *[]gridAct) []float32 {
	*acts = make([]gridAct, len(bs))
	n := g.Cells()
	for i, b := range bs {
		mark, a := s.Mark(), &(*acts)[i]
		a.sum, a.conv, a.norm = x, s.Floats(len(x)), s.Floats(len(x))
		b.conv.Forward(s, w, a.conv, x, g)
		a.inv = b.norm.Forward(s, w, a.norm, a.conv)
		if !s.Keep {
			b.ff.Forward(s, x, a.norm, n, &a.ff, true)
			s.Release(mark)
			continue
		}
		next := s.Floats(len(x))
		copy(next, x)
		x = next
		b.ff.Forward(s, x, a.norm, n, &a.ff, true)
	}
	return x
}

// round rounds the feed-forwards' weights to eight bits for use, if their rows can be
// laid out.
func (bs gridBlocks) round(flat []float32) error {
	for _, b := range bs {
		if b.ff.D%32 != 0 || b.ff.Hidden%32 != 0 {
			continue
		}
		if err := b.ff.Round(flat); err != nil {
			return err
		}
	}
	return nil
}

// backward turns dx from the gradient of the sums after the blocks into that of those
// before, and adds to the parameters' gradients.
func (bs gridBlocks) backward(s *nn.Scratch, w, g, dx []float32, size nn.Grid, acts []gridAct) {
	for i := len(bs) - 1; i >= 0; i-- {
		b, a := bs[i], &acts[i]
		mark := s.Mark()
		dz, dy := s.Floats(len(dx)), s.Zeros(len(dx))
		b.ff.Backward(s, g, dz, dx, a.norm, size.Cells(), &a.ff, false)
		b.norm.Backward(w, g, dy, dz, a.conv, a.inv)
		b.conv.Backward(s, w, g, dx, dy, a.sum, size)
		s.Release(mark)
	}
}
