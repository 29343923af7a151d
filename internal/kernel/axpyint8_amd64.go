package kernel

func axpyInt8(y []float32, a float32, x []int8) {
	if has.avx512 {
		axpyInt8AVX512(y, x, a)
		return
	}
	axpyInt8Generic(y, a, x)
}

// axpyInt8AVX512 is y[i] += a·x[i].
//
//go:noescape
func axpyInt8AVX512(y []float32, x []int8, a float32)
