package encoder

import (
	"bytes"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

// definition computes frame t by the written formulas, in float64.
func definition(x []float32, t int) (f [Mels]float64) {
	var power [257]float64
	for k := range power {
		sum := complex128(0)
		for n := range 400 {
			at := 160*t - 120 + n
			if at < 0 || at >= len(x) {
				continue
			}
			h := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(n)+0.5)/400)
			sum += complex(h*float64(x[at]), 0) * cmplx.Exp(complex(0, -2*math.Pi*float64(k*n)/512))
		}
		power[k] = real(sum)*real(sum) + imag(sum)*imag(sum)
	}
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	edge := func(i int) float64 {
		m := mel(60) + (mel(7600)-mel(60))*float64(i)/65
		return 700 * (math.Pow(10, m/2595) - 1)
	}
	for m := range f {
		e := 0.0
		for k, p := range power {
			hz := float64(k) * 16000 / 512
			if w := min((hz-edge(m))/(edge(m+1)-edge(m)), (edge(m+2)-hz)/(edge(m+2)-edge(m+1))); w > 0 {
				e += w * p
			}
		}
		f[m] = min(max(12.5*(math.Log(e+1e-5)+11.5), 0), 255)
	}
	return f
}

func TestMelDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, 16000)
	for i := range x {
		s := float64(i) / media.SampleRate
		x[i] = float32(0.5*math.Sin(2*math.Pi*(300+900*s)*s) + 0.01*r.NormFloat64())
	}
	frames := Frames(x)
	if len(frames)%(Mels*FramesPerEmbedding) != 0 || len(frames)/Mels < 100 || len(frames)/Mels > 104 {
		t.Fatalf("%d frames of a second", len(frames)/Mels)
	}
	for _, at := range []int{0, 1, 50, 99} {
		for m, want := range definition(x, at) {
			if got := float64(frames[at*Mels+m]); math.Abs(got-math.Floor(want)) > 1 {
				t.Fatalf("frame %d, band %d: %g, want %g", at, m, got, want)
			}
		}
	}
}

// TestMelInPieces checks that frames do not depend on how sound comes.
func TestMelInPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, 12345)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 0.1)
	}
	m := NewMel()
	var got []uint8
	for rest := x; len(rest) > 0; {
		n := min(len(rest), r.IntN(700))
		got = m.Write(got, rest[:n])
		rest = rest[n:]
	}
	if got = m.Flush(got); !bytes.Equal(got, Frames(x)) {
		t.Fatal("frames differ")
	}
}

func TestLn(t *testing.T) {
	for x := 1e-5; x < 1e6; x *= 1.01 {
		if got := float64(Ln(float32(x))); math.Abs(got-math.Log(x)) > 1e-4 {
			t.Fatalf("ln(%g) = %g, want %g", x, got, math.Log(x))
		}
	}
}

func BenchmarkMel(b *testing.B) {
	x := make([]float32, media.SampleRate)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)))
	}
	m, dst := NewMel(), make([]uint8, 0, 101*Mels)
	for b.Loop() {
		dst = m.Write(dst[:0], x)
	}
}
