package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func randoms(n int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

func benchmarkProduct(b *testing.B, m, n, k int, what string, run func()) {
	b.Run(fmt.Sprintf("%sm=%d/n=%d/k=%d", what, m, n, k), func(b *testing.B) {
		for b.Loop() {
			run()
		}
		b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
	})
}

var typical = [][3]int{ // m, n, k
	{64, 64, 64}, {64, 192, 192}, {512, 192, 192}, {4096, 192, 192}, {4096, 576, 192}, {4096, 192, 576},
	{4096, 384, 192}, {4096, 192, 384}, {512, 8192, 192}, {512, 192, 8192}, {8192, 64, 192}, {1, 192, 192}, {1, 8192, 192},
}

func BenchmarkGemmF32(b *testing.B) {
	for _, s := range typical {
		m, n, k := s[0], s[1], s[2]
		x, w, dst := randoms(m*k), randoms(k*n), make([]float32, m*n)
		var p PackedF32
		p.Pack(w, n, 1, k, n)
		benchmarkProduct(b, m, n, k, "", func() { GemmF32(dst, n, x, k, 1, &p, m, false) })
	}
}

// The gradient of a weight: A transposed, B packed anew each time.
func BenchmarkGemmF32Grad(b *testing.B) {
	for _, s := range [][3]int{{192, 192, 4096}, {384, 192, 4096}, {576, 192, 4096}, {192, 384, 4096}, {192, 8192, 512}} {
		m, n, k := s[0], s[1], s[2]
		x, w, dst := randoms(k*m), randoms(k*n), make([]float32, m*n)
		var p PackedF32
		benchmarkProduct(b, m, n, k, "", func() {
			p.Pack(w, n, 1, k, n)
			GemmF32(dst, n, x, 1, m, &p, m, true)
		})
	}
}

// The products of windowed attention: B packed for each, from rows or columns
// of a wider matrix.
func BenchmarkGemmF32Window(b *testing.B) {
	const stride = 192
	x, w := randoms(128*stride), randoms(128*stride)
	dst := make([]float32, 128*128)
	var p PackedF32
	for _, s := range [][3]int{{64, 32, 32}, {64, 64, 32}, {64, 128, 32}, {64, 32, 128}, {64, 64, 64}, {64, 128, 64}, {64, 64, 128}} {
		m, n, k := s[0], s[1], s[2]
		benchmarkProduct(b, m, n, k, "B=rows/", func() {
			p.Pack(w, stride, 1, k, n)
			GemmF32(dst, n, x, stride, 1, &p, m, false)
		})
		benchmarkProduct(b, m, n, k, "B=columns/", func() {
			p.Pack(w, 1, stride, k, n)
			GemmF32(dst, n, x, stride, 1, &p, m, false)
		})
		benchmarkProduct(b, m, n, k, "A=columns/", func() {
			p.Pack(w, stride, 1, k, n)
			GemmF32(dst, n, x, 1, stride, &p, m, false)
		})
	}
}

func BenchmarkGemmBF16(b *testing.B) {
	for _, s := range typical {
		m, n, k := s[0], s[1], s[2]
		x, w, dst := make([]uint16, m*k), randoms(k*n), make([]float32, m*n)
		for i, v := range randoms(m * k) {
			x[i] = toBF16(v)
		}
		var p PackedBF16
		p.Pack(w, n, 1, k, n)
		benchmarkProduct(b, m, n, k, "", func() { GemmBF16(dst, n, x, k, &p, m, false) })
	}
}

func BenchmarkPackF32(b *testing.B) {
	const k, n = 64, 64
	x := randoms(k * 192)
	var p PackedF32
	b.Run("rows", func(b *testing.B) {
		b.SetBytes(4 * k * n)
		for b.Loop() {
			p.Pack(x, 192, 1, k, n)
		}
	})
	b.Run("columns", func(b *testing.B) {
		b.SetBytes(4 * k * n)
		for b.Loop() {
			p.Pack(x, 1, 192, k, n)
		}
	})
}
