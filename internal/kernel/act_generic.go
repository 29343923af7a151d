package kernel

// gelu(x) = x·sigmoid(2z) with 2z = geluA·(x + geluB·x³). Below geluFloor the
// sigmoid is 0, and the clamp saves −Inf from becoming NaN.
const (
	geluA     = 1.5957691216057308 // 2·√(2/π)
	geluB     = 0.044715
	geluFloor = -20
)

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

// geluGeneric takes (1+tanh z)/2 as sigmoid(2z), which loses nothing where
// tanh is near −1.
func geluGeneric(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		v = max(v, geluFloor)
		dst[i] = v * sigmoid32(geluA*v+float32(geluA*geluB*v*v*v))
	}
}

func relu2Generic(dst, x []float32) {
	for i, v := range x[:len(dst)] {
		v = max(v, 0)
		dst[i] = v * v
	}
}
