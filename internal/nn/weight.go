package nn

import "github.com/handscroll/handscroll/internal/kernel"

// Weight is a matrix [Out, In] that rows are multiplied by. Training uses
// [Matrix]; quantised weights implement the same interface.
type Weight interface {
	// Mul computes dst[m,Out] = x[m,In]·Wᵀ, or += when acc.
	Mul(s *Scratch, dst, x []float32, m int, acc bool)
}

// Trainable is a Weight with a backward pass.
type Trainable interface {
	Weight
	// MulT computes dx[m,In] = dy[m,Out]·W, or += when acc.
	MulT(s *Scratch, dx, dy []float32, m int, acc bool)
	// Grad adds dyᵀ·x to the weight's range of the flat gradient g.
	Grad(s *Scratch, g, dy, x []float32, m int)
}

// Precision of the operands of matrix products; accumulation is float32.
type Precision uint8

const (
	// F32 multiplies float32 operands.
	F32 Precision = iota
	// BF16 rounds both operands to bfloat16.
	BF16
)

// Matrix is a Weight over a range of a flat parameter vector. Refresh must be
// called after the values change.
type Matrix struct {
	out, in int
	off     int
	prec    Precision
	f, fT   kernel.PackedF32
	b, bT   kernel.PackedBF16
	rounded *Blocks // after Round
}

// NewMatrix makes a weight over p; part e of a parameter [E, Out, In] is its
// e-th matrix.
func NewMatrix(p *Param, e int, prec Precision) *Matrix {
	out, in := p.Shape[len(p.Shape)-2], p.Shape[len(p.Shape)-1]
	return &Matrix{out: out, in: in, off: p.Off + e*out*in, prec: prec}
}

// Refresh packs the values in flat for products, and for the products of
// backward when train is set.
func (w *Matrix) Refresh(flat []float32, train bool) {
	v := flat[w.off : w.off+w.out*w.in]
	if w.prec == BF16 {
		w.b.Pack(v, 1, w.in, w.in, w.out)
		if train {
			w.bT.Pack(v, w.in, 1, w.out, w.in)
		}
		return
	}
	w.f.Pack(v, 1, w.in, w.in, w.out)
	if train {
		w.fT.Pack(v, w.in, 1, w.out, w.in)
	}
}

// Mul implements Weight.
func (w *Matrix) Mul(s *Scratch, dst, x []float32, m int, acc bool) {
	if w.rounded != nil {
		w.rounded.Mul(s, dst, x, m, acc)
		return
	}
	w.product(s, dst, x, m, w.out, w.in, &w.f, &w.b, acc)
}

// MulT implements Trainable.
func (w *Matrix) MulT(s *Scratch, dx, dy []float32, m int, acc bool) {
	w.product(s, dx, dy, m, w.in, w.out, &w.fT, &w.bT, acc)
}

func (w *Matrix) product(s *Scratch, dst, x []float32, m, n, k int, f *kernel.PackedF32, b *kernel.PackedBF16, acc bool) {
	if m == 0 {
		return
	}
	if w.prec == F32 {
		kernel.GemmF32(dst, n, x, k, 1, f, m, acc)
		return
	}
	mark := s.Mark()
	ld := (k + 1) &^ 1
	h := s.u16.get(m * ld)
	if ld == k {
		kernel.ToBF16(h, x[:m*k])
	} else {
		for i := range m {
			kernel.ToBF16(h[i*ld:i*ld+k], x[i*k:(i+1)*k])
			h[i*ld+k] = 0
		}
	}
	kernel.GemmBF16(dst, n, h, ld, b, m, acc)
	s.Release(mark)
}

// Grad implements Trainable. It is computed in float32 at either precision.
func (w *Matrix) Grad(s *Scratch, g, dy, x []float32, m int) {
	if m == 0 {
		return
	}
	s.mul(g[w.off:w.off+w.out*w.in], w.in, dy, 1, w.out, x, w.in, 1, w.out, w.in, m, true)
}
