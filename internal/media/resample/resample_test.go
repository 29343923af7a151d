package resample

import (
	"fmt"
	"math"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

// sine is half a second and more of a tone of amplitude 0.5.
func sine(hertz float64, n, rate int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(0.5 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	return out
}

// amplitude is that of a tone, of the middle of samples: at the edges filters ring.
func amplitude(pcm []float32) float64 {
	pcm = pcm[len(pcm)/4 : 3*len(pcm)/4]
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(2 * sum / float64(len(pcm)))
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestTones(t *testing.T) {
	for _, c := range []struct {
		rate      int
		hertz     float64
		amplitude float64
	}{{22050, 1000, 0.5}, {22050, 7000, 0.5}, {22050, 9000, 0}, {48000, 3000, 0.5}, {48000, 12000, 0}, {8000, 3000, 0.5}, {44101, 3000, 0.5}} {
		r := New(c.rate)
		for _, piece := range []int{c.rate, 1000} { // at once, and piecewise with the same result
			var out []float32
			for in := sine(c.hertz, c.rate, c.rate); len(in) > 0; {
				n := min(piece, len(in))
				out = r.Write(out, in[:n])
				in = in[n:]
			}
			out = r.Flush(out)
			r.Reset()
			if len(out) != media.SampleRate {
				t.Errorf("%d Hz: %d samples, want %d", c.rate, len(out), media.SampleRate)
			}
			if a := amplitude(out); !near(a, c.amplitude, 0.002) {
				t.Errorf("%d Hz: a tone of %v Hz has amplitude %v, want %v", c.rate, c.hertz, a, c.amplitude)
			}
			want := sine(c.hertz, len(out), media.SampleRate)
			for i := len(out) / 4; c.amplitude > 0 && i < len(out)/2; i++ {
				if !near(float64(out[i]), float64(want[i]), 0.002) {
					t.Errorf("%d Hz: a tone of %v Hz: sample %d is %v, want %v", c.rate, c.hertz, i, out[i], want[i])
					break
				}
			}
		}
	}
	if out := New(22050).Flush(nil); len(out) != 0 {
		t.Errorf("%d samples out of none", len(out))
	}
}

func BenchmarkResample(b *testing.B) {
	for _, rate := range []int{44100, 48000, 22050, 8000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			src := sine(440, rate, rate)
			r := New(rate)
			var out []float32
			for b.Loop() {
				out = r.Write(out[:0], src)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "s/s")
		})
	}
}
