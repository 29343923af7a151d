package kernel

// packPanelGeneric fills one panel dst [k, 32] with n ≤ 32 columns of b, element
// (i, j) at b[i*rowStride+j*colStride].
func packPanelGeneric(dst, b []float32, rowStride, colStride, k, n int) {
	for i := range k {
		row := dst[i*panel : (i+1)*panel]
		if colStride == 1 {
			copy(row[:n], b[i*rowStride:])
		} else {
			for j := range n {
				row[j] = b[i*rowStride+j*colStride]
			}
		}
		clear(row[n:])
	}
}

// gemmF32Generic is the specification of GemmF32, for A [m, k] and rows k0 to
// k0+k of B. The products are rounded
// before they are added (the conversion forbids fusing), so that every
// platform computes the same.
func gemmF32Generic(dst []float32, ldd int, a []float32, ars, acs int, b *PackedF32, k0, k, m int, acc bool) {
	for j := 0; j < b.n; j += panel {
		w := min(panel, b.n-j)
		cols := b.data[j*b.k+k0*panel:]
		for i := range m {
			out := dst[i*ldd+j : i*ldd+j+w]
			for c := 0; c < w; c += 8 {
				var sum [8]float32
				if acc {
					copy(sum[:], out[c:])
				}
				mulEight(&sum, a[i*ars:], acs, cols[c:], k)
				copy(out[c:], sum[:])
			}
		}
	}
}

// mulEight adds to sum a row of A times eight columns of a panel, in scalars
// because the compiler keeps those in registers.
func mulEight(sum *[8]float32, a []float32, acs int, b []float32, k int) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	s4, s5, s6, s7 := sum[4], sum[5], sum[6], sum[7]
	for p := range k {
		x := a[p*acs]
		row := (*[8]float32)(b[p*panel:])
		s0 += float32(x * row[0])
		s1 += float32(x * row[1])
		s2 += float32(x * row[2])
		s3 += float32(x * row[3])
		s4 += float32(x * row[4])
		s5 += float32(x * row[5])
		s6 += float32(x * row[6])
		s7 += float32(x * row[7])
	}
	*sum = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// packPairsGeneric is the specification of packPairs.
func packPairsGeneric(dst []uint32, src []float32, pairs int) {
	for i := range pairs {
		for c := range panel {
			lo, hi := toBF16(src[2*i*panel+c]), toBF16(src[(2*i+1)*panel+c])
			dst[i*panel+c] = uint32(lo) | uint32(hi)<<16
		}
	}
}
