package kernel

import (
	"math"
	"testing"
)

func TestActivations(t *testing.T) {
	testVectorOps(t, []vectorOp{
		{"SiLUMul", 3, noResult(func(b [][]float32) { SiLUMul(b[0], b[1], b[2]) }),
			noResult(func(b [][]float32) { siluMulGeneric(b[0], b[1], b[2]) }), 1e-6},
		{"SiLUMulInPlace", 2, noResult(func(b [][]float32) { SiLUMul(b[0], b[0], b[1]) }),
			noResult(func(b [][]float32) { siluMulGeneric(b[0], b[0], b[1]) }), 1e-6},
		{"SiLUMulBackward", 5, noResult(func(b [][]float32) { SiLUMulBackward(b[0], b[1], b[2], b[3], b[4]) }),
			noResult(func(b [][]float32) { siluMulBackwardGeneric(b[0], b[1], b[2], b[3], b[4]) }), 1e-5},
		{"SiLUMulBackwardInPlace", 3, noResult(func(b [][]float32) { SiLUMulBackward(b[1], b[2], b[0], b[1], b[2]) }),
			noResult(func(b [][]float32) { siluMulBackwardGeneric(b[1], b[2], b[0], b[1], b[2]) }), 1e-5},
		{"GELU", 2, noResult(func(b [][]float32) { GELU(b[0], b[1]) }),
			noResult(func(b [][]float32) { geluGeneric(b[0], b[1]) }), 1e-6},
		{"ReLU2", 2, noResult(func(b [][]float32) { ReLU2(b[0], b[1]) }),
			noResult(func(b [][]float32) { relu2Generic(b[0], b[1]) }), 0},
	})
}

// TestActivationValues compares with the definitions in float64.
func TestActivationValues(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		one, dst := []float32{1}, []float32{0}
		for x := float32(-30); x <= 30; x += 0.37 {
			in, v := []float32{x}, float64(x)
			SiLUMul(dst, in, one)
			near(t, "silu", x, dst[0], v/(1+math.Exp(-v)))
			GELU(dst, in)
			near(t, "gelu", x, dst[0], v/2*(1+math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v))))
			ReLU2(dst, in)
			near(t, "relu2", x, dst[0], math.Pow(max(v, 0), 2))
		}
		GELU(dst, []float32{float32(math.Inf(-1))})
		near(t, "gelu", -math.MaxFloat32, dst[0], 0)
	})
}

// TestSiLUMulGradient checks the backward pass by central differences.
func TestSiLUMulGradient(t *testing.T) {
	f := func(g, u float64) float64 { return g / (1 + math.Exp(-g)) * u }
	const h, dh = 1e-5, 0.8
	onEveryCPU(t, func(t *testing.T) {
		for g := -8.0; g < 8; g += 0.31 {
			u := 1.5 - g/3
			dgate, dup := []float32{0}, []float32{0}
			SiLUMulBackward(dgate, dup, []float32{dh}, []float32{float32(g)}, []float32{float32(u)})
			near(t, "dgate", float32(g), dgate[0], dh*(f(g+h, u)-f(g-h, u))/(2*h))
			near(t, "dup", float32(g), dup[0], dh*(f(g, u+h)-f(g, u-h))/(2*h))
		}
	})
}

func near(t *testing.T, what string, at, got float32, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 2e-6*max(1, math.Abs(want))) {
		t.Errorf("%s at %v: %v, want %v", what, at, got, want)
	}
}
