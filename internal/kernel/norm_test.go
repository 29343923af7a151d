package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestNormOps(t *testing.T) {
	half := func(b []float32) []float32 { return b[:len(b)/2] }
	ropeWith := func(inverse bool) func(b [][]float32) float32 {
		return noResult(func(b [][]float32) { Rope(b[0][:len(b[0])&^1], half(b[1]), half(b[2]), inverse) })
	}
	ropeTwin := func(sign float32) func(b [][]float32) float32 {
		return noResult(func(b [][]float32) {
			n := len(b[0]) / 2
			ropeGeneric(b[0][:n], b[0][n:2*n], b[1], b[2], sign)
		})
	}
	testVectorOps(t, []vectorOp{
		{"scaleMul", 3, noResult(func(b [][]float32) { scaleMul(b[0], b[1], b[2], 0.3) }),
			noResult(func(b [][]float32) { scaleMulGeneric(b[0], b[1], b[2], 0.3) }), 0},
		{"dot3", 3, func(b [][]float32) float32 { return dot3(b[0], b[1], b[2]) },
			func(b [][]float32) float32 { return dot3Generic(b[0], b[1], b[2]) }, 2e-5},
		{"rmsNormBackward", 5,
			noResult(func(b [][]float32) { rmsNormBackward(b[0], b[1], b[2], b[3], b[4], 0.3, 0.7) }),
			noResult(func(b [][]float32) { rmsNormBackwardGeneric(b[0], b[1], b[2], b[3], b[4], 0.3, 0.7) }), 2e-6},
		{"Rope", 3, ropeWith(false), ropeTwin(1), 1e-6},
		{"RopeInverse", 3, ropeWith(true), ropeTwin(-1), 1e-6},
	})
}

// TestRMSNormGradient compares the forward pass with its definition and the
// backward pass with central differences, both in float64.
func TestRMSNormGradient(t *testing.T) {
	const eps, h = 1e-5, 1e-5
	onEveryCPU(t, func(t *testing.T) {
		for _, n := range []int{1, 2, 7, 16, 33, 64, 129} {
			r := rand.New(rand.NewPCG(6, uint64(n)))
			b, _ := guarded(r, 6, n, false)
			y, x, gain, dy, dx, dgain := b[0], b[1], b[2], b[3], b[4], b[5]
			clear(dx)
			clear(dgain)
			norm := func(x, gain []float64) (y []float64, loss float64) {
				sum := 0.0
				for _, v := range x {
					sum += v * v
				}
				y = make([]float64, n)
				for i, v := range x {
					y[i] = v / math.Sqrt(sum/float64(n)+eps) * gain[i]
					loss += y[i] * float64(dy[i])
				}
				return y, loss
			}
			x64, gain64 := widen(x), widen(gain)
			inv := RMSNorm(y, x, gain, eps)
			RMSNormBackward(dx, dgain, dy, x, gain, inv)
			want, _ := norm(x64, gain64)
			slope := func(at *float64) float64 {
				v := *at
				*at = v + h
				_, up := norm(x64, gain64)
				*at = v - h
				_, down := norm(x64, gain64)
				*at = v
				return (up - down) / (2 * h)
			}
			for i := range y {
				near(t, "y", x[i], y[i], want[i])
				near(t, "dgain", x[i], dgain[i], slope(&gain64[i]))
				if s := slope(&x64[i]); math.Abs(float64(dx[i])-s) > 2e-5*max(1, math.Abs(s)) {
					t.Errorf("n = %d, dx[%d] = %v, want %v", n, i, dx[i], s)
				}
			}
		}
		if inv := RMSNorm(nil, nil, nil, eps); inv != 0 {
			t.Errorf("inv of nothing is %v", inv)
		}
	})
}

func TestRopeTurnsBack(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		for half := 1; half <= 40; half++ {
			x, cos, sin := make([]float32, 2*half), make([]float32, half), make([]float32, half)
			for i := range cos {
				s, c := math.Sincos(float64(7*i) / 3)
				cos[i], sin[i] = float32(c), float32(s)
				x[i], x[half+i] = 1, 0
			}
			Rope(x, cos, sin, false)
			for i := range cos {
				near(t, "cos", float32(i), x[i], float64(cos[i]))
				near(t, "sin", float32(i), x[half+i], float64(sin[i]))
			}
			Rope(x, cos, sin, true)
			for i := range cos {
				near(t, "back", float32(i), x[i], 1)
				near(t, "back", float32(i), x[half+i], 0)
			}
		}
	})
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
