package kernel

// packRows copies k rows of 32 columns, rowStride bytes apart, to dst [k, 32].
//
//go:noescape
func packRows(dst, b *float32, rowStride, k int)

// packCols8 transposes 8 columns of 8·blocks contiguous values, colStride
// bytes apart, to 8 columns of dst [8·blocks, 32].
//
//go:noescape
func packCols8(dst, b *float32, colStride, blocks int)

// packPairsBF16 rounds src [2·pairs, 32] to bfloat16, words of two rows:
// dst [pairs, 32].
//
//go:noescape
func packPairsBF16(dst *uint32, src *float32, pairs int)

// packPanel fills one panel dst [k, 32] with n ≤ 32 columns of b, element
// (i, j) at b[i*rowStride+j*colStride].
func packPanel(dst, b []float32, rowStride, colStride, k, n int) {
	switch {
	case !has.avx2:
		packPanelGeneric(dst, b, rowStride, colStride, k, n)
	case colStride == 1 && n == panel:
		packRows(&dst[0], &b[0], 4*rowStride, k)
	case rowStride == 1 && k >= 8:
		packPanelCols(dst, b, colStride, k, n)
	default:
		packPanelGeneric(dst, b, rowStride, colStride, k, n)
	}
}

// packPanelCols packs columns that are contiguous over k ≥ 8, eight by eight,
// and what is left over one by one.
func packPanelCols(dst, b []float32, colStride, k, n int) {
	blocks := k / 8
	j := 0
	for ; j+8 <= n; j += 8 {
		packCols8(&dst[j], &b[j*colStride], 4*colStride, blocks)
		for i := 8 * blocks; i < k; i++ {
			for c := j; c < j+8; c++ {
				dst[i*panel+c] = b[c*colStride+i]
			}
		}
	}
	if j == panel {
		return
	}
	for i := range k {
		row := dst[i*panel : (i+1)*panel]
		for c := j; c < n; c++ {
			row[c] = b[c*colStride+i]
		}
		clear(row[n:])
	}
}

// packPairs rounds src [2·pairs, 32] to bfloat16 into dst [pairs, 32], the
// even row in the low halves.
func packPairs(dst []uint32, src []float32, pairs int) {
	packPairsBF16(&dst[0], &src[0], pairs)
}
