package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// onEveryCPU runs test once for each set of instructions that this processor
// has, as HANDSCROLL_CPU and older processors would have it.
func onEveryCPU(t *testing.T, test func(t *testing.T)) {
	all := has
	defer func() { has = all }()
	for _, level := range []struct {
		name string
		features
		ok bool
	}{
		{"generic", features{}, true},
		{"avx2", features{avx2: true}, all.avx2},
		{"avx512", features{avx2: true, avx512: true}, all.avx512},
		{"all", all, all.vnni || all.bf16},
	} {
		if !level.ok {
			t.Logf("%s: not on this processor", level.name)
			continue
		}
		has = level.features
		t.Run(level.name, test)
	}
}

func TestLimit(t *testing.T) {
	all := features{true, true, true, true}
	for level, want := range map[string]features{
		"generic": {}, "avx2": {avx2: true}, "avx512": all, "": all, "avx1024": all,
	} {
		if got := all.limit(level); got != want {
			t.Errorf("limit(%q) = %+v, want %+v", level, got, want)
		}
	}
	if got := (features{}).limit("avx2"); got.avx2 {
		t.Error("limit turned on what was not there")
	}
}

// product is one case: A [m, k] and B [k, n] lie in the given order with gaps
// that hold NaN, so that a stray read shows in the result.
type product struct {
	m, n, k            int
	aCols, bCols, acc  bool
	a, b, dst          []float32
	ars, acs, brs, bcs int
	ldd                int
}

const guard = float32(-12345.5)

// strided returns rows·cols random values with strides and gaps of NaN.
func strided(r *rand.Rand, rows, cols, gap int, colMajor bool) (x []float32, rs, cs int) {
	rs, cs = cols+gap, 1
	if colMajor {
		rs, cs = 1, rows+gap
	}
	x = make([]float32, max(0, (rows-1)*rs+(cols-1)*cs+1))
	for i := range x {
		x[i] = float32(math.NaN())
	}
	for i := range rows {
		for j := range cols {
			x[i*rs+j*cs] = float32(r.NormFloat64())
		}
	}
	return x, rs, cs
}

func newProduct(r *rand.Rand, m, n, k, gap int, aCols, bCols, acc bool) *product {
	p := &product{m: m, n: n, k: k, aCols: aCols, bCols: bCols, acc: acc, ldd: n + gap}
	p.a, p.ars, p.acs = strided(r, m, k, gap, aCols)
	p.b, p.brs, p.bcs = strided(r, k, n, gap, bCols)
	p.dst = make([]float32, (m+1)*p.ldd)
	for i := range p.dst {
		p.dst[i] = guard
	}
	for i := range m {
		for j := range n {
			p.dst[i*p.ldd+j] = float32(r.NormFloat64())
		}
	}
	return p
}

func (p *product) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d ldd=%d a(%d,%d) b(%d,%d) acc=%v", p.m, p.n, p.k, p.ldd, p.ars, p.acs, p.brs, p.bcs, p.acc)
}

// check compares got with the product of round(A) and round(B) in float64. A
// chain of k roundings errs by at most k units in the last place of the sum of
// magnitudes.
func (p *product) check(t *testing.T, got []float32, round func(float32) float32) {
	t.Helper()
	for i := range p.m + 1 {
		for j := range p.ldd {
			if at := i*p.ldd + j; i == p.m || j >= p.n {
				if got[at] != guard {
					t.Fatalf("%v: wrote outside dst at (%d,%d)", p, i, j)
				}
				continue
			}
			var want, size float64
			if p.acc {
				want = float64(p.dst[i*p.ldd+j])
				size = math.Abs(want)
			}
			for q := range p.k {
				x := float64(round(p.a[i*p.ars+q*p.acs])) * float64(round(p.b[q*p.brs+j*p.bcs]))
				want += x
				size += math.Abs(x)
			}
			g := float64(got[i*p.ldd+j])
			if tol := size * float64(p.k+2) / (1 << 24); !(math.Abs(g-want) <= tol) {
				t.Fatalf("%v: (%d,%d) = %v, want %v ± %v", p, i, j, g, want, tol)
			}
		}
	}
}

func (p *product) f32() []float32 {
	var b PackedF32
	b.Pack(p.b, p.brs, p.bcs, p.k, p.n)
	dst := append([]float32(nil), p.dst...)
	GemmF32(dst, p.ldd, p.a, p.ars, p.acs, &b, p.m, p.acc)
	return dst
}

// bf16 multiplies with A rounded; its gaps hold NaN, its padding zero.
func (p *product) bf16() []float32 {
	var b PackedBF16
	b.Pack(p.b, p.brs, p.bcs, p.k, p.n)
	even := (p.k + 1) &^ 1
	lda := even + 3
	a := make([]uint16, p.m*lda)
	for i := range a {
		a[i] = 0x7fc0
	}
	for i := range p.m {
		clear(a[i*lda : i*lda+even])
		for q := range p.k {
			a[i*lda+q] = toBF16(p.a[i*p.ars+q*p.acs])
		}
	}
	dst := append([]float32(nil), p.dst...)
	GemmBF16(dst, p.ldd, a, lda, &b, p.m, p.acc)
	return dst
}

func same(x float32) float32    { return x }
func rounded(x float32) float32 { return fromBF16(toBF16(x)) }

// shapes calls f for every tail of every tile and a few block boundaries.
func shapes(f func(m, n, k int)) {
	for m := 1; m <= 27; m++ {
		f(m, 35, 5)
	}
	for n := 1; n <= 67; n++ {
		f(7, n, 6)
	}
	for k := 0; k <= 37; k++ {
		f(13, 33, k)
	}
	for _, k := range []int{128, 129, 255, blockK - 1, blockK, blockK + 1, 2*blockK + 1} {
		f(15, 34, k)
	}
	for _, m := range []int{blockM - 1, blockM, blockM + 1, 2*blockM + 5} {
		f(m, 33, 150)
	}
	f(0, 5, 5)
	f(5, 0, 5)
}

func TestGemmFloats(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		shapes(func(m, n, k int) {
			for c := range 8 {
				p := newProduct(r, m, n, k, r.IntN(3), c&1 != 0, c&2 != 0, c&4 != 0)
				p.check(t, p.f32(), same)
				if c&1 == 0 {
					p.check(t, p.bf16(), rounded)
				}
			}
		})
	})
}

// TestGemmStrides covers A with no contiguous axis, and rows or columns a power
// of two apart, which are copied first.
func TestGemmStrides(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, m := range []int{1, 3, 4, 5, 70} {
			p := newProduct(r, m, 37, 40, 1024-40, false, false, true)
			if p.ars != 1024 {
				t.Fatal("stride is not what the test is about")
			}
			aligned := p.f32()
			p.check(t, aligned, same)

			q := *p
			q.ars, q.acs = 3*p.k+2, 3
			q.a = make([]float32, m*q.ars)
			for i := range m {
				for j := range p.k {
					q.a[i*q.ars+j*q.acs] = p.a[i*p.ars+j]
				}
			}
			sameBits(t, "strides", q.f32(), aligned)

			q.ars, q.acs = 1, 1024
			q.a = make([]float32, p.k*1024)
			for i := range m {
				for j := range p.k {
					q.a[i+j*1024] = p.a[i*p.ars+j]
				}
			}
			sameBits(t, "transposed strides", q.f32(), aligned)

			var b PackedBF16
			b.Pack(p.b, p.brs, p.bcs, p.k, p.n)
			a := make([]uint16, m*2048)
			for i := range m {
				for j := range p.k {
					a[i*2048+j] = toBF16(p.a[i*p.ars+j])
				}
			}
			dst := append([]float32(nil), p.dst...)
			GemmBF16(dst, p.ldd, a, 2048, &b, m, true)
			p.check(t, dst, rounded)
			sameBits(t, "bf16 strides", dst, p.bf16())
		}
	})
}

func sameBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestGemmRowsAlone checks the promise that an element depends on its row of
// A, its column of B and k alone, to the bit.
func TestGemmRowsAlone(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		const m, n = 401, 100
		for _, k := range []int{1, 31, 64, 192, 400, 900} {
			for c := range 4 {
				p := newProduct(r, m, n, k, 0, false, c&1 != 0, c&2 != 0)
				f32, bf16 := p.f32(), p.bf16()
				for range 12 {
					i, j := r.IntN(m), r.IntN(n)
					q := *p
					q.m, q.n = 1+r.IntN(min(20, m-i)), 1+r.IntN(n-j)
					q.a, q.b, q.dst = p.a[i*p.ars:], p.b[j*p.bcs:], p.dst[i*p.ldd+j:]
					gotF32, gotBF16 := q.f32(), q.bf16()
					for row := range q.m {
						want := (i+row)*p.ldd + j
						sameBits(t, q.String(), gotF32[row*p.ldd:][:q.n], f32[want:][:q.n])
						sameBits(t, "bf16 "+q.String(), gotBF16[row*p.ldd:][:q.n], bf16[want:][:q.n])
					}
				}
				// Nor does it matter how A lies.
				q := *p
				q.a, q.ars, q.acs = make([]float32, m*k), 1, m
				for i := range m {
					for j := range k {
						q.a[j*m+i] = p.a[i*k+j]
					}
				}
				sameBits(t, "transposed", q.f32(), f32)
			}
		}
	})
}

// TestGemmNotFinite checks that NaN and infinities reach what they enter, and
// nothing else.
func TestGemmNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, bad := range []float32{inf, -inf, nan} {
			for range 20 {
				m, n, k := 1+r.IntN(30), 1+r.IntN(40), 1+r.IntN(20)
				p := newProduct(r, m, n, k, 1, false, false, false)
				i, j, q := r.IntN(m), r.IntN(n), r.IntN(k)
				clean := [2][]float32{p.f32(), p.bf16()}
				p.a[i*p.ars+q] = bad
				row := [2][]float32{p.f32(), p.bf16()}
				p.b[q*p.brs+j] = 0 // 0·∞ is NaN
				zero := [2][]float32{p.f32(), p.bf16()}
				for f := range clean {
					for at, x := range row[f] {
						if at/p.ldd == i && at%p.ldd < n {
							if !math.IsInf(float64(x), 0) && !math.IsNaN(float64(x)) {
								t.Fatalf("%v: %v gave %v", p, bad, x)
							}
						} else if x != clean[f][at] {
							t.Fatalf("%v: %v reached another row", p, bad)
						}
					}
					if x := zero[f][i*p.ldd+j]; !math.IsNaN(float64(x)) {
						t.Fatalf("%v: 0·%v gave %v", p, bad, x)
					}
				}
			}
		}
	})
}

func TestPackMatchesGeneric(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for k := 1; k <= 41; k++ {
			for n := 1; n <= panel; n++ {
				for _, cols := range []bool{false, true} {
					b, rs, cs := strided(r, k, n, 1+r.IntN(2), cols)
					got, want := make([]float32, (k+1)*panel), make([]float32, (k+1)*panel)
					for i := range got {
						got[i], want[i] = guard, guard
					}
					packPanel(got[:k*panel], b, rs, cs, k, n)
					packPanelGeneric(want[:k*panel], b, rs, cs, k, n)
					sameBits(t, fmt.Sprintf("k=%d n=%d cols=%v", k, n, cols), got, want)
				}
			}
		}
	})
}

func TestToBF16(t *testing.T) {
	for _, c := range []struct{ in, want uint32 }{
		{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82},
		{0xbf818000, 0xbf82}, {0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
		{0x7f800001, 0x7fc0}, {0xffffffff, 0xffff}, {0, 0}, {0x80000000, 0x8000}, {0x00008000, 0}, {0x00018000, 2},
	} {
		x := math.Float32frombits(c.in)
		if got := toBF16(x); uint32(got) != c.want {
			t.Errorf("toBF16(%#x) = %#x, want %#x", c.in, got, c.want)
		}
		if !has.bf16 {
			continue
		}
		src, dst := make([]float32, 2*panel), make([]uint32, panel)
		for i := range src {
			src[i] = x
		}
		packPairs(dst, src, 1)
		for i, w := range dst {
			if w != c.want|c.want<<16 {
				t.Fatalf("packPairs(%#x)[%d] = %#x, want %#x twice", c.in, i, w, c.want)
			}
		}
	}
}

func TestGemmAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	onEveryCPU(t, func(t *testing.T) {
		p := newProduct(r, 70, 40, 300, 0, true, true, true)
		var f PackedF32
		var h PackedBF16
		a := make([]uint16, 70*2048)
		f.Pack(p.b, p.brs, p.bcs, p.k, p.n)
		h.Pack(p.b, p.brs, p.bcs, p.k, p.n)
		if n := testing.AllocsPerRun(20, func() {
			f.Pack(p.b, p.brs, p.bcs, p.k, p.n)
			GemmF32(p.dst, p.ldd, p.a, p.ars, p.acs, &f, p.m, p.acc)
			h.Pack(p.b, p.brs, p.bcs, p.k, p.n)
			GemmBF16(p.dst, p.ldd, a, 2048, &h, p.m, p.acc)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestGemmShortSlicePanics(t *testing.T) {
	p := newProduct(rand.New(rand.NewPCG(13, 14)), 4, 5, 6, 0, false, false, false)
	var b PackedF32
	b.Pack(p.b, p.brs, p.bcs, p.k, p.n)
	for name, f := range map[string]func(){
		"dst": func() { GemmF32(p.dst[:19], 5, p.a, p.ars, 1, &b, 4, false) },
		"a":   func() { GemmF32(p.dst, 5, p.a[:23], p.ars, 1, &b, 4, false) },
		"b":   func() { b.Pack(p.b[:29], 5, 1, 6, 5) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("short %s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func FuzzGemmF32(f *testing.F) {
	f.Add(uint64(1), uint16(5), uint16(6), uint16(7), uint8(3))
	f.Add(uint64(2), uint16(193), uint16(65), uint16(257), uint8(7))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k uint16, flags uint8) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := newProduct(r, int(m%400), int(n%100), int(k%600), int(flags>>3), flags&1 != 0, flags&2 != 0, flags&4 != 0)
		p.check(t, p.f32(), same)
	})
}
