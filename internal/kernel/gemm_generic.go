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
			var sum [panel]float32
			if acc {
				copy(sum[:], out)
			}
			for p := range k {
				x := a[i*ars+p*acs]
				row := (*[panel]float32)(cols[p*panel:])
				for c := range row {
					sum[c] += float32(x * row[c])
				}
			}
			copy(out, sum[:])
		}
	}
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
