package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

var blockTypes = []tensor.DType{
	tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.IQ4_NL, tensor.MXFP4,
	tensor.Q2_K, tensor.Q3_K, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K,
}

// randomRows returns rows of a type with random codes and moderate scales.
func randomRows(r *rand.Rand, t tensor.DType, n, k int) []byte {
	per, size, _ := t.Block()
	data := make([]byte, n*k/per*size)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	half := func(p []byte) {
		h := tensor.FloatToHalf(r.Float32()*0.1 - 0.03)
		p[0], p[1] = byte(h), byte(h>>8)
	}
	for p := data; len(p) > 0; p = p[size:] {
		switch t {
		case tensor.Q2_K:
			half(p[80:])
			half(p[82:])
		case tensor.Q3_K:
			half(p[108:])
		case tensor.Q6_K:
			half(p[208:])
		case tensor.MXFP4:
			p[0] = byte(120 + r.IntN(10))
		case tensor.Q4_1, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K:
			half(p)
			half(p[2:])
		default:
			half(p)
		}
	}
	return data
}

func newBlocks(t testing.TB, typ tensor.DType, n, k int, data []byte) *Blocks {
	b, err := NewBlocks(typ, n, k)
	if err != nil {
		t.Fatal(err)
	}
	b.Place(Memory(b.Size()))
	if err := b.Set(0, data); err != nil {
		t.Fatal(err)
	}
	return b
}

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// Products agree with those of the decoded weights and the rounded rows, the
// integers being exact.
func TestGemmBlocks(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, typ := range blockTypes {
			for _, s := range [][3]int{{1, 32, 256}, {2, 33, 512}, {3, 7, 256}, {7, 64, 512}, {17, 95, 256}} {
				testBlocks(t, r, typ, s[0], s[1], s[2])
			}
		}
	})
}

func testBlocks(t *testing.T, r *rand.Rand, typ tensor.DType, m, n, k int) {
	data := randomRows(r, typ, n, k)
	b := newBlocks(t, typ, n, k, data)
	wide := make([]float32, n*k)
	if err := quant.Decode(wide, typ, data); err != nil {
		t.Fatal(err)
	}
	x := randomFloats(r, m*k)
	var a Rows8
	a.Quantize(x, k, m, k)
	a.Prepare(b)
	const guard = 5
	ldd := n + guard
	dst := make([]float32, m*ldd)
	var buf BlockBuffer
	for pass, acc := range []bool{false, true} {
		if !acc {
			for i := range dst {
				dst[i] = 42
			}
		}
		GemmBlocks(&buf, dst, ldd, &a, 0, m, b, 0, n, acc)
		for i := range m {
			for j := range n {
				var want, size float64
				for e := range k {
					v := float64(a.q[i*k+e]) * float64(a.scale[(i*k+e)/32]) * float64(wide[j*k+e])
					want += v
					size += math.Abs(v)
				}
				want *= float64(pass + 1)
				if got := float64(dst[i*ldd+j]); math.Abs(got-want) > 1e-5*size+1e-6 {
					t.Fatalf("%v m=%d n=%d k=%d acc=%v: (%d,%d) = %v, want %v", typ, m, n, k, acc, i, j, got, want)
				}
			}
			for j := n; j < ldd; j++ {
				if dst[i*ldd+j] != 42 {
					t.Fatalf("%v: row %d: column %d was written", typ, i, j)
				}
			}
		}
	}
	// One row at a time, and half of the columns, give the same bits.
	GemmBlocks(&buf, dst, ldd, &a, 0, m, b, 0, n, false)
	one := make([]float32, n)
	for i := range m {
		GemmBlocks(&buf, one, n, &a, i, i+1, b, 0, n, false)
		if n > 32 {
			GemmBlocks(&buf, one[32:], n, &a, i, i+1, b, 32, n, false)
		}
		for j, v := range one {
			if v != dst[i*ldd+j] {
				t.Fatalf("%v m=%d: (%d,%d) alone is %v, among others %v", typ, m, i, j, v, dst[i*ldd+j])
			}
		}
	}
}

func TestUnpack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, typ := range blockTypes {
		b := newBlocks(t, typ, 32, 512, randomRows(r, typ, 32, 512))
		q, s := make([]uint32, 512/4*32), make([]float32, 512/b.group*64)
		b.unpackGeneric(q, s, b.data)
		var buf BlockBuffer
		b.unpack(&buf, b.data)
		for i, v := range buf.q {
			if b.kind != kindQ8 && v != q[i] {
				t.Fatalf("%v: word %d is %08x, want %08x", typ, i, v, q[i])
			}
		}
		for i, v := range buf.s {
			if v != s[i] {
				t.Fatalf("%v: scale %d is %v, want %v", typ, i, v, s[i])
			}
		}
	}
}

func TestRows8(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		x := randomFloats(r, 3*256)
		clear(x[32:64])
		x[70], x[130] = float32(math.NaN()), float32(math.Inf(1))
		x[200] = 1e-37
		for i := 160; i < 192; i++ {
			x[i] *= 1e-37
		}
		var a Rows8
		a.Quantize(x, 256, 3, 256)
		q, scale, sum := make([]int8, len(x)), make([]float32, len(x)/32), make([]int32, len(x)/16)
		quantizeGroupsGeneric(q, scale, sum, x, 32)
		for i, v := range q {
			if a.q[i] != v {
				t.Fatalf("element %d is %d, want %d", i, a.q[i], v)
			}
		}
		for i, v := range scale {
			if math.Float32bits(a.scale[i]) != math.Float32bits(v) {
				t.Fatalf("scale %d is %v, want %v", i, a.scale[i], v)
			}
		}
		for i, v := range sum {
			if a.sum[i] != v {
				t.Fatalf("sum %d is %d, want %d", i, a.sum[i], v)
			}
		}
		// In tiles of 32 columns, the same.
		var tiles Rows8
		tiles.Resize(3, 256)
		for k0 := 0; k0 < 256; k0 += 32 {
			var tile []float32
			for i := range 3 {
				tile = append(tile, x[i*256+k0:][:32]...)
			}
			tiles.SetTile(0, 3, k0, tile)
		}
		if !slices.Equal(tiles.q, a.q) || !slices.Equal(tiles.sum, a.sum) {
			t.Error("rows set in tiles differ")
		}
	})
}

func TestBlocksRefused(t *testing.T) {
	for _, c := range []struct {
		typ  tensor.DType
		k    int
		name string
	}{{tensor.F32, 256, "floats"}, {tensor.Q4_K, 128, "half a block"}, {tensor.Q4_0, 48, "half a group"}} {
		if _, err := NewBlocks(c.typ, 32, c.k); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
	b, err := NewBlocks(tensor.MXFP4, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	b.Place(Memory(b.Size()))
	if err := b.Set(0, make([]byte, 17)); err == nil {
		t.Error("a scale of 2^-128 was laid out in half precision")
	}
}

func BenchmarkGemmBlocks(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range []tensor.DType{tensor.Q8_0, tensor.Q4_K, tensor.Q6_K, tensor.MXFP4} {
		for _, m := range []int{1, 4, 8, 32, 128} {
			const n, k = 3584, 1024
			w := newBlocks(b, typ, n, k, randomRows(r, typ, n, k))
			x := randomFloats(r, m*k)
			var a Rows8
			a.Quantize(x, k, m, k)
			a.Prepare(w)
			dst := make([]float32, m*n)
			var buf BlockBuffer
			b.Run(typ.String()+"/"+strconv.Itoa(m), func(b *testing.B) {
				start := time.Now()
				for range b.N {
					GemmBlocks(&buf, dst, n, &a, 0, m, w, 0, n, false)
				}
				s := time.Since(start).Seconds() / float64(b.N)
				b.ReportMetric(2*float64(m)*n*k/s/1e9, "GOPS")
				b.ReportMetric(float64(len(w.data))/s/1e9, "GB/s")
			})
		}
	}
}
