package resample

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/media"
)

// The filter's stop band begins at half the lower of the two rates, its
// transition is an eighth of that wide.
const (
	attenuation = 90 // dB
	transition  = 0.125
	// maxPhases bounds the table. Between phases coefficients are interpolated,
	// with an error of less than −100 dB.
	maxPhases = 512
)

// Resampler changes the rate of a signal to [media.SampleRate] by a windowed sinc.
// Samples before the first and after the last are silence; output sample n lies at
// the time of n. It belongs to one goroutine.
type Resampler struct {
	step, unit int // an output sample is step/unit input samples after the one before
	half       int // the filter reaches so many input samples to either side
	phases     [][]float32
	in         []float32 // input from sample first on
	first, pos int64     // pos is the input sample at or before the next output
	rest       int       // and how far it is after that, in units
	total      int64     // input samples so far
}

// New returns a resampler from rate samples a second, which must be positive.
func New(rate int) *Resampler {
	g := gcd(rate, media.SampleRate)
	r := &Resampler{step: rate / g, unit: media.SampleRate / g}
	// Frequencies are in cycles per input sample; Kaiser's formulas.
	edge := min(1, float64(media.SampleRate)/float64(rate)) / 2
	width := transition * edge
	r.half = int(math.Ceil((attenuation - 8) / (2.285 * 2 * math.Pi * width) / 2))
	const beta = 0.1102 * (attenuation - 8.7)
	n := min(r.unit, maxPhases)
	r.phases = make([][]float32, n+1)
	for p := range r.phases {
		r.phases[p] = taps(edge-width/2, beta, r.half, float64(p)/float64(n))
	}
	r.Reset()
	return r
}

// Reset begins another signal.
func (r *Resampler) Reset() {
	r.in = append(r.in[:0], make([]float32, r.half-1)...)
	r.first, r.pos, r.rest, r.total = -int64(r.half-1), 0, 0, 0
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// taps are the weights of the samples from half−1 before to half after one, for
// a point that is shift after it.
func taps(cutoff, beta float64, half int, shift float64) []float32 {
	w := make([]float64, 2*half)
	var sum float64
	for i := range w {
		w[i] = Sinc(float64(i-(half-1))-shift, 2*cutoff, float64(half), beta)
		sum += w[i]
	}
	out := make([]float32, len(w))
	for i := range w {
		out[i] = float32(w[i] / sum)
	}
	return out
}

// Sinc is an ideal low-pass filter x samples from its middle, under a Kaiser window
// of shape beta that ends half samples from it. The cutoff is a share of the Nyquist
// frequency.
func Sinc(x, cutoff, half, beta float64) float64 {
	if math.Abs(x) >= half {
		return 0
	}
	sinc := cutoff
	if x != 0 {
		sinc = math.Sin(math.Pi*cutoff*x) / (math.Pi * x)
	}
	t := x / half
	return sinc * bessel(beta*math.Sqrt(1-t*t)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

// Write takes input and appends to dst what can be computed with it.
func (r *Resampler) Write(dst, src []float32) []float32 {
	r.in = append(r.in, src...)
	r.total += int64(len(src))
	return r.produce(dst, math.MaxInt64)
}

// Flush appends what the last input makes up.
func (r *Resampler) Flush(dst []float32) []float32 {
	r.in = append(r.in, make([]float32, r.half)...)
	return r.produce(dst, r.total)
}

// produce computes output whose time lies before input sample end.
func (r *Resampler) produce(dst []float32, end int64) []float32 {
	n := len(r.phases) - 1
	for r.pos < end {
		at := int(r.pos - r.first - int64(r.half-1))
		if at+2*r.half > len(r.in) {
			break
		}
		window := r.in[at : at+2*r.half]
		scaled := r.rest * n
		phase, between := scaled/r.unit, scaled%r.unit
		v := kernel.Dot(window, r.phases[phase])
		if between != 0 {
			t := float32(between) / float32(r.unit)
			v += t * (kernel.Dot(window, r.phases[phase+1]) - v)
		}
		dst = append(dst, v)
		r.rest += r.step
		r.pos += int64(r.rest / r.unit)
		r.rest %= r.unit
	}
	// Drop what no output needs any more.
	if drop := min(int(r.pos-r.first)-(r.half-1), len(r.in)); drop > 0 {
		r.in = r.in[:copy(r.in, r.in[drop:])]
		r.first += int64(drop)
	}
	return dst
}
