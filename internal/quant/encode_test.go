package quant

import (
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

func encode(t testing.TB, typ tensor.DType, x []float32) []byte {
	t.Helper()
	n, size, _ := typ.Block()
	b := make([]byte, len(x)/n*size)
	if err := Encode(b, typ, x); err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, typ tensor.DType, b []byte) []float32 {
	t.Helper()
	n, size, _ := typ.Block()
	x := make([]float32, len(b)/size*n)
	if err := Decode(x, typ, b); err != nil {
		t.Fatal(err)
	}
	return x
}

// gaussian returns n numbers that are the same on every machine.
func gaussian(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 0.02)
	}
	return x
}

// relative is the root mean square of got − want over that of want.
func relative(got, want []float32) float64 {
	e, s := 0.0, 0.0
	for i, v := range want {
		d := float64(got[i] - v)
		e += d * d
		s += float64(v) * float64(v)
	}
	return math.Sqrt(e / s)
}

// TestEncodeError bounds the error on Gaussian numbers, a little over what was
// measured, and holds the bytes: no machine writes others.
func TestEncodeError(t *testing.T) {
	x := gaussian(256 * 400)
	for typ, c := range map[tensor.DType]struct {
		most float64
		sum  uint32
	}{
		tensor.F16: {2.5e-4, 0x9896969b}, tensor.BF16: {2e-3, 0x653fe5ba},
		tensor.Q8_0: {0.0054, 0xbe3f4f8b}, tensor.Q6_K: {0.0171, 0x31c8e49c}, tensor.Q5_K: {0.036, 0x3885ee9f},
		tensor.Q5_0: {0.0405, 0xadc5dee5}, tensor.Q4_K: {0.0715, 0x1bf0f324}, tensor.Q4_0: {0.082, 0x2bd76daa},
	} {
		b := encode(t, typ, x)
		if e := relative(decode(t, typ, b), x); !(e <= c.most) {
			t.Errorf("%v: relative error %.4g, want %g", typ, e, c.most)
		} else {
			t.Logf("%v: relative error %.4g", typ, e)
		}
		if sum := crc32.ChecksumIEEE(b); sum != c.sum {
			t.Errorf("%v: checksum %#x, want %#x", typ, sum, c.sum)
		}
	}
	if b := encode(t, tensor.F32, x); !slices.Equal(decode(t, tensor.F32, b), x) {
		t.Error("F32 is not what it was")
	}
}

// TestEncodeRows compares with another encoder's golden rows of the same tensor.
// Those of Q4_K are of a tensor that Q8_0 holds too, those of the others of one
// that F32 holds.
func TestEncodeRows(t *testing.T) {
	rows := func(name string) []float32 {
		raw, err := os.ReadFile("testdata/" + name + ".f32")
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, tensor.F32, raw)
	}
	for typ, source := range map[tensor.DType]string{tensor.Q4_0: "F32", tensor.Q5_0: "F32", tensor.Q5_K: "F32", tensor.Q4_K: "Q8_0"} {
		want := rows(source)
		ours, theirs := relative(decode(t, typ, encode(t, typ, want)), want), relative(rows(typ.String()), want)
		if !(ours <= 1.01*theirs) {
			t.Errorf("%v: relative error %.4g, another encoder's is %.4g", typ, ours, theirs)
		} else {
			t.Logf("%v: relative error %.4g, another encoder's is %.4g", typ, ours, theirs)
		}
	}
}

// TestEncodeSpecial encodes blocks that leave a search nothing to divide by.
func TestEncodeSpecial(t *testing.T) {
	fill := func(f func(i int) float64) []float32 {
		x := make([]float32, 256)
		for i := range x {
			x[i] = float32(f(i))
		}
		return x
	}
	for typ := range encoders {
		// A constant, and one outlier among zeros, are held as well as a scale holds them.
		for name, x := range map[string][]float32{
			"1":        fill(func(int) float64 { return 1 }),
			"-1":       fill(func(int) float64 { return -1 }),
			"-65504":   fill(func(int) float64 { return -65504 }),
			"outlier":  fill(func(i int) float64 { return 3 * float64(max(0, i-254)) }),
			"-outlier": fill(func(i int) float64 { return -3 * float64(max(0, i-254)) }),
			"largest":  fill(func(i int) float64 { return 65504 * float64(i%2*2-1) }),
			"offset":   fill(func(i int) float64 { return -5 + float64(i%2)/8 }),
		} {
			// The outermost positive number of Q4_0 is 7/8 of the negative one.
			if e := relative(decode(t, typ, encode(t, typ, x)), x); !(e <= 0.1) {
				t.Errorf("%v of %s: relative error %g", typ, name, e)
			}
		}
		for name, x := range map[string][]float32{
			"zeros":     make([]float32, 256),
			"-0":        fill(func(int) float64 { return math.Copysign(0, -1) }),
			"subnormal": fill(func(i int) float64 { return float64(i-128) * 1e-44 }),
			"tiny":      fill(func(i int) float64 { return float64(i-128) * 1e-14 }),
			"small":     fill(func(i int) float64 { return float64(i-128) * 1e-10 }),
		} {
			for i, v := range decode(t, typ, encode(t, typ, x)) {
				if !(math.Abs(float64(v)) <= 1e-7) {
					t.Errorf("%v of %s: element %d, %g, became %g", typ, name, i, x[i], v)
					break
				}
			}
		}
	}
}

// TestEncodeAgain: encoding what was decoded costs next to nothing more.
func TestEncodeAgain(t *testing.T) {
	x := gaussian(256 * 40)
	for typ := range encoders {
		once := decode(t, typ, encode(t, typ, x))
		if e := relative(decode(t, typ, encode(t, typ, once)), once); !(e <= relative(once, x)/2) {
			t.Errorf("%v: relative error %.2g the second time, %.2g the first", typ, e, relative(once, x))
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	for typ, top := range map[tensor.DType]float32{tensor.F32: math.MaxFloat32, tensor.F16: 65504, tensor.BF16: 0x1.fep127, tensor.Q8_0: 65504, tensor.Q4_K: 65504} {
		bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}
		if typ != tensor.F32 {
			bad = append(bad, math.Nextafter32(top, math.MaxFloat32))
		}
		for _, v := range bad {
			x := make([]float32, 512)
			x[300], x[301] = v, v
			var ve *ValueError
			err := Encode(make([]byte, 2048), typ, x)
			if !errors.As(err, &ve) || ve.Index != 300 || !strings.Contains(err.Error(), "element 300 is") || !strings.Contains(err.Error(), typ.String()) {
				t.Errorf("%v of %g: %v", typ, v, err)
			}
		}
		x := make([]float32, 256)
		x[7] = top
		if got := decode(t, typ, encode(t, typ, x))[7]; math.Abs(float64(got/top-1)) > 1e-3 {
			t.Errorf("%v of %g is %g", typ, top, got)
		}
	}
	if err := Encode(make([]byte, 68), tensor.Q8_0, make([]float32, 33)); err == nil || !strings.Contains(err.Error(), "whole blocks of 32") {
		t.Errorf("33 elements: %v", err)
	}
	if err := Encode(make([]byte, 68), tensor.Q2_K, make([]float32, 256)); err == nil || !strings.Contains(err.Error(), "Q2_K") {
		t.Errorf("Q2_K: %v", err)
	}
}

// FuzzEncode: elements of any bits are refused, or come back no further off than
// the largest of them.
func FuzzEncode(f *testing.F) {
	f.Add(tensor.F32Bytes(gaussian(256)))
	f.Add(tensor.F32Bytes([]float32{1e-12, -1e-38, 65504, 3e-8}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		x := make([]float32, 256)
		for i := range x {
			x[i] = 1e-3
		}
		tensor.F32FromBytes(x[:min(256, len(raw)/4)], raw)
		top := 0.0
		for _, v := range x {
			top = max(top, math.Abs(float64(v)))
		}
		for typ := range encoders {
			n, size, _ := typ.Block()
			b := make([]byte, len(x)/n*size)
			if err := Encode(b, typ, x); err != nil {
				if top <= 65504 {
					t.Fatal(err)
				}
				continue
			}
			for i, v := range decode(t, typ, b) {
				if !(math.Abs(float64(v-x[i])) <= 1.01*top) {
					t.Fatalf("%v: element %d, %g, became %g", typ, i, x[i], v)
				}
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	x := gaussian(256 * 100)
	for _, typ := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q5_0, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K} {
		b.Run(typ.String(), func(b *testing.B) {
			dst := encode(b, typ, x)
			for b.Loop() {
				if err := Encode(dst, typ, x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(x))*float64(b.N)/b.Elapsed().Seconds()/1e6, "M/s")
		})
	}
}
