package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

// Products with 16-bit weights are those with the same weights in float32.
func TestGemmHalf(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		for _, typ := range []tensor.DType{tensor.F16, tensor.BF16} {
			for _, s := range [][3]int{{1, 1, 1}, {1, 32, 64}, {2, 33, 7}, {5, 70, 130}, {13, 31, 2500}} {
				m, n, k := s[0], s[1], s[2]
				raw, wide := make([]byte, 2*n*k), make([]float32, n*k)
				for i := range wide {
					h := tensor.FloatToHalf(float32(r.NormFloat64()))
					wide[i] = tensor.HalfToFloat(h)
					if typ == tensor.BF16 {
						h = toBF16(float32(r.NormFloat64()))
						wide[i] = fromBF16(h)
					}
					raw[2*i], raw[2*i+1] = byte(h), byte(h>>8)
				}
				half, full := NewPackedHalf(typ, n, k), new(PackedF32)
				half.Place(Memory(half.Size()))
				if err := half.Set(0, raw); err != nil {
					t.Fatal(err)
				}
				full.Pack(wide, 1, k, k, n)
				a := randomFloats(r, m*k)
				ldd := n + 3
				got, want := randomFloats(r, m*ldd), make([]float32, m*ldd)
				copy(want, got)
				for _, acc := range []bool{true, false} {
					GemmHalf(got, ldd, a, k, half, m, acc)
					GemmF32(want, ldd, a, k, 1, full, m, acc)
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("%v m=%d n=%d k=%d acc=%v: element %d is %v, want %v", typ, m, n, k, acc, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

func TestPackedF32Set(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	const n, k = 70, 9
	x := randomFloats(r, n*k)
	var want PackedF32
	want.Pack(x, 1, k, k, n)
	got := NewPackedF32(n, k)
	got.Place(Memory(got.Size()))
	raw := make([]byte, 4*n*k)
	for i, v := range x {
		putFloat(raw[4*i:], v)
	}
	if err := got.Set(0, raw); err != nil {
		t.Fatal(err)
	}
	for i, v := range want.data {
		if got.data[i] != v {
			t.Fatalf("element %d is %v, want %v", i, got.data[i], v)
		}
	}
	a := randomFloats(r, 2*k)
	all, part := make([]float32, 2*n), make([]float32, 2*n)
	GemmF32(all, n, a, k, 1, got, 2, false)
	cols := got.Cols(32, 69)
	GemmF32(part, n, a, k, 1, &cols, 2, false)
	for j := 32; j < 69; j++ {
		if part[j-32] != all[j] {
			t.Fatalf("column %d is %v, want %v", j, part[j-32], all[j])
		}
	}
}
