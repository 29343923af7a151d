package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestAxpyInt8 holds the operation to its twin for every short length, with
// guard bands.
func TestAxpyInt8(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 131 {
		y, x := make([]float32, n+2*band), make([]int8, n)
		for i := range y {
			y[i] = float32(r.NormFloat64())
		}
		for i := range x {
			x[i] = int8(r.IntN(256) - 128)
		}
		want := append([]float32(nil), y...)
		axpyInt8Generic(want[band:band+n], 0.37, x)
		AxpyInt8(y[band:band+n], 0.37, x)
		for i := range y {
			if d := math.Abs(float64(y[i] - want[i])); d > 1e-5 {
				t.Fatalf("length %d: element %d is %g, want %g", n, i-band, y[i], want[i])
			}
		}
	}
}
