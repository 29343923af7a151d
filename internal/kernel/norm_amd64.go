package kernel

func scaleMul(y, x, gain []float32, inv float32) {
	switch {
	case has.avx512:
		scaleMulAVX512(y, x, gain, inv)
	case has.avx2:
		scaleMulAVX2(y, x, gain, inv)
	default:
		scaleMulGeneric(y, x, gain, inv)
	}
}

func dot3(x, y, z []float32) float32 {
	if has.avx512 {
		return dot3AVX512(x, y, z)
	}
	return dot3Generic(x, y, z)
}

func rmsNormBackward(dx, dgain, dy, x, gain []float32, inv, c float32) {
	if has.avx512 {
		rmsNormBackwardAVX512(dx, dgain, dy, x, gain, inv, c)
	} else {
		rmsNormBackwardGeneric(dx, dgain, dy, x, gain, inv, c)
	}
}

func rope(x, y, cos, sin []float32, sign float32) {
	if has.avx512 {
		ropeAVX512(x, y, cos, sin, sign)
	} else {
		ropeGeneric(x, y, cos, sin, sign)
	}
}

//go:noescape
func scaleMulAVX512(y, x, gain []float32, inv float32)

//go:noescape
func scaleMulAVX2(y, x, gain []float32, inv float32)

//go:noescape
func dot3AVX512(x, y, z []float32) float32

//go:noescape
func rmsNormBackwardAVX512(dx, dgain, dy, x, gain []float32, inv, c float32)

//go:noescape
func ropeAVX512(x, y, cos, sin []float32, sign float32)
