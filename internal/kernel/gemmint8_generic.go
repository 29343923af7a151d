package kernel

import "math"

// gemmInt8Generic is the specification of GemmInt8.
func gemmInt8Generic(dst []float32, ldd int, a []uint8, ascale []float32, lda int, b *PackedInt8, m int, acc bool) {
	words := (b.k + 3) / 4
	for j := 0; j < b.n; j += panel {
		w := min(panel, b.n-j)
		cols := b.data[j*words : (j+panel)*words]
		for i := range m {
			var sum [panel]int32
			for p, x := range a[i*lda : i*lda+b.k] {
				row := (*[panel]uint32)(cols[p/4*panel:])
				shift := p % 4 * 8
				for c := range row {
					sum[c] += int32(x) * int32(int8(row[c]>>shift))
				}
			}
			out := dst[i*ldd+j : i*ldd+j+w]
			for c := range out {
				v := float32(float32(sum[c]+b.seed[j+c])*ascale[i]) * b.scale[j+c]
				if acc {
					v = out[c] + float32(v)
				}
				out[c] = v
			}
		}
	}
}

// maxAbsRowGeneric returns the largest |x| as bits, which order as the numbers
// do, with infinity and NaN above them.
func maxAbsRowGeneric(x []float32) uint32 {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return top
}

func quantizeRowGeneric(dst []uint8, x []float32, inv float32) {
	for j, v := range x {
		dst[j] = uint8(int32(math.RoundToEven(float64(v*inv))) + 128)
	}
}
