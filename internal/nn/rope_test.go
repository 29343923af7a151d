package nn

import (
	"math"
	"testing"
)

// TestRopeScaling checks frequencies against the papers' definitions.
func TestRopeScaling(t *testing.T) {
	const dim, base = 64, 10000.0
	plain, gain := (&RopeScaling{}).frequencies(dim, base)
	if gain != 1 || plain[0] != 1 || math.Abs(plain[31]-math.Pow(base, -62.0/64)) > 1e-12 {
		t.Errorf("plain: %v, gain %g", plain[:2], gain)
	}
	linear, _ := (&RopeScaling{Factor: 4}).frequencies(dim, base)
	divided, gain := (&RopeScaling{Divisors: make32(4), Gain: 1.25}).frequencies(dim, base)
	for i := range plain {
		if math.Abs(linear[i]-plain[i]/4) > 1e-15 || math.Abs(divided[i]-plain[i]/4) > 1e-15 {
			t.Fatalf("pair %d: %g, %g; want a quarter of %g", i, linear[i], divided[i], plain[i])
		}
	}
	if gain != 1.25 {
		t.Errorf("gain %g, want 1.25", gain)
	}
	// YaRN: a frequency that turns more than 32 times in the training context
	// stays, one that turns less than once is interpolated.
	sc := RopeScaling{Factor: 8, Yarn: true, Original: 4096}
	yarn, gain := sc.frequencies(dim, base)
	for i, f := range plain {
		turns := f * 4096 / (2 * math.Pi)
		switch want := f; {
		case turns > 40 && math.Abs(yarn[i]-want) > 1e-12, turns < 0.7 && math.Abs(yarn[i]-want/8) > 1e-12:
			t.Errorf("pair %d turns %g times and goes from %g to %g", i, turns, f, yarn[i])
		case yarn[i] > f || yarn[i] < f/8:
			t.Errorf("pair %d goes from %g to %g", i, f, yarn[i])
		}
	}
	if math.Abs(gain-(1+0.1*math.Log(8))) > 1e-12 {
		t.Errorf("gain %g of YaRN", gain)
	}
}

func make32(v float64) []float64 {
	x := make([]float64, 32)
	for i := range x {
		x[i] = v
	}
	return x
}
