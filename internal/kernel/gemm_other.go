//go:build !amd64

package kernel

func packPanel(dst, b []float32, rowStride, colStride, k, n int) {
	packPanelGeneric(dst, b, rowStride, colStride, k, n)
}

func packPairs(dst []uint32, src []float32, pairs int) {
	packPairsGeneric(dst, src, pairs)
}

func gemmF32(dst []float32, ldd int, a []float32, ars, acs int, b *PackedF32, k0, k, m int, acc bool) {
	gemmF32Generic(dst, ldd, a, ars, acs, b, k0, k, m, acc)
}

func gemmPairsBF16(dst []float32, ldd int, a []uint16, lda int, b *PackedBF16, m int, acc bool) {
	panic("kernel: bfloat16 pairs without the instruction")
}
