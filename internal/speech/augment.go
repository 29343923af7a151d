package speech

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/resample"
)

// Augment changes speech as rooms, microphones and lines would: it warps, adds a
// room, noise, a narrow band and coarse samples, each in some of the calls, and
// sets the level. Babble is made of other, which is other speech. The times of
// words and phones follow.
func Augment(s *Speech, rng *rand.Rand, other [][]float32) {
	if rng.Float64() < 0.4 {
		s.Warp(0.87 + 0.28*rng.Float64())
	}
	if rng.Float64() < 0.3 {
		s.Reverberate(rng, time.Duration(80+rng.IntN(400))*time.Millisecond, 0.02+0.3*rng.Float64())
	}
	if rng.Float64() < 0.5 {
		s.AddNoise(noise(rng, len(s.PCM), other), 3+27*rng.Float64())
	}
	if rng.Float64() < 0.12 {
		s.BandLimit(200+150*rng.Float64(), 3000+1500*rng.Float64())
	}
	s.Level(0.04 + 0.9*rng.Float64())
	if p := rng.Float64(); p < 0.06 {
		s.Clip(0.3 + 0.6*rng.Float64())
	} else if p < 0.12 {
		s.Quantise(5 + rng.IntN(4))
	}
}

func noise(rng *rand.Rand, n int, other [][]float32) []float32 {
	switch p := rng.IntN(5); {
	case p == 0:
		return White(rng, n)
	case p == 1:
		return Pink(rng, n)
	case p < 4 && len(other) > 0:
		return Babble(rng, n, other)
	}
	return Music(rng, n)
}

// beta shapes the filters' windows: 80 dB of attenuation.
const beta = 8

// Warp plays the speech faster and higher, or slower and lower where the factor is
// below one.
func (s *Speech) Warp(factor float64) {
	out := make([]float32, int(float64(len(s.PCM))/factor))
	// A sinc of sixteen zero crossings a side, out of a table.
	cutoff := 0.96 * min(1, 1/factor)
	const half, steps = 16, 256
	table := make([]float32, 2*half*steps+1)
	for i := range table {
		table[i] = float32(resample.Sinc(float64(i)/steps-half, cutoff, half, beta))
	}
	for i := range out {
		at := float64(i) * factor
		whole := int(at)
		var sum float32
		for j := max(0, whole-half+1); j <= min(len(s.PCM)-1, whole+half); j++ {
			sum += s.PCM[j] * table[int((float64(j)-at+half)*steps+0.5)]
		}
		out[i] = sum
	}
	s.PCM = out
	s.scale(1 / factor)
}

func (s *Speech) scale(by float64) {
	t := func(d time.Duration) time.Duration { return time.Duration(float64(d) * by) }
	for i := range s.Words {
		s.Words[i].Start, s.Words[i].End = t(s.Words[i].Start), t(s.Words[i].End)
	}
	for i := range s.Phones {
		s.Phones[i].Start, s.Phones[i].End = t(s.Phones[i].Start), t(s.Phones[i].End)
	}
}

// Lead puts silence before the speech.
func (s *Speech) Lead(samples int) {
	s.PCM = append(make([]float32, samples, samples+len(s.PCM)), s.PCM...)
	by := duration(samples, media.SampleRate)
	for i := range s.Words {
		s.Words[i].Start += by
		s.Words[i].End += by
	}
	for i := range s.Phones {
		s.Phones[i].Start += by
		s.Phones[i].End += by
	}
}

// Reverberate adds a room: noise that falls by 60 dB in the time given, its energy a
// share of the direct sound's. The speech keeps its length.
func (s *Speech) Reverberate(rng *rand.Rand, decay time.Duration, share float64) {
	n := max(2, int(decay.Seconds()*media.SampleRate))
	room := make([]float32, n)
	var energy float64
	for i := 1; i < n; i++ {
		v := rng.NormFloat64() * math.Pow(10, -3*float64(i)/float64(n))
		room[i] = float32(v)
		energy += v * v
	}
	if energy > 0 {
		gain := float32(math.Sqrt(share / energy))
		for i := range room {
			room[i] *= gain
		}
	}
	room[0] = 1
	s.PCM = convolve(s.PCM, room)[:len(s.PCM)]
}

// AddNoise adds noise, as long as the speech, so that the speech's power is the
// given number of decibels above it.
func (s *Speech) AddNoise(noise []float32, decibels float64) {
	p, q := power(s.PCM), power(noise)
	if p == 0 || q == 0 {
		return
	}
	gain := float32(math.Sqrt(p/q) * math.Pow(10, -decibels/20))
	for i := range s.PCM {
		s.PCM[i] += gain * noise[i]
	}
}

// BandLimit keeps frequencies between low and high, in Hz, as a telephone does.
func (s *Speech) BandLimit(low, high float64) {
	const half = 128
	filter := make([]float32, 2*half+1)
	for i := range filter {
		x := float64(i - half)
		filter[i] = float32(resample.Sinc(x, 2*high/media.SampleRate, half+1, beta) - resample.Sinc(x, 2*low/media.SampleRate, half+1, beta))
	}
	s.PCM = convolve(s.PCM, filter)[half : half+len(s.PCM)]
}

// Level sets the peak.
func (s *Speech) Level(peak float64) {
	var most float32
	for _, v := range s.PCM {
		most = max(most, v, -v)
	}
	if most == 0 {
		return
	}
	gain := float32(peak) / most
	for i := range s.PCM {
		s.PCM[i] *= gain
	}
}

// Clip cuts off what is above a share of the peak.
func (s *Speech) Clip(share float64) {
	var most float32
	for _, v := range s.PCM {
		most = max(most, v, -v)
	}
	limit := float32(share) * most
	for i, v := range s.PCM {
		s.PCM[i] = max(-limit, min(limit, v))
	}
}

// Quantise rounds samples to so many bits on the µ-law's scale (ITU-T G.711 has 8).
func (s *Speech) Quantise(bits int) {
	const mu = 255
	levels := float64(int(1)<<(bits-1)) - 1
	for i, v := range s.PCM {
		x := float64(max(-1, min(1, v)))
		y := math.Round(levels*math.Log1p(mu*math.Abs(x))/math.Log1p(mu)) / levels
		s.PCM[i] = float32(math.Copysign(math.Expm1(y*math.Log1p(mu))/mu, x))
	}
}

func power(pcm []float32) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum / float64(max(1, len(pcm)))
}
