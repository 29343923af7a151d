package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTaps5(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	guard := float32(math.Pi)
	onEveryCPU(t, func(t *testing.T) { testTaps5(t, rng, guard) })
}

func testTaps5(t *testing.T, rng *rand.Rand, guard float32) {
	for _, c := range []int{1, 3, 8, 16, 24, 48, 96} {
		for n := range 13 {
			w, x := make([]float32, 5*c), make([]float32, (n+4)*c)
			for _, v := range [][]float32{w, x} {
				for i := range v {
					v[i] = float32(rng.NormFloat64())
				}
			}
			buf := make([]float32, n*c+1)
			want := make([]float32, n*c)
			for i := range want {
				buf[i] = float32(i)
				want[i] = float32(i)
			}
			buf[n*c] = guard
			taps5Generic(want, w, x, c)
			Taps5(buf[:n*c], w, x, c)
			for i, v := range want {
				if d := math.Abs(float64(v - buf[i])); d > 2e-6*math.Max(1, math.Abs(float64(v))) {
					t.Fatalf("%d cells of %d channels: element %d is %g, want %g", n, c, i, buf[i], v)
				}
			}
			if buf[n*c] != guard {
				t.Fatalf("%d cells of %d channels: wrote past the end", n, c)
			}
		}
	}
}

func TestTapsGrad5(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	onEveryCPU(t, func(t *testing.T) {
		for _, c := range []int{3, 8, 16, 96} {
			for n := range 13 {
				dy, x := make([]float32, n*c), make([]float32, (n+4)*c)
				for _, v := range [][]float32{dy, x} {
					for i := range v {
						v[i] = float32(rng.NormFloat64())
					}
				}
				got, want := make([]float32, 5*c), make([]float32, 5*c)
				for i := range got {
					got[i], want[i] = float32(i), float32(i)
				}
				tapsGrad5Generic(want, dy, x, c)
				TapsGrad5(got, dy, x, c)
				for i, v := range want {
					if d := math.Abs(float64(v - got[i])); d > 2e-5*math.Max(1, math.Abs(float64(v))) {
						t.Fatalf("%d cells of %d channels: element %d is %g, want %g", n, c, i, got[i], v)
					}
				}
			}
		}
	})
}

func TestTaps5Short(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a row that is too short was taken")
		}
	}()
	Taps5(make([]float32, 32), make([]float32, 80), make([]float32, 5*16), 16)
}
