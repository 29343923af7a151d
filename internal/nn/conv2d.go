package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Grid is the size of a batch of feature maps: N maps of H rows and W columns.
type Grid struct{ N, H, W int }

// Cells is N·H·W.
func (g Grid) Cells() int { return g.N * g.H * g.W }

// Conv2D is a convolution over maps [N, H, W, In] with a bias and zero padding;
// a sequence is a map of one row.
type Conv2D struct {
	In, Out, KH, KW int
	Stride          int // of columns, and of rows if KH > 1
	PadH, PadW      int
	W               Trainable // [Out, KH·KW·In]
	Bias            *Param    // [Out]
}

// NewConv2D registers a convolution with kernels of kh × kw, padded so that a
// stride of 1 keeps the size.
func NewConv2D(ps *Params, name string, in, out, kh, kw, stride int, prec Precision, add func(*Matrix)) *Conv2D {
	n := kh * kw * in
	w := NewMatrix(ps.Add(name+".weight", ClassMatrix, FanIn(math.Sqrt2, n), out, n), 0, prec)
	add(w)
	return &Conv2D{
		In: in, Out: out, KH: kh, KW: kw, Stride: stride, PadH: (kh - 1) / 2, PadW: (kw - 1) / 2,
		W: w, Bias: ps.Add(name+".bias", ClassVector, Const(0), out),
	}
}

// Size is the size of the output for an input of size g.
func (l *Conv2D) Size(g Grid) Grid {
	o := Grid{g.N, g.H, (g.W+2*l.PadW-l.KW)/l.Stride + 1}
	if l.KH > 1 {
		o.H = (g.H+2*l.PadH-l.KH)/l.Stride + 1
	}
	return o
}

// convRows output cells are multiplied at a time: their inputs stay in cache.
const convRows = 512

// tiles visits runs of whole output rows.
func (l *Conv2D) tiles(o Grid, f func(row, rows int)) {
	step := max(1, convRows/o.W)
	for row := 0; row < o.N*o.H; row += step {
		f(row, min(step, o.N*o.H-row))
	}
}

// window calls f for every row of a kernel's window over output rows [row,
// row+rows): the columns of the gathered matrix at dst belong to the input x.
func (l *Conv2D) windows(g, o Grid, row, rows int, f func(dst, x, n int)) {
	width := l.KH * l.KW * l.In
	for r := range rows {
		n, oy := (row+r)/o.H, (row+r)%o.H
		for ox := range o.W {
			at := (r*o.W + ox) * width
			x0 := ox*l.Stride - l.PadW
			from, to := max(0, -x0), min(l.KW, g.W-x0)
			for ky := range l.KH {
				y := oy + ky - l.PadH
				if l.KH > 1 {
					y = oy*l.Stride + ky - l.PadH
				}
				if y < 0 || y >= g.H || from >= to {
					continue
				}
				f(at+(ky*l.KW+from)*l.In, ((n*g.H+y)*g.W+x0+from)*l.In, (to-from)*l.In)
			}
		}
	}
}

// Forward writes y of size l.Size(g) from x of size g.
func (l *Conv2D) Forward(s *Scratch, w, y, x []float32, g Grid) {
	o, width := l.Size(g), l.KH*l.KW*l.In
	bias := l.Bias.Of(w)
	l.tiles(o, func(row, rows int) {
		mark := s.Mark()
		cols := s.Zeros(rows * o.W * width)
		l.windows(g, o, row, rows, func(dst, from, n int) { copy(cols[dst:dst+n], x[from:from+n]) })
		out := y[row*o.W*l.Out : (row+rows)*o.W*l.Out]
		for i := 0; i < len(out); i += l.Out {
			copy(out[i:i+l.Out], bias)
		}
		l.W.Mul(s, out, cols, rows*o.W, true)
		s.Release(mark)
	})
}

// Backward adds to dx, unless it is nil, and to the parameters' gradients.
func (l *Conv2D) Backward(s *Scratch, g, dx, dy, x []float32, size Grid) {
	o, width := l.Size(size), l.KH*l.KW*l.In
	dbias := l.Bias.Of(g)
	l.tiles(o, func(row, rows int) {
		mark := s.Mark()
		n := rows * o.W
		d := dy[row*o.W*l.Out : (row+rows)*o.W*l.Out]
		cols := s.Zeros(n * width)
		l.windows(size, o, row, rows, func(dst, from, n int) { copy(cols[dst:dst+n], x[from:from+n]) })
		l.W.Grad(s, g, d, cols, n)
		for i := 0; i < len(d); i += l.Out {
			kernel.Add(dbias, d[i:i+l.Out])
		}
		if dx != nil {
			l.W.MulT(s, cols, d, n, false)
			l.windows(size, o, row, rows, func(src, to, n int) { kernel.Add(dx[to:to+n], cols[src:src+n]) })
		}
		s.Release(mark)
	})
}

// Depthwise is a convolution of each channel by itself over maps [N, H, W, C],
// K × K taps, zero padding, stride 1.
type Depthwise struct {
	C, K int
	W    *Param // [K·K, C]
}

// NewDepthwise registers a depthwise convolution.
func NewDepthwise(ps *Params, name string, c, k int) *Depthwise {
	return &Depthwise{C: c, K: k, W: ps.Add(name+".weight", ClassVector, Normal(1/float64(k)), k*k, c)}
}

// taps visits each tap with its weights repeated along a row, and the range of
// output columns whose input is inside the map.
func (l *Depthwise) taps(g Grid, f func(tap, dy, dx, from, to int)) {
	r := l.K / 2
	for t := range l.K * l.K {
		dy, dx := t/l.K-r, t%l.K-r
		f(t, dy, dx, max(0, -dx), min(g.W, g.W-dx))
	}
}

// rows visits the pairs of output and input rows that a tap joins, each as the
// index of its first element.
func (l *Depthwise) rows(g Grid, dy, dx, from int, f func(out, in int)) {
	for n := range g.N {
		for y := max(0, -dy); y < min(g.H, g.H-dy); y++ {
			row := (n*g.H + y) * g.W
			f((row+from)*l.C, (row+dy*g.W+from+dx)*l.C)
		}
	}
}

// Forward writes y [N, H, W, C].
func (l *Depthwise) Forward(s *Scratch, w, y, x []float32, g Grid) {
	clear(y[:g.Cells()*l.C])
	if l.K != kernel.Taps {
		l.forwardAny(s, w, y, x, g)
		return
	}
	mark := s.Mark()
	r, n, taps := l.K/2*l.C, g.W*l.C, l.W.Of(w)
	row := s.Zeros(n + 2*r) // with a margin of zeros
	for at := range g.N * g.H {
		copy(row[r:], x[at*n:(at+1)*n])
		for dy := -(l.K / 2); dy <= l.K/2; dy++ { // the outputs that see this row
			if out := at%g.H - dy; out >= 0 && out < g.H {
				kernel.Taps5(y[(at-dy)*n:(at-dy+1)*n], taps[(dy+l.K/2)*l.K*l.C:], row, l.C)
			}
		}
	}
	s.Release(mark)
}

// forwardAny is Forward for any number of taps.
func (l *Depthwise) forwardAny(s *Scratch, w, y, x []float32, g Grid) {
	mark := s.Mark()
	tile := s.Floats(g.W * l.C)
	l.taps(g, func(t, dy, dx, from, to int) {
		n := (to - from) * l.C
		if n <= 0 {
			return
		}
		l.repeat(tile[:n], w, t)
		l.rows(g, dy, dx, from, func(out, in int) { kernel.MulAdd(y[out:out+n], tile[:n], x[in:in+n]) })
	})
	s.Release(mark)
}

func (l *Depthwise) repeat(tile, w []float32, tap int) {
	c := l.W.Of(w)[tap*l.C : (tap+1)*l.C]
	for i := 0; i < len(tile); i += l.C {
		copy(tile[i:i+l.C], c)
	}
}

// Backward adds to dx and to the weights' gradient.
func (l *Depthwise) Backward(s *Scratch, w, g, dx, dy, x []float32, size Grid) {
	if l.K != kernel.Taps {
		l.backwardAny(s, w, g, dx, dy, x, size)
		return
	}
	mark := s.Mark()
	half, n, c := l.K/2, size.W*l.C, l.C
	taps, dw := l.W.Of(w), l.W.Of(g)
	turned := s.Floats(len(taps)) // what goes out to the right comes back from the left
	for t := range l.K * l.K {
		copy(turned[t*c:(t+1)*c], taps[len(taps)-(t+1)*c:])
	}
	row, out := s.Zeros(n+2*half*c), s.Zeros(n+2*half*c)
	for at := range size.N * size.H {
		copy(row[half*c:], x[at*n:(at+1)*n])
		copy(out[half*c:], dy[at*n:(at+1)*n])
		for d := -half; d <= half; d++ {
			i := at%size.H - d
			if i < 0 || i >= size.H {
				continue
			}
			other, tap := (at-d)*n, (d+half)*l.K*c
			kernel.Taps5(dx[other:other+n], turned[tap:], out, c)
			kernel.TapsGrad5(dw[tap:], dy[other:other+n], row, c)
		}
	}
	s.Release(mark)
}

// backwardAny is Backward for any number of taps.
func (l *Depthwise) backwardAny(s *Scratch, w, g, dx, dy, x []float32, size Grid) {
	mark := s.Mark()
	tile, sum := s.Floats(size.W*l.C), s.Floats(size.W*l.C)
	l.taps(size, func(t, oy, ox, from, to int) {
		n := (to - from) * l.C
		if n <= 0 {
			return
		}
		l.repeat(tile[:n], w, t)
		clear(sum[:n])
		l.rows(size, oy, ox, from, func(out, in int) {
			kernel.MulAdd(dx[in:in+n], tile[:n], dy[out:out+n])
			kernel.MulAdd(sum[:n], dy[out:out+n], x[in:in+n])
		})
		d := l.W.Of(g)[t*l.C : (t+1)*l.C]
		for i := 0; i < n; i += l.C {
			kernel.Add(d, sum[i:i+l.C])
		}
	})
	s.Release(mark)
}

// ReLU replaces what is below zero by zero (in place).
func ReLU(x []float32) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// ReLUBackward clears dy where y, the result of [ReLU], is zero.
func ReLUBackward(dy, y []float32) {
	for i, v := range y {
		if v <= 0 {
			dy[i] = 0
		}
	}
}

// Classify turns logits [T, C] into probabilities and returns each row's −log p
// of its target, 0 for rows with a target below 0. With grad it leaves in logits
// the gradient of Σ weight·loss.
func Classify(logits []float32, c int, targets []int32, weights []float32, grad bool) (losses []float32) {
	losses = make([]float32, len(targets))
	for i, y := range targets {
		row := logits[i*c : (i+1)*c]
		if y < 0 {
			if grad {
				clear(row)
			} else {
				kernel.Softmax(row, 1)
			}
			continue
		}
		kernel.Softmax(row, 1)
		losses[i] = -float32(math.Log(float64(max(row[y], 1e-30))))
		if grad {
			row[y]--
			kernel.Scale(row, weights[i])
		}
	}
	return losses
}
