package kernel

// mulRowsHalfAVX512 and mulRowsBrainAVX512 are mulRowsF32AVX512 for panels of
// half-precision values and of bfloat16.
//
//go:noescape
func mulRowsHalfAVX512(dst *float32, ldd int, a *float32, lda int, b *uint16, k, m int, mask, acc uint64)

//go:noescape
func mulRowsBrainAVX512(dst *float32, ldd int, a *float32, lda int, b *uint16, k, m int, mask, acc uint64)

// mulPanelHalfFast multiplies by a panel if the processor can.
func mulPanelHalfFast(dst []float32, ldd int, a []float32, lda int, b []uint16, brain bool, m, w int, acc bool) bool {
	if !has.avx512 {
		return false
	}
	mul := mulRowsHalfAVX512
	if brain {
		mul = mulRowsBrainAVX512
	}
	mul(&dst[0], 4*ldd, &a[0], 4*lda, &b[0], len(b)/panel, m, uint64(1)<<w-1, b2u(acc))
	return true
}
