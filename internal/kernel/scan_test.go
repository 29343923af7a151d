package kernel

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// scanCase is a set of keys and queries; extreme ones hold only the values
// whose products are the largest.
type scanCase struct {
	q              []int8
	k              []byte
	qscale, kscale []float32
	heads, dk, n   int
}

func newScan(heads, dk, n int, extreme bool) *scanCase {
	r := rand.New(rand.NewPCG(uint64(heads*dk), uint64(n)))
	c := &scanCase{make([]int8, heads*dk), make([]byte, n*dk), make([]float32, heads), make([]float32, n), heads, dk, n}
	for i := range c.q {
		c.q[i] = int8(r.Int32())
		if extreme {
			c.q[i] = []int8{-128, 127}[r.IntN(2)]
		}
	}
	for i := range c.k {
		c.k[i] = byte(r.Int32())
		if extreme {
			c.k[i] = []byte{0, 255}[r.IntN(2)]
		}
	}
	for i := range c.qscale {
		c.qscale[i] = r.Float32()
	}
	for i := range c.kscale {
		c.kscale[i] = r.Float32()
	}
	return c
}

func (c *scanCase) check(t *testing.T) {
	t.Helper()
	ld := c.n + 3
	got, want := make([]float32, c.heads*ld), make([]float32, c.heads*ld)
	for i := range got {
		got[i], want[i] = 7, 7
	}
	ScanKeys(got, ld, c.q, c.qscale, c.k, c.kscale, c.heads, c.dk, c.n)
	for h := range c.heads {
		for i := range c.n {
			var sum int64
			for j := range c.dk {
				sum += int64(c.q[h*c.dk+j]) * (int64(c.k[i*c.dk+j]) - 128)
			}
			want[h*ld+i] = float32(float32(sum)*c.kscale[i]) * c.qscale[h]
		}
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("heads %d, dk %d, n %d: dst[%d] = %v, want %v", c.heads, c.dk, c.n, i, got[i], want[i])
		}
	}
}

func TestScanKeys(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		for n := range 50 {
			for heads := range 10 {
				newScan(heads, 64, n, n%5 == 0).check(t)
			}
			newScan(3, 4, n, true).check(t)
			newScan(2, 68, n, false).check(t)
		}
		newScan(4, 64, 1003, true).check(t)
	})
}

func FuzzScanKeys(f *testing.F) {
	f.Add(uint8(4), uint8(16), uint16(100), false)
	f.Add(uint8(8), uint8(16), uint16(15), true)
	f.Fuzz(func(t *testing.T, heads, words uint8, n uint16, extreme bool) {
		newScan(int(heads%20), 4*(1+int(words%32)), int(n%600), extreme).check(t)
	})
}

func TestScanKeysAllocatesNothing(t *testing.T) {
	c := newScan(4, 64, 50, false)
	dst := make([]float32, 200)
	if n := testing.AllocsPerRun(10, func() {
		ScanKeys(dst, 50, c.q, c.qscale, c.k, c.kscale, 4, 64, 50)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestScanKeysChecksShapes(t *testing.T) {
	c := newScan(2, 64, 5, false)
	for name, run := range map[string]func(){
		"dk":  func() { ScanKeys(make([]float32, 10), 5, c.q, c.qscale, c.k, c.kscale, 2, 63, 5) },
		"dst": func() { ScanKeys(make([]float32, 9), 5, c.q, c.qscale, c.k, c.kscale, 2, 64, 5) },
		"ld":  func() { ScanKeys(make([]float32, 10), 4, c.q, c.qscale, c.k, c.kscale, 2, 64, 5) },
		"k":   func() { ScanKeys(make([]float32, 12), 6, c.q, c.qscale, c.k, c.kscale, 2, 64, 6) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			run()
		}()
	}
}

// levels returns n floats of few different values, so that many are equal, and
// now and then a special one.
func levels(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(12))
		if r.IntN(10) == 0 {
			x[i] = specials[r.IntN(len(specials))]
		}
	}
	return x
}

func TestSelect(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		for n := range 131 {
			x := levels(n, 8)
			for _, size := range []int{0, 1, 5, 16, 17, n, n + 20} {
				for _, least := range []float32{8, 0, 1e9, float32(math.Inf(-1)), float32(math.NaN())} {
					var want []int32
					for i, v := range x {
						if v >= least && len(want) < size {
							want = append(want, int32(i))
						}
					}
					buf := make([]int32, size+2)
					buf[size] = -7
					got := Select(buf[:size], x, least)
					if !slices.Equal(buf[:got], want) || buf[size] != -7 {
						t.Fatalf("n = %d, room for %d, min %v: %v, want %v", n, size, least, buf[:got], want)
					}
				}
			}
		}
	})
}

func TestTopK(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		for n := range 131 {
			x := levels(n, 9)
			want := make([]int32, n)
			for i := range want {
				want[i] = int32(i)
			}
			// cmp.Compare puts NaN first, that is, lowest.
			slices.SortStableFunc(want, func(i, j int32) int { return cmp.Compare(x[j], x[i]) })
			for _, k := range []int{0, 1, 2, 3, 7, n / 2, n - 1, n} {
				if k < 0 || k > n {
					continue
				}
				got := make([]int32, k)
				TopK(got, x)
				if !slices.Equal(got, want[:k]) {
					t.Fatalf("n = %d, k = %d of %v: %v, want %v", n, k, x, got, want[:k])
				}
			}
		}
	})
}

func BenchmarkScanKeys(b *testing.B) {
	const n = 1 << 19
	for _, heads := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("heads=%d", heads), func(b *testing.B) {
			c := newScan(heads, 64, n, false)
			const chunk = 4096
			dst := make([]float32, heads*chunk)
			b.SetBytes(n * 68)
			for b.Loop() {
				for i := 0; i < n; i += chunk {
					ScanKeys(dst, chunk, c.q, c.qscale, c.k[i*64:], c.kscale[i:], heads, 64, chunk)
				}
			}
		})
	}
}

// BenchmarkStream reads as many bytes as BenchmarkScanKeys and does nothing
// else: what memory allows.
func BenchmarkStream(b *testing.B) {
	x := make([]float32, 17<<19)
	b.SetBytes(int64(4 * len(x)))
	for b.Loop() {
		MaxF32(x)
	}
}

func BenchmarkSelect(b *testing.B) {
	x, idx := randoms(1<<20), make([]int32, 4096)
	b.SetBytes(4 << 20)
	for b.Loop() {
		Select(idx, x, 0.999)
	}
}

func BenchmarkTopK(b *testing.B) {
	x, idx := randoms(1<<20), make([]int32, 64)
	b.SetBytes(4 << 20)
	for b.Loop() {
		TopK(idx, x)
	}
}
