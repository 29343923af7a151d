package tensor

import (
	"math"
	"testing"
)

func TestHalf(t *testing.T) {
	for h, want := range map[uint16]float64{
		0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: math.Pow(2, -24), 0x83ff: -1023 * math.Pow(2, -24),
		0x0400: math.Pow(2, -14), 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0: 0,
	} {
		if got := HalfToFloat(h); float64(got) != want {
			t.Errorf("half %#04x is %g, want %g", h, got, want)
		}
	}
	if v := HalfToFloat(0x7e00); v == v {
		t.Errorf("half 0x7e00 is %g, want NaN", v)
	}
}

// TestHalfRoundTrip encodes every half's value, and the points between it and
// the next.
func TestHalfRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		v := HalfToFloat(h)
		got := FloatToHalf(v)
		if v != v {
			if got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
				t.Fatalf("NaN %#04x became %#04x", h, got)
			}
			continue
		}
		if got != h && v != 0 {
			t.Fatalf("half %#04x is %g and became %#04x", h, v, got)
		}
		if i >= 0x7bff { // the largest, and the negative ones
			continue
		}
		mid := (v + HalfToFloat(h+1)) / 2
		even := h + h&1
		for in, want := range map[float32]uint16{
			mid: even, math.Nextafter32(mid, 0): h, math.Nextafter32(mid, 1e6): h + 1,
			-mid: even | 0x8000,
		} {
			if got := FloatToHalf(in); got != want {
				t.Fatalf("%g became %#04x, want %#04x", in, got, want)
			}
		}
	}
	for in, want := range map[float32]uint16{65519.99: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, -65536: 0xfc00, 1e-30: 0} {
		if got := FloatToHalf(in); got != want {
			t.Errorf("%g became %#04x, want %#04x", in, got, want)
		}
	}
	var out [2]float32
	F16FromBytes(out[:], F16Bytes([]float32{-1.5, 1.0 / 3}))
	if out != [2]float32{-1.5, 0.33325195} {
		t.Errorf("got %v", out)
	}
}

func TestBF16RoundTrip(t *testing.T) {
	// 0x3f808000 lies half-way between two bfloat16: ties go to the even one.
	for in, want := range map[uint32]uint32{
		0x3f800000: 0x3f800000, 0x3f808000: 0x3f800000, 0x3f818000: 0x3f820000, 0x3f808001: 0x3f810000,
		0xbf80ffff: 0xbf810000, 0x7f800000: 0x7f800000, 0x7f7fffff: 0x7f800000,
	} {
		var out [1]float32
		BF16FromBytes(out[:], BF16Bytes([]float32{math.Float32frombits(in)}))
		if got := math.Float32bits(out[0]); got != want {
			t.Errorf("%#x became %#x, want %#x", in, got, want)
		}
	}
	var out [1]float32
	BF16FromBytes(out[:], BF16Bytes([]float32{math.Float32frombits(0x7f800001)}))
	if out[0] == out[0] {
		t.Error("NaN became a number")
	}
}

func TestF32RoundTrip(t *testing.T) {
	in := []float32{0, 1.5, -3e-20, float32(math.Inf(1))}
	out := make([]float32, len(in))
	F32FromBytes(out, F32Bytes(in))
	for i := range in {
		if in[i] != out[i] {
			t.Errorf("%g became %g", in[i], out[i])
		}
	}
}

// TestBlocks checks that every type has a block and a name of its own.
func TestBlocks(t *testing.T) {
	seen := map[string]bool{}
	for d := range kinds {
		e, b, ok := d.Block()
		if !ok || e < 1 || b < 1 || seen[d.String()] {
			t.Errorf("type %d: block %d elements, %d bytes, name %q", d, e, b, d)
		}
		seen[d.String()] = true
	}
	if _, _, ok := DType(999).Block(); ok {
		t.Error("type 999 has a block")
	}
}
