package audio

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
	// Rates outside are taken for damage.
	minRate, maxRate = 1000, 768000
)

// resampler changes the rate of a signal by a windowed sinc. Samples before the
// first and after the last are silence; output sample n lies at the time of n.
type resampler struct {
	step, unit int // an output sample is step/unit input samples after the one before
	half       int // the filter reaches so many input samples to either side
	phases     [][]float32
	in         []float32 // input from sample first on
	first, pos int64     // pos is the input sample at or before the next output
	rest       int       // and how far it is after that, in units
	total      int64     // input samples so far
}

func newResampler(rate int) *resampler {
	g := gcd(rate, media.SampleRate)
	r := &resampler{step: rate / g, unit: media.SampleRate / g}
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
	r.in = make([]float32, r.half-1)
	r.first = -int64(r.half - 1)
	return r
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
		x := float64(i-(half-1)) - shift
		sinc := 1.0
		if y := 2 * math.Pi * cutoff * x; y != 0 {
			sinc = math.Sin(y) / y
		}
		t := x / float64(half)
		w[i] = sinc * bessel(beta*math.Sqrt(max(0, 1-t*t)))
		sum += w[i]
	}
	out := make([]float32, len(w))
	for i := range w {
		out[i] = float32(w[i] / sum)
	}
	return out
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

// write takes input and appends to dst what can be computed with it.
func (r *resampler) write(dst, src []float32) []float32 {
	r.in = append(r.in, src...)
	r.total += int64(len(src))
	return r.produce(dst, math.MaxInt64)
}

// flush appends what the last input makes up.
func (r *resampler) flush(dst []float32) []float32 {
	r.in = append(r.in, make([]float32, r.half)...)
	return r.produce(dst, r.total)
}

// produce computes output whose time lies before input sample end.
func (r *resampler) produce(dst []float32, end int64) []float32 {
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

// Reader gives mono samples at [media.SampleRate] of a source at any rate.
type Reader struct {
	read func(dst []float32) (int, error)
	rs   *resampler // nil if the rate is right
	raw  []float32
	out  []float32 // ready from next on
	next int
	err  error
}

// NewReader resamples what read gives. Read returns at least one sample or an
// error, samples before the error included.
func NewReader(rate int, read func(dst []float32) (int, error)) *Reader {
	r := &Reader{read: read}
	if rate != media.SampleRate {
		r.rs = newResampler(rate)
		r.raw = make([]float32, 4096)
	}
	return r
}

// Read fills dst unless the source ends.
func (r *Reader) Read(dst []float32) (int, error) {
	n := 0
	for n < len(dst) {
		if r.next < len(r.out) {
			k := copy(dst[n:], r.out[r.next:])
			n, r.next = n+k, r.next+k
			continue
		}
		if r.err != nil {
			return n, r.err
		}
		if r.rs == nil {
			var k int
			k, r.err = r.read(dst[n:])
			n += k
			continue
		}
		var k int
		k, r.err = r.read(r.raw)
		r.out, r.next = r.rs.write(r.out[:0], r.raw[:k]), 0
		if r.err != nil {
			r.out = r.rs.flush(r.out)
		}
	}
	return n, nil
}
