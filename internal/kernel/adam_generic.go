package kernel

import "math"

func adamGeneric(w, m, v, g []float32, c *adamConsts) {
	n := len(w)
	m, v, g = m[:n], v[:n], g[:n]
	for i := range w {
		d := c.grad * g[i]
		m[i] = float32(c.beta1*m[i]) + float32(c.rest1*d)
		v[i] = float32(c.beta2*v[i]) + float32(c.rest2*float32(d*d))
		root := float32(math.Sqrt(float64(v[i] * c.correct2)))
		w[i] = float32(w[i]*c.keep) - float32(c.rate*m[i])/(root+c.eps)
	}
}
