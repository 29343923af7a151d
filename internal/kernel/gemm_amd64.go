package kernel

import "unsafe"

// Each mulX multiplies m rows of A by one panel of B and writes dst, or adds
// to it if acc is 1. Strides are in bytes. Rows: the k words of a row of A are
// contiguous, rows lda apart. Cols: the words of a column are contiguous,
// columns lda apart. Neither k nor m may be zero.

// mulRowsF32AVX512 writes the columns of the panel whose bits are set in mask.
//
//go:noescape
func mulRowsF32AVX512(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, mask, acc uint64)

//go:noescape
func mulColsF32AVX512(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, mask, acc uint64)

// mulRowsBF16AVX512 takes words of two bfloat16.
//
//go:noescape
func mulRowsBF16AVX512(dst *float32, ldd int, a *uint16, lda int, b *uint32, k, m int, mask, acc uint64)

// mulRowsF32AVX2 writes the first 16 columns of the panel b points into.
//
//go:noescape
func mulRowsF32AVX2(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, acc uint64)

//go:noescape
func mulColsF32AVX2(dst *float32, ldd int, a *float32, lda int, b *float32, k, m int, acc uint64)

// Each peakX issues n·24 independent multiply-adds of 512 bits.

func peakF32AVX512(n int)
func peakBF16AVX512(n int)
func peakInt8AVX512(n int)

// Rows whose distance is a multiple of aliasing bytes compete for the same few
// lines of the first-level cache.
const aliasing = 4096

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// gemmF32 multiplies A [m, k] by rows k0 to k0+k of B.
func gemmF32(dst []float32, ldd int, a []float32, ars, acs int, b *PackedF32, k0, k, m int, acc bool) {
	switch {
	case !has.avx2:
		gemmF32Generic(dst, ldd, a, ars, acs, b, k0, k, m, acc)
	case acs == 1 && (4*ars%aliasing != 0 || m < 4):
		for p := 0; p < k; p += blockK {
			for i := 0; i < m; i += blockM {
				mulBlock(dst[i*ldd:], ldd, a[i*ars+p:], ars, false, b, k0+p, min(blockK, k-p), min(blockM, m-i), acc || p > 0)
			}
		}
	case ars == 1 && k <= 128 && 4*acs%aliasing != 0:
		// Every line of A that a tile touches stays in the first-level cache
		// until the next panel needs it.
		for i := 0; i < m; i += blockM {
			mulBlock(dst[i*ldd:], ldd, a[i:], acs, true, b, k0, k, min(blockM, m-i), acc)
		}
	default:
		gemmRearranged(dst, ldd, a, ars, acs, b, k0, k, m, acc)
	}
}

// gemmRearranged copies A block by block, as the panels of its transpose.
func gemmRearranged(dst []float32, ldd int, a []float32, ars, acs int, b *PackedF32, k0, k, m int, acc bool) {
	buf := blocks.Get().(*block)
	for p := 0; p < k; p += blockK {
		kb := min(blockK, k-p)
		for i := 0; i < m; i += blockM {
			rows := min(blockM, m-i)
			for r := 0; r < rows; r += panel {
				packPanel(buf[r*kb:(r+panel)*kb], a[(i+r)*ars+p*acs:], acs, ars, kb, min(panel, rows-r))
			}
			for j := 0; j < b.n; j += panel {
				for r := 0; r < rows; r += panel {
					mulPanel(dst[(i+r)*ldd+j:], ldd, buf[r*kb:], panel, true,
						b.data[j*b.k+(k0+p)*panel:], kb, min(panel, rows-r), min(panel, b.n-j), acc || p > 0)
				}
			}
		}
	}
	blocks.Put(buf)
}

// mulBlock multiplies m rows of A by rows k0 to k0+k of B.
func mulBlock(dst []float32, ldd int, a []float32, lda int, cols bool, b *PackedF32, k0, k, m int, acc bool) {
	for j := 0; j < b.n; j += panel {
		mulPanel(dst[j:], ldd, a, lda, cols, b.data[j*b.k+k0*panel:], k, m, min(panel, b.n-j), acc)
	}
}

// mulPanel multiplies m rows of A by the first w columns of one panel.
func mulPanel(dst []float32, ldd int, a []float32, lda int, cols bool, b []float32, k, m, w int, acc bool) {
	if has.avx512 {
		mask := uint64(1)<<w - 1
		if cols {
			mulColsF32AVX512(&dst[0], 4*ldd, &a[0], 4*lda, &b[0], k, m, mask, b2u(acc))
		} else {
			mulRowsF32AVX512(&dst[0], 4*ldd, &a[0], 4*lda, &b[0], k, m, mask, b2u(acc))
		}
		return
	}
	step := lda
	if cols {
		step = 1
	}
	for j := 0; j < w; j += 16 {
		if j+16 <= w {
			mulF32AVX2(dst[j:], ldd, a, lda, cols, b[j:], k, m, acc)
			continue
		}
		// The tile writes 16 columns: let it write beside dst.
		var tile [6 * 16]float32
		for i := 0; i < m; i += 6 {
			rows := min(6, m-i)
			for r := 0; r < rows && acc; r++ {
				copy(tile[r*16:], dst[(i+r)*ldd+j:(i+r)*ldd+w])
			}
			mulF32AVX2(tile[:], 16, a[i*step:], lda, cols, b[j:], k, rows, acc)
			for r := range rows {
				copy(dst[(i+r)*ldd+j:(i+r)*ldd+w], tile[r*16:])
			}
		}
	}
}

func mulF32AVX2(dst []float32, ldd int, a []float32, lda int, cols bool, b []float32, k, m int, acc bool) {
	if cols {
		mulColsF32AVX2(&dst[0], 4*ldd, &a[0], 4*lda, &b[0], k, m, b2u(acc))
	} else {
		mulRowsF32AVX2(&dst[0], 4*ldd, &a[0], 4*lda, &b[0], k, m, b2u(acc))
	}
}

// gemmPairsBF16 is gemmF32 for words of two bfloat16.
func gemmPairsBF16(dst []float32, ldd int, a []uint16, lda int, b *PackedBF16, m int, acc bool) {
	words := (b.k + 1) / 2
	if 2*lda%aliasing != 0 || m < 4 {
		for k0 := 0; k0 < words; k0 += blockK {
			for i := 0; i < m; i += blockM {
				mulBlockBF16(dst[i*ldd:], ldd, a[i*lda+2*k0:], lda, b, k0, min(blockK, words-k0), min(blockM, m-i), acc || k0 > 0)
			}
		}
		return
	}
	block := blocks.Get().(*block)
	buf := unsafe.Slice((*uint16)(unsafe.Pointer(block)), unsafe.Sizeof(*block)/2)
	const stride = 2*blockK + 32
	step := min(blockM, len(buf)/stride)
	for k0 := 0; k0 < words; k0 += blockK {
		k := min(blockK, words-k0)
		for i := 0; i < m; i += step {
			rows := min(step, m-i)
			copyRows(buf, stride, a[i*lda+2*k0:], lda, rows, 2*k)
			mulBlockBF16(dst[i*ldd:], ldd, buf, stride, b, k0, k, rows, acc || k0 > 0)
		}
	}
	blocks.Put(block)
}

// mulBlockBF16 multiplies m rows of A by the words k0 to k0+k of B.
func mulBlockBF16(dst []float32, ldd int, a []uint16, lda int, b *PackedBF16, k0, k, m int, acc bool) {
	words := (b.k + 1) / 2
	for j := 0; j < b.n; j += panel {
		mask := uint64(1)<<min(panel, b.n-j) - 1
		mulRowsBF16AVX512(&dst[j], 4*ldd, &a[0], 2*lda, &b.pairs[j*words+k0*panel], k, m, mask, b2u(acc))
	}
}

// copyRows copies rows of k values. What lies between them stays as it is.
func copyRows[T uint8 | uint16](dst []T, ldd int, a []T, lda, rows, k int) {
	for r := range rows {
		copy(dst[r*ldd:r*ldd+k], a[r*lda:])
	}
}
