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
