package speech

import (
	"math"
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/media"
)

// White returns n samples of noise with the same power at all frequencies.
func White(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

// Pink returns n samples of noise whose power falls by 3 dB an octave, nearly: the sum
// of leaky integrators, each an octave or two from the next.
func Pink(rng *rand.Rand, n int) []float32 {
	poles := [...]float64{0.5, 0.85, 0.96, 0.99, 0.9975}
	var state [len(poles)]float64
	out := make([]float32, n)
	for i := range out {
		w, sum := rng.NormFloat64(), 0.0
		for j, p := range poles {
			state[j] = p*state[j] + math.Sqrt(1-p)*w
			sum += state[j]
		}
		out[i] = float32(sum)
	}
	return out
}

// Babble returns n samples of two to five voices out of other, which has one at
// least.
func Babble(rng *rand.Rand, n int, other [][]float32) []float32 {
	out := make([]float32, n)
	for range 2 + rng.IntN(4) {
		voice := pick(rng, other)
		if len(voice) == 0 {
			continue
		}
		gain := float32(0.3 + rng.Float64())
		at := rng.IntN(len(voice))
		for i := range out {
			out[i] += gain * voice[(at+i)%len(voice)]
		}
	}
	return out
}

// Music returns n samples of chords or arpeggios of harmonic tones over a beat.
func Music(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	beat := int((0.12 + 0.5*rng.Float64()) * media.SampleRate)
	root := 110 * math.Pow(2, float64(rng.IntN(24))/12)
	third := 3 + rng.IntN(2) // minor or major
	chord := [...]int{0, third, 7, 12}
	arpeggio := rng.IntN(2) == 0
	harmonics := 2 + rng.IntN(6)
	for at, step := 0, 0; at < n; at, step = at+beat, step+1 {
		if step%8 == 0 {
			root *= math.Pow(2, float64([...]int{0, 5, 7, -5, -7}[rng.IntN(5)])/12)
			for root < 80 || root > 500 {
				root *= map[bool]float64{true: 2, false: 0.5}[root < 80]
			}
		}
		for i, note := range chord {
			if arpeggio && i != step%len(chord) {
				continue
			}
			tone(out[at:], root*math.Pow(2, float64(note)/12), harmonics, 2*beat)
		}
	}
	return out
}

// tone adds a note that dies away over so many samples.
func tone(dst []float32, hertz float64, harmonics, length int) {
	for h := 1; h <= harmonics && hertz*float64(h) < media.SampleRate/2; h++ {
		turn := 2 * math.Pi * hertz * float64(h) / media.SampleRate
		// A rotating vector is cheaper than a sine for each sample.
		x, y := 0.0, 1.0
		sin, cos := math.Sincos(turn)
		fall := math.Exp(-4 * float64(h) / float64(length))
		level := 1 / float64(h)
		for i := range dst[:min(len(dst), length)] {
			rise := min(1, float64(i)/160)
			dst[i] += float32(level * rise * x)
			x, y = x*cos+y*sin, y*cos-x*sin
			level *= fall
		}
	}
}
