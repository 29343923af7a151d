package kernel

func scaleMulGeneric(y, x, gain []float32, inv float32) {
	x, gain = x[:len(y)], gain[:len(y)]
	for i := range y {
		y[i] = x[i] * inv * gain[i]
	}
}

// dot3Generic returns Σ x·y·z.
func dot3Generic(x, y, z []float32) float32 {
	y, z = y[:len(x)], z[:len(x)]
	var s float32
	for i := range x {
		s += float32(x[i] * z[i] * y[i])
	}
	return s
}

// rmsNormBackwardGeneric takes c = inv²·mean(dy·gain·x).
func rmsNormBackwardGeneric(dx, dgain, dy, x, gain []float32, inv, c float32) {
	n := len(dx)
	dgain, dy, x, gain = dgain[:n], dy[:n], x[:n], gain[:n]
	for i := range dx {
		dx[i] += float32(inv * (float32(dy[i]*gain[i]) - float32(c*x[i])))
		dgain[i] += float32(dy[i] * float32(x[i]*inv))
	}
}

func ropeGeneric(x, y, cos, sin []float32, sign float32) {
	y, cos, sin = y[:len(x)], cos[:len(x)], sin[:len(x)]
	for i := range x {
		a, b, c, s := x[i], y[i], cos[i], sign*sin[i]
		x[i] = float32(a*c) - float32(b*s)
		y[i] = float32(a*s) + float32(b*c)
	}
}
