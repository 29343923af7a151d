package kernel

import "unsafe"

// mulRowsInt8VNNI multiplies m rows of A, lda bytes apart, by one panel of B,
// k words of four; adds the sums to seed [32]; scales them by scale [32] and
// ascale [m]; and writes the columns of dst whose bits are set in mask, or
// adds to them if acc is 1. Neither k nor m may be zero.
//
//go:noescape
func mulRowsInt8VNNI(dst *float32, ldd int, a *uint8, lda int, b *uint32, k, m int, mask, acc uint64, seed *int32, scale, ascale *float32)

// mulRowsInt8AVX2 does the same for the 16 columns b, seed and scale point at.
//
//go:noescape
func mulRowsInt8AVX2(dst *float32, ldd int, a *uint8, lda int, b *uint32, k, m int, acc uint64, seed *int32, scale, ascale *float32)

// maxAbsBits returns the largest |x| of 32·blocks > 0 floats as bits; infinity
// and NaN are above every number.
//
//go:noescape
func maxAbsBits(x *float32, blocks int) uint32

// quantizeU8 writes 32·blocks > 0 values round(x·inv)+128.
//
//go:noescape
func quantizeU8(dst *uint8, x *float32, inv float32, blocks int)

func gemmInt8(dst []float32, ldd int, a []uint8, ascale []float32, lda int, b *PackedInt8, m int, acc bool) {
	if !has.avx2 {
		gemmInt8Generic(dst, ldd, a, ascale, lda, b, m, acc)
		return
	}
	if b.k%4 == 0 && (lda%aliasing != 0 || m < 4) {
		for i := 0; i < m; i += blockM {
			mulBlockInt8(dst[i*ldd:], ldd, a[i*lda:], ascale[i:], lda, b, min(blockM, m-i), acc)
		}
		return
	}
	// Copy the rows to where whole words can be read and rows do not compete
	// for lines of the cache.
	block := blocks.Get().(*block)
	buf := unsafe.Slice((*uint8)(unsafe.Pointer(block)), unsafe.Sizeof(*block))
	stride := (b.k+3)&^3 + 64
	step := min(blockM, len(buf)/stride)
	for i := 0; i < m; i += step {
		rows := min(step, m-i)
		copyRows(buf, stride, a[i*lda:], lda, rows, b.k)
		mulBlockInt8(dst[i*ldd:], ldd, buf, ascale[i:], stride, b, rows, acc)
	}
	blocks.Put(block)
}

func mulBlockInt8(dst []float32, ldd int, a []uint8, ascale []float32, lda int, b *PackedInt8, m int, acc bool) {
	words := (b.k + 3) / 4
	for j := 0; j < b.n; j += panel {
		w := min(panel, b.n-j)
		if has.vnni {
			mulRowsInt8VNNI(&dst[j], 4*ldd, &a[0], lda, &b.data[j*words], words, m,
				uint64(1)<<w-1, b2u(acc), &b.seed[j], &b.scale[j], &ascale[0])
			continue
		}
		for c := j; c < j+w; c += 16 {
			col := &b.data[j*words+c-j]
			if c+16 <= b.n {
				mulRowsInt8AVX2(&dst[c], 4*ldd, &a[0], lda, col, words, m, b2u(acc), &b.seed[c], &b.scale[c], &ascale[0])
				continue
			}
			// The tile writes 16 columns: let it write beside dst.
			var tile [4][16]float32
			for i := 0; i < m; i += len(tile) {
				rows := min(len(tile), m-i)
				for r := 0; r < rows && acc; r++ {
					copy(tile[r][:], dst[(i+r)*ldd+c:(i+r)*ldd+b.n])
				}
				mulRowsInt8AVX2(&tile[0][0], 64, &a[i*lda], lda, col, words, rows, b2u(acc), &b.seed[c], &b.scale[c], &ascale[i])
				for r := range rows {
					copy(dst[(i+r)*ldd+c:(i+r)*ldd+b.n], tile[r][:])
				}
			}
		}
	}
}

func maxAbsRow(x []float32) uint32 {
	n := 0
	var top uint32
	if has.avx2 && len(x) >= 32 {
		n = len(x) &^ 31
		top = maxAbsBits(&x[0], n/32)
	}
	return max(top, maxAbsRowGeneric(x[n:]))
}

func quantizeRow(dst []uint8, x []float32, inv float32) {
	n := 0
	if has.avx2 && len(x) >= 32 {
		n = len(x) &^ 31
		quantizeU8(&dst[0], &x[0], inv, n/32)
	}
	quantizeRowGeneric(dst[n:], x[n:], inv)
}
