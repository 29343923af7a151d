package kernel

import "math"

// sigmoid32 is 1/(1+exp(−x)).
func sigmoid32(x float32) float32 { return 1 / (1 + exp32(-x)) }

func siluMulGeneric(dst, gate, up []float32) {
	gate, up = gate[:len(dst)], up[:len(dst)]
	for i, g := range gate {
		dst[i] = g * sigmoid32(g) * up[i]
	}
}

func siluMulBackwardGeneric(dgate, dup, dh, gate, up []float32) {
	n := len(dgate)
	dup, dh, gate, up = dup[:n], dh[:n], gate[:n], up[:n]
	for i, g := range gate {
		s, d, u := sigmoid32(g), dh[i], up[i]
		silu := g * s
		dgate[i] = d * u * (s + float32(silu*(1-s)))
		dup[i] = d * silu
	}
}

// geluGeneric uses (1+tanh z)/2 = sigmoid(2z), which loses nothing where tanh
// is near −1.
func geluGeneric(dst, x []float32) {
	const a, b = 1.5957691216057308, 0.044715 // 2·√(2/π)
	for i, v := range x[:len(dst)] {
		z := a * (v + float32(b*v*v*v))
		if math.IsInf(float64(v), -1) {
			dst[i] = 0
			continue
		}
		dst[i] = v * sigmoid32(z)
	}
}

func relu2Generic(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		v = max(v, 0)
		dst[i] = v * v
	}
}
