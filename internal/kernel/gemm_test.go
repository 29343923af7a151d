package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestGemmSmoke(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m, k, n := 5, 7, 35
	a, b := make([]float32, m*k), make([]float32, k*n)
	for i := range a {
		a[i] = r.Float32() - 0.5
	}
	for i := range b {
		b[i] = r.Float32() - 0.5
	}
	var p PackedF32
	p.Pack(b, n, 1, k, n)
	dst := make([]float32, m*n)
	GemmF32(dst, n, a, k, 1, &p, m, false)
	for i := range m {
		for j := range n {
			var want float64
			for q := range k {
				want += float64(a[i*k+q]) * float64(b[q*n+j])
			}
			if math.Abs(want-float64(dst[i*n+j])) > 1e-6 {
				t.Fatalf("(%d,%d) = %v, want %v", i, j, dst[i*n+j], want)
			}
		}
	}
	var p8 PackedInt8
	a8, as, b8, bs := make([]uint8, m*k), make([]float32, m), make([]int8, k*n), make([]float32, n)
	QuantizeRowsU8(a8, as, a, m, k)
	for i := range b8 {
		b8[i] = int8(r.IntN(256) - 128)
	}
	for i := range bs {
		bs[i] = 1
	}
	p8.Pack(b8, n, 1, k, n, bs)
	GemmInt8(dst, n, a8, as, k, &p8, m, false)
	for i := range m {
		for j := range n {
			var want int
			for q := range k {
				want += (int(a8[i*k+q]) - 128) * int(b8[q*n+j])
			}
			if got := float32(want) * as[i]; got != dst[i*n+j] {
				t.Fatalf("int8 (%d,%d) = %v, want %v", i, j, dst[i*n+j], got)
			}
		}
	}
}
