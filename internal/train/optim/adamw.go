package optim

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// AdamW is Adam with decoupled weight decay (arXiv 1711.05101).
type AdamW struct {
	Beta1, Beta2, Eps float32
	Decay             float32 // of ClassMatrix parameters
	TempRate          float32 // learning-rate multiple of ClassTemperature
	M, V              []float32
	Step              int
}

// New makes an optimiser for n parameters.
func New(n int, decay float32) *AdamW {
	return &AdamW{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: decay, TempRate: 3, M: make([]float32, n), V: make([]float32, n)}
}

// Update moves part of parts of the parameters along grad·scale, but for those
// that rest until a later step. Step must have been advanced once before.
func (o *AdamW) Update(ps *nn.Params, grad []float32, scale, lr float32, part, parts int) {
	p := kernel.AdamParams{
		LR: lr, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, GradScale: scale,
		Correct1: float32(1 / (1 - math.Pow(float64(o.Beta1), float64(o.Step)))),
		Correct2: float32(1 / (1 - math.Pow(float64(o.Beta2), float64(o.Step)))),
	}
	for _, x := range ps.List {
		if o.Step <= x.From {
			continue
		}
		q := p
		switch x.Class {
		case nn.ClassState:
			continue
		case nn.ClassMatrix:
			q.Decay = o.Decay
		case nn.ClassTemperature:
			q.LR *= o.TempRate
		}
		a, b := x.Off+x.Len*part/parts, x.Off+x.Len*(part+1)/parts
		kernel.AdamW(ps.Data[a:b], o.M[a:b], o.V[a:b], grad[a:b], q)
	}
}

// Schedule is warm-up, stable, decay (arXiv 2404.06395): linear up over Warmup
// steps, constant, then linear down to Final over the last Decay steps.
type Schedule struct {
	Rate   float64 `yaml:"rate"`
	Warmup int     `yaml:"warmup"`
	Decay  int     `yaml:"decay"`
	Final  float64 `yaml:"final"` // share of Rate at the end
}

// At returns the rate of a step, counted from 0, of steps.
func (s Schedule) At(step, steps int) float64 {
	r := s.Rate
	if step < s.Warmup {
		r *= float64(step+1) / float64(s.Warmup)
	}
	if left := steps - step; left < s.Decay {
		r *= s.Final + (1-s.Final)*float64(left)/float64(s.Decay)
	}
	return r
}
