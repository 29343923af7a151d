package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Eps keeps normalisation finite.
const Eps = 1e-6

// RMSNorm scales each row to unit root mean square and by a learned gain
// (arXiv 1910.07467).
type RMSNorm struct {
	D    int
	Gain *Param  // [D]
	Eps  float32 // added to the mean square
}

// NewRMSNorm registers a norm.
func NewRMSNorm(ps *Params, name string, d int) *RMSNorm {
	return &RMSNorm{D: d, Gain: ps.Add(name+".weight", ClassVector, Const(1), d), Eps: Eps}
}

// Forward writes y [T, D] and returns 1/rms of each row.
func (l *RMSNorm) Forward(s *Scratch, w, y, x []float32) (inv []float32) {
	d, g := l.D, l.Gain.Of(w)
	t := len(x) / d
	inv = s.Floats(t)
	s.Rows(t, func(from, to int) {
		for i := from; i < to; i++ {
			inv[i] = kernel.RMSNorm(y[i*d:(i+1)*d], x[i*d:(i+1)*d], g, l.Eps)
		}
	})
	return inv
}

// Backward adds to dx and to the gain's gradient.
func (l *RMSNorm) Backward(w, g, dx, dy, x, inv []float32) {
	d, gain, dgain := l.D, l.Gain.Of(w), l.Gain.Of(g)
	for i := range inv {
		r := i * d
		kernel.RMSNormBackward(dx[r:r+d], dgain, dy[r:r+d], x[r:r+d], gain, inv[i])
	}
}

// LayerNorm subtracts each row's mean, scales it to unit variance, and applies a
// gain and a bias (arXiv 1607.06450). It is for serving: it has no backward pass.
type LayerNorm struct {
	D          int
	Gain, Bias *Param // [D]
	Eps        float32
}

// Forward writes y [T, D].
func (l *LayerNorm) Forward(w, y, x []float32) {
	d, gain, bias := l.D, l.Gain.Of(w), l.Bias.Of(w)
	for r := 0; r < len(x); r += d {
		row, out := x[r:r+d], y[r:r+d]
		mean := 0.0
		for _, v := range row {
			mean += float64(v)
		}
		mean /= float64(d)
		sum := 0.0
		for _, v := range row {
			sum += (float64(v) - mean) * (float64(v) - mean)
		}
		inv := 1 / math.Sqrt(sum/float64(d)+float64(l.Eps))
		for i, v := range row {
			out[i] = float32((float64(v)-mean)*inv)*gain[i] + bias[i]
		}
	}
}

// Normalise scales x by 1/√(Σx²+Eps), in place, and returns the factor.
func Normalise(x []float32) float32 {
	inv := rsqrt(kernel.SumSquares(x) + Eps)
	kernel.Scale(x, inv)
	return inv
}

// NormaliseBackward turns dy (gradient of the unit vector y) into the gradient
// of x, in place: dx = inv·(dy − y·⟨dy, y⟩), exact up to Eps.
func NormaliseBackward(dy, y []float32, inv float32) {
	kernel.Axpy(dy, -kernel.Dot(dy, y), y)
	kernel.Scale(dy, inv)
}
