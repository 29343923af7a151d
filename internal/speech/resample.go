package speech

import (
	"math"

	"github.com/handscroll/handscroll/internal/media"
)

// maxRate bounds the rates that a resampler takes.
const maxRate = 384000

// A resampler brings samples of one rate to media.SampleRate by a polyphase
// filter: a sinc below both Nyquist frequencies under a Kaiser window.
type resampler struct {
	up, down int         // output rate : input rate in lowest terms
	taps     [][]float32 // [up, 2·half] one filter for each phase
	half     int
}

// zeros are the zero crossings of the sinc on each side, beta shapes the window:
// 80 dB of attenuation from 8 kHz on, with the passband up to 7.4 kHz.
const (
	zeros   = 32
	beta    = 8.0
	rolloff = 0.96
)

func newResampler(from int) *resampler {
	g := gcd(from, media.SampleRate)
	r := &resampler{up: media.SampleRate / g, down: from / g}
	cutoff := rolloff * min(1, float64(r.up)/float64(r.down)) // of the input's Nyquist frequency
	r.half = int(math.Ceil(zeros / cutoff))
	r.taps = make([][]float32, r.up)
	for phase := range r.taps {
		t := make([]float32, 2*r.half)
		frac := float64(phase) / float64(r.up)
		for i := range t {
			t[i] = float32(kernel(float64(i-r.half+1)-frac, cutoff, float64(r.half)))
		}
		r.taps[phase] = t
	}
	return r
}

// kernel is the windowed sinc at x samples from its middle.
func kernel(x, cutoff, half float64) float64 {
	if math.Abs(x) >= half {
		return 0
	}
	sinc := cutoff
	if x != 0 {
		sinc = math.Sin(math.Pi*cutoff*x) / (math.Pi * x)
	}
	return sinc * bessel(beta*math.Sqrt(1-x*x/(half*half))) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

// resample returns samples in [−1, 1], ⌊n·up/down⌋ of them.
func (r *resampler) resample(pcm []int16) []float32 {
	// Silence around the samples saves the loop its edges.
	in := make([]float32, len(pcm)+2*r.half)
	for i, s := range pcm {
		in[r.half+i] = float32(s) / 32768
	}
	out := make([]float32, len(pcm)*r.up/r.down)
	for i := range out {
		at := i * r.down
		out[i] = max(-1, min(1, dot(r.taps[at%r.up], in[at/r.up+1:])))
	}
	return out
}

// dot multiplies an even number of taps with as many samples. Two sums keep the
// processor from waiting for each addition.
func dot(taps, x []float32) float32 {
	x = x[:len(taps)]
	var even, odd float32
	for j := 1; j < len(taps); j += 2 {
		even += taps[j-1] * x[j-1]
		odd += taps[j] * x[j]
	}
	return even + odd
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
