package kernel

// packPanel fills one panel dst [k, 32] with n ≤ 32 columns of b, element
// (i, j) at b[i*rowStride+j*colStride].
func packPanel(dst, b []float32, rowStride, colStride, k, n int) {
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

// gemmF32Generic is the specification of GemmF32. The products are rounded
// before they are added (the conversion forbids fusing), so that every
// platform computes the same.
func gemmF32Generic(dst []float32, ldd int, a []float32, ars, acs int, b *PackedF32, m int, acc bool) {
	for j := 0; j < b.n; j += panel {
		w := min(panel, b.n-j)
		cols := b.data[j*b.k : (j+panel)*b.k]
		for i := range m {
			out := dst[i*ldd+j : i*ldd+j+w]
			var sum [panel]float32
			if acc {
				copy(sum[:], out)
			}
			for p := range b.k {
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

// gemmBF16Generic is the specification of GemmBF16 over widened operands.
func gemmBF16Generic(dst []float32, ldd int, a []uint16, lda int, b *PackedBF16, m int, acc bool) {
	for j := 0; j < b.n; j += panel {
		w := min(panel, b.n-j)
		cols := b.wide.data[j*b.k : (j+panel)*b.k]
		for i := range m {
			out := dst[i*ldd+j : i*ldd+j+w]
			var sum [panel]float32
			if acc {
				copy(sum[:], out)
			}
			for p := range b.k {
				x := fromBF16(a[i*lda+p])
				row := (*[panel]float32)(cols[p*panel:])
				for c := range row {
					sum[c] += float32(x * row[c])
				}
			}
			copy(out, sum[:])
		}
	}
}
