package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

func rsqrt(x float32) float32 { return float32(1 / math.Sqrt(float64(x))) }

// Conv is a causal depthwise convolution of a few taps within each segment:
// y_t = Σ_i w_i ⊙ x_{t−i}.
type Conv struct {
	D, Taps int
	W       *Param // [Taps, D]
}

// NewConv registers a convolution.
func NewConv(ps *Params, name string, d, taps int) *Conv {
	return &Conv{D: d, Taps: taps, W: ps.Add(name+".weight", ClassVector, Normal(0.3), taps, d)}
}

// Forward adds the convolution of x [T, D] to y.
func (l *Conv) Forward(w, y, x []float32, t *Tokens) {
	d, cw := l.D, l.W.Of(w)
	for _, sp := range t.Spans {
		for j := sp.Start; j < sp.End; j++ {
			for i := range min(l.Taps, j-sp.Start+1) {
				kernel.MulAdd(y[j*d:(j+1)*d], cw[i*d:(i+1)*d], x[(j-i)*d:(j-i+1)*d])
			}
		}
	}
}

// Backward adds to dx and the taps' gradient.
func (l *Conv) Backward(w, g, dx, dy, x []float32, t *Tokens) {
	d, cw, dw := l.D, l.W.Of(w), l.W.Of(g)
	for _, sp := range t.Spans {
		for j := sp.Start; j < sp.End; j++ {
			dj := dy[j*d : (j+1)*d]
			for i := range min(l.Taps, j-sp.Start+1) {
				kernel.MulAdd(dx[(j-i)*d:(j-i+1)*d], cw[i*d:(i+1)*d], dj)
				kernel.MulAdd(dw[i*d:(i+1)*d], x[(j-i)*d:(j-i+1)*d], dj)
			}
		}
	}
}
