package kernel

import "math"

func adamGeneric(w, m, v, g []float32, p *AdamParams) {
	n := len(w)
	m, v, g = m[:n], v[:n], g[:n]
	keep, r1, r2 := 1-float32(p.LR*p.Decay), 1-p.Beta1, 1-p.Beta2
	lr := p.LR * p.Correct1
	for i := range w {
		d := p.GradScale * g[i]
		m[i] = float32(p.Beta1*m[i]) + float32(r1*d)
		v[i] = float32(p.Beta2*v[i]) + float32(r2*float32(d*d))
		root := float32(math.Sqrt(float64(v[i] * p.Correct2)))
		w[i] = float32(w[i]*keep) - float32(lr*m[i])/(root+p.Eps)
	}
}
