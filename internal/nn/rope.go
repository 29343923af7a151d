package nn

import "math"

// RopeScaling stretches rotary positions beyond the context a model was trained
// on. The zero value leaves them alone.
type RopeScaling struct {
	Factor   float64   // of the context; 0 and 1 leave positions alone
	Yarn     bool      // interpolate slow frequencies only (arXiv 2309.00071), else all (arXiv 2306.15595)
	Original int       // tokens of the training context, for YaRN
	Fast     float64   // turns in the training context above which YaRN leaves a frequency alone; 0 is 32
	Slow     float64   // turns below which it interpolates; 0 is 1
	Divisors []float64 // [dim/2] of frequencies (LongRoPE, arXiv 2402.13753, and the like), or nil
	Gain     float64   // of cosines and sines, 0 is 1
}

// frequencies returns the angle that each pair of a head turns by in a token.
func (sc *RopeScaling) frequencies(dim int, base float64) (freq []float64, gain float64) {
	gain = 1
	if sc.Gain != 0 {
		gain = sc.Gain
	}
	scale := 1.0
	if sc.Factor > 0 {
		scale = 1 / sc.Factor
	}
	low, high := sc.corrections(dim, base)
	for i := range dim / 2 {
		f := math.Pow(base, -2*float64(i)/float64(dim))
		if sc.Divisors != nil {
			f /= sc.Divisors[i]
		}
		if sc.Yarn {
			mix := 1 - min(max((float64(i)-low)/max(0.001, high-low), 0), 1)
			f *= scale*(1-mix) + mix
		} else {
			f *= scale
		}
		freq = append(freq, f)
	}
	if sc.Yarn && sc.Factor > 1 {
		gain *= 1 + 0.1*math.Log(sc.Factor)
	}
	return freq, gain
}

// corrections returns the pairs between which YaRN goes from leaving
// frequencies alone to interpolating them.
func (sc *RopeScaling) corrections(dim int, base float64) (low, high float64) {
	pair := func(turns, otherwise float64) float64 {
		if turns == 0 {
			turns = otherwise
		}
		return float64(dim) * math.Log(float64(sc.Original)/(turns*2*math.Pi)) / (2 * math.Log(base))
	}
	return max(0, math.Floor(pair(sc.Fast, 32))), min(float64(dim-1), math.Ceil(pair(sc.Slow, 1)))
}
