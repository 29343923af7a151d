package kernel

func taps5(dst, w, x []float32, c int) {
	switch {
	case has.avx512 && c%16 == 0:
		taps5AVX512(dst, w, x, c)
	case has.avx2 && c%8 == 0:
		taps5AVX2(dst, w, x, c)
	default:
		taps5Generic(dst, w, x, c)
	}
}

// taps5AVX512 is Taps5 for c a multiple of 16: 16 channels at a time go along the
// row with their weights and the last four inputs in registers.
//
//go:noescape
func taps5AVX512(dst, w, x []float32, c int)

// taps5AVX2 is the same for c a multiple of 8.
//
//go:noescape
func taps5AVX2(dst, w, x []float32, c int)

func tapsGrad5(dw, dy, x []float32, c int) {
	switch {
	case has.avx512 && c%16 == 0:
		tapsGrad5AVX512(dw, dy, x, c)
	case has.avx2 && c%8 == 0:
		tapsGrad5AVX2(dw, dy, x, c)
	default:
		tapsGrad5Generic(dw, dy, x, c)
	}
}

// tapsGrad5AVX512 is TapsGrad5 for c a multiple of 16; the five sums of 16 channels
// stay in registers along the row.
//
//go:noescape
func tapsGrad5AVX512(dw, dy, x []float32, c int)

// tapsGrad5AVX2 is the same for c a multiple of 8.
//
//go:noescape
func tapsGrad5AVX2(dw, dy, x []float32, c int)
