package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// int8Product is one case of GemmInt8 and its result by the definition, which
// every path must give to the bit.
func int8Product(t *testing.T, r *rand.Rand, m, n, k, lda int, acc, extreme bool) {
	t.Helper()
	a, b := make([]uint8, max(0, (m-1)*lda+k)), make([]int8, k*n)
	for i := range a {
		a[i] = uint8(r.Uint32())
		if extreme {
			a[i] = 255
		}
	}
	for i := range b {
		b[i] = int8(r.Uint32())
		if extreme {
			b[i] = -128
		}
	}
	ascale, scale, ldd := make([]float32, m), make([]float32, n), n+r.IntN(3)
	for i := range ascale {
		ascale[i] = r.Float32()
	}
	for j := range scale {
		scale[j] = r.Float32()
	}
	dst, want := make([]float32, (m+1)*ldd), make([]float32, (m+1)*ldd)
	for i := range dst {
		dst[i] = r.Float32()
		want[i] = dst[i]
	}
	for i := range m {
		for j := range n {
			var sum int
			for q := range k {
				sum += (int(a[i*lda+q]) - 128) * int(b[j*k+q])
			}
			v := float32(float32(sum)*ascale[i]) * scale[j]
			if acc {
				v = want[i*ldd+j] + float32(v)
			}
			want[i*ldd+j] = v
		}
	}
	var p PackedInt8
	p.Pack(b, 1, k, k, n, scale)
	GemmInt8(dst, ldd, a, ascale, lda, &p, m, acc)
	for i := range want {
		if dst[i] != want[i] {
			t.Fatalf("m=%d n=%d k=%d lda=%d ldd=%d acc=%v: (%d,%d) = %v, want %v", m, n, k, lda, ldd, acc, i/ldd, i%ldd, dst[i], want[i])
		}
	}
}

func TestGemmInt8(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		shapes(func(m, n, k int) {
			for _, acc := range []bool{false, true} {
				int8Product(t, r, m, n, k, k+r.IntN(4), acc, false)
			}
		})
		int8Product(t, r, 30, 33, 64, 4096, true, false)
		// No sum may saturate, up to the longest one.
		int8Product(t, r, 3, 17, 1000, 1000, false, true)
		int8Product(t, r, 2, 3, maxInt8K, maxInt8K, false, true)
		int8Product(t, r, 5, 3, maxInt8K-1, maxInt8K, false, true)
	})
}

func TestQuantizeRowsU8(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for k := 1; k <= 100; k++ {
			const m = 3
			x, dst, scale := make([]float32, m*k), make([]uint8, m*k+1), make([]float32, m)
			for i := range x {
				x[i] = float32(r.NormFloat64()) * float32(math.Exp(r.NormFloat64()*5))
			}
			dst[m*k] = 99
			QuantizeRowsU8(dst, scale, x, m, k)
			if dst[m*k] != 99 {
				t.Fatalf("k=%d: wrote past dst", k)
			}
			for i := range m {
				var top float32
				for _, v := range x[i*k : (i+1)*k] {
					top = max(top, float32(math.Abs(float64(v))))
				}
				if scale[i] != top/127 {
					t.Fatalf("k=%d: scale %v, want %v", k, scale[i], top/127)
				}
				for j, v := range x[i*k : (i+1)*k] {
					want := uint8(int(math.RoundToEven(float64(v*(127/top)))) + 128)
					if got := dst[i*k+j]; got != want {
						t.Fatalf("k=%d: %v of %v became %d, want %d", k, v, top, got, want)
					}
				}
			}
		}
	})
}

func TestQuantizeRowsU8Special(t *testing.T) {
	inf, nan := float32(math.Inf(-1)), float32(math.NaN())
	onEveryCPU(t, func(t *testing.T) {
		for _, bad := range []float32{0, 1e-40, inf, nan} {
			for _, at := range []int{0, 31, 32, 39} {
				x, dst, scale := make([]float32, 40), make([]uint8, 40), make([]float32, 1)
				x[at] = bad
				QuantizeRowsU8(dst, scale, x, 1, 40)
				finite := math.Abs(float64(bad)) < 1
				if finite && scale[0] != 0 || !finite && scale[0] == scale[0] {
					t.Fatalf("%v at %d: scale %v", bad, at, scale[0])
				}
				for _, q := range dst {
					if q != 128 {
						t.Fatalf("%v at %d: quantised to %d", bad, at, q)
					}
				}
			}
		}
	})
}

func FuzzGemmInt8(f *testing.F) {
	f.Add(uint64(1), uint8(5), uint8(6), uint16(7), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, m, n uint8, k uint16, flags uint8) {
		kk := int(k % 600)
		int8Product(t, rand.New(rand.NewPCG(seed, 0)), int(m), int(n), kk, kk+int(flags>>2), flags&1 != 0, flags&2 != 0)
	})
}
