package kernel

// expTable holds the constants of EXP16 and EXP8, each eight times: the range
// outside which the result is 0 or infinity, log₂e, ln 2 in two parts, and the
// coefficients of (e^r−1−r)/r² from the highest down, then 1.
var expTable = [12][8]float32{
	eight(-104), eight(89),
	eight(1.44269504088896341), eight(0.693359375), eight(-2.12194440e-4),
	eight(1.9875691500e-4), eight(1.3981999507e-3), eight(8.3334519073e-3),
	eight(4.1665795894e-2), eight(1.6666665459e-1), eight(5.0000001201e-1),
	eight(1),
}

// lanes8 gives the mask of the first n of 8 lanes at element 8−n.
var lanes8 = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

func eight(x float32) [8]float32 { return [8]float32{x, x, x, x, x, x, x, x} }

func dot(x, y []float32) float32 {
	switch {
	case has.avx512:
		return dotAVX512(x, y)
	case has.avx2:
		return dotAVX2(x, y)
	}
	return dotGeneric(x, y)
}

func axpy(y []float32, a float32, x []float32) {
	switch {
	case has.avx512:
		axpyAVX512(y, x, a)
	case has.avx2:
		axpyAVX2(y, x, a)
	default:
		axpyGeneric(y, a, x)
	}
}

func add(y, x []float32) {
	switch {
	case has.avx512:
		addAVX512(y, x)
	case has.avx2:
		addAVX2(y, x)
	default:
		addGeneric(y, x)
	}
}

func mul(dst, x, y []float32) {
	switch {
	case has.avx512:
		mulAVX512(dst, x, y)
	case has.avx2:
		mulAVX2(dst, x, y)
	default:
		mulGeneric(dst, x, y)
	}
}

func mulAdd(y, w, x []float32) {
	switch {
	case has.avx512:
		mulAddAVX512(y, w, x)
	case has.avx2:
		mulAddAVX2(y, w, x)
	default:
		mulAddGeneric(y, w, x)
	}
}

func scale(x []float32, a float32) {
	switch {
	case has.avx512:
		scaleAVX512(x, a)
	case has.avx2:
		scaleAVX2(x, a)
	default:
		scaleGeneric(x, a)
	}
}

func maximum(x []float32) float32 {
	if has.avx512 {
		return maxAVX512(x)
	}
	return maxGeneric(x)
}

func exp(dst, x []float32, sub float32) (sum float32) {
	switch {
	case has.avx512:
		return expAVX512(dst, x, sub)
	case has.avx2:
		return expAVX2(dst, x, sub)
	}
	return expGeneric(dst, x, sub)
}

func expSum(x []float32, sub float32) float32 {
	switch {
	case has.avx512:
		return expSumAVX512(x, sub)
	case has.avx2:
		return expSumAVX2(x, sub)
	}
	return expSumGeneric(x, sub)
}

func scaleMax(x []float32, a float32) float32 {
	switch {
	case has.avx512:
		return scaleMaxAVX512(x, a)
	case has.avx2:
		return scaleMaxAVX2(x, a)
	}
	return scaleMaxGeneric(x, a)
}

func softmaxBackward(dp, p []float32, scale, dot float32) {
	if has.avx512 {
		softmaxBackwardAVX512(dp, p, scale, dot)
	} else {
		softmaxBackwardGeneric(dp, p, scale, dot)
	}
}

func narrowBF16(dst []uint16, x []float32) {
	if has.avx512 {
		toBF16AVX512(dst, x)
	} else {
		toBF16Generic(dst, x)
	}
}

func widenBF16(dst []float32, x []uint16) {
	if has.avx512 {
		fromBF16AVX512(dst, x)
	} else {
		fromBF16Generic(dst, x)
	}
}

func maxAbs(x []float32) float32 {
	if has.avx512 {
		return maxAbsAVX512(x)
	}
	return maxAbsGeneric(x)
}

func round8(dst []int8, x []float32, inv float32) {
	if has.avx512 {
		round8AVX512(dst, x, inv)
	} else {
		round8Generic(dst, x, inv)
	}
}

func offsetBinary(dst []byte, x []int8) {
	if has.avx512 {
		offsetBinaryAVX512(dst, x)
	} else {
		offsetBinaryGeneric(dst, x)
	}
}

// Each of these computes what its portable twin does, over the length of the
// first slice.

//go:noescape
func dotAVX512(x, y []float32) float32

//go:noescape
func dotAVX2(x, y []float32) float32

//go:noescape
func axpyAVX512(y, x []float32, a float32)

//go:noescape
func axpyAVX2(y, x []float32, a float32)

//go:noescape
func addAVX512(y, x []float32)

//go:noescape
func addAVX2(y, x []float32)

//go:noescape
func mulAVX512(dst, x, y []float32)

//go:noescape
func mulAVX2(dst, x, y []float32)

//go:noescape
func mulAddAVX512(y, w, x []float32)

//go:noescape
func mulAddAVX2(y, w, x []float32)

//go:noescape
func scaleAVX512(x []float32, a float32)

//go:noescape
func scaleAVX2(x []float32, a float32)

//go:noescape
func maxAVX512(x []float32) float32

//go:noescape
func expAVX512(dst, x []float32, sub float32) float32

//go:noescape
func expAVX2(dst, x []float32, sub float32) float32

//go:noescape
func expSumAVX512(x []float32, sub float32) float32

//go:noescape
func expSumAVX2(x []float32, sub float32) float32

//go:noescape
func scaleMaxAVX512(x []float32, a float32) float32

//go:noescape
func scaleMaxAVX2(x []float32, a float32) float32

//go:noescape
func softmaxBackwardAVX512(dp, p []float32, scale, dot float32)

//go:noescape
func toBF16AVX512(dst []uint16, x []float32)

//go:noescape
func fromBF16AVX512(dst []float32, x []uint16)

//go:noescape
func maxAbsAVX512(x []float32) float32

//go:noescape
func round8AVX512(dst []int8, x []float32, inv float32)

//go:noescape
func offsetBinaryAVX512(dst []byte, x []int8)
