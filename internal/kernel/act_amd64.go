package kernel

// geluTable holds the clamp and −2z = geluTable[1]·x³ + geluTable[2]·x.
var geluTable = [3]float32{geluFloor, -geluA * geluB, -geluA}

func siluMul(dst, gate, up []float32) {
	switch {
	case has.avx512:
		siluMulAVX512(dst, gate, up)
	case has.avx2:
		siluMulAVX2(dst, gate, up)
	default:
		siluMulGeneric(dst, gate, up)
	}
}

func siluMulBackward(dgate, dup, dh, gate, up []float32) {
	if has.avx512 {
		siluMulBackwardAVX512(dgate, dup, dh, gate, up)
	} else {
		siluMulBackwardGeneric(dgate, dup, dh, gate, up)
	}
}

func gelu(dst, x []float32) {
	if has.avx512 {
		geluAVX512(dst, x)
	} else {
		geluGeneric(dst, x)
	}
}

func relu2(dst, x []float32) {
	if has.avx512 {
		relu2AVX512(dst, x)
	} else {
		relu2Generic(dst, x)
	}
}

//go:noescape
func siluMulAVX512(dst, gate, up []float32)

//go:noescape
func siluMulAVX2(dst, gate, up []float32)

//go:noescape
func siluMulBackwardAVX512(dgate, dup, dh, gate, up []float32)

//go:noescape
func geluAVX512(dst, x []float32)

//go:noescape
func relu2AVX512(dst, x []float32)
