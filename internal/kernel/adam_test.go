package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

var adamStep = AdamParams{
	LR: 2e-3, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Decay: 0.1,
	Correct1: 1 / (1 - 0.9*0.9*0.9), Correct2: 1 / (1 - 0.95*0.95*0.95), GradScale: 0.5,
}

func TestAdamW(t *testing.T) {
	run := func(f func(w, m, v, g []float32)) func(b [][]float32) float32 {
		return noResult(func(b [][]float32) {
			for i, v := range b[2] { // a second moment is not negative
				b[2][i] = max(v, -v)
			}
			f(b[0], b[1], b[2], b[3])
		})
	}
	testVectorOps(t, []vectorOp{{"AdamW", 4,
		run(func(w, m, v, g []float32) { AdamW(w, m, v, g, adamStep) }),
		run(func(w, m, v, g []float32) {
			was := has
			has = features{}
			AdamW(w, m, v, g, adamStep)
			has = was
		}), 1e-6}})
}

// TestAdamWFormula compares one step with the formula in float64.
func TestAdamWFormula(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 7))
		b, _ := guarded(r, 4, 50, false)
		w, m, v, g := b[0], b[1], b[2], b[3]
		for i := range v {
			v[i] *= v[i]
		}
		was, mean, square := widen(w), widen(m), widen(v)
		p := adamStep
		AdamW(w, m, v, g, p)
		for i := range w {
			d := float64(g[i]) * float64(p.GradScale)
			mean[i] = 0.9*mean[i] + 0.1*d
			square[i] = 0.95*square[i] + 0.05*d*d
			step := mean[i]*float64(p.Correct1)/(math.Sqrt(square[i]*float64(p.Correct2))+1e-8) + 0.1*was[i]
			near(t, "m", g[i], m[i], mean[i])
			near(t, "v", g[i], v[i], square[i])
			near(t, "w", g[i], w[i], was[i]-2e-3*step)
		}
	})
}
