package kernel

// iota16 numbers the lanes.
var iota16 = [16]int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func scanKeys(dst []float32, ld int, q []int8, qscale []float32, k []byte, kscale []float32, heads, dk, n int) {
	if dk != 64 || !has.avx2 {
		scanKeysGeneric(dst, ld, q, qscale, k, kscale, heads, dk, n)
		return
	}
	for h := 0; h < heads; h += maxHeads {
		scan64(dst[h*ld:], ld, q[h*64:], qscale[h:], k, kscale, min(maxHeads, heads-h), n)
	}
}

// maxHeads is the number of queries that one pass over the keys takes.
const maxHeads = 8

func scan64(dst []float32, ld int, q []int8, qscale []float32, k []byte, kscale []float32, heads, n int) {
	var corr [maxHeads]int32 // Σ q·(k−128) = Σ q·k − 128·Σ q
	for h := range heads {
		for _, v := range q[h*64 : h*64+64] {
			corr[h] -= 128 * int32(v)
		}
	}
	blocks := n / 16
	scanBlocks(&dst[0], ld, &q[0], &qscale[0], &corr[0], &k[0], &kscale[0], heads, blocks)
	done, rest := 16*blocks, n%16
	if rest == 0 {
		return
	}
	// The last keys go through copies, so that nothing past n is touched.
	var keys [16 * 64]byte
	var scales [16]float32
	var out [maxHeads * 16]float32
	copy(keys[:], k[done*64:n*64])
	copy(scales[:], kscale[done:n])
	scanBlocks(&out[0], 16, &q[0], &qscale[0], &corr[0], &keys[0], &scales[0], heads, 1)
	for h := range heads {
		copy(dst[h*ld+done:h*ld+n], out[h*16:])
	}
}

// scanBlocks compares blocks of 16 keys.
func scanBlocks(dst *float32, ld int, q *int8, qscale *float32, corr *int32, k *byte, kscale *float32, heads, blocks int) {
	if has.vnni {
		scan64AVX512(dst, ld, q, qscale, corr, k, kscale, heads, blocks)
	} else {
		scan64AVX2(dst, ld, q, qscale, corr, k, kscale, heads, 2*blocks)
	}
}

func selectAbove(idx []int32, x []float32, min float32) int {
	if has.avx512 {
		return selectAVX512(idx, x, min)
	}
	return selectGeneric(idx, x, min)
}

func above(x []float32, least float32) int {
	if has.avx512 {
		return aboveAVX512(x, least)
	}
	return aboveGeneric(x, least)
}

//go:noescape
func selectAVX512(idx []int32, x []float32, min float32) int

//go:noescape
func aboveAVX512(x []float32, least float32) int

//go:noescape
func scan64AVX512(dst *float32, ld int, q *int8, qscale *float32, corr *int32, k *byte, kscale *float32, heads, blocks int)

//go:noescape
func scan64AVX2(dst *float32, ld int, q *int8, qscale *float32, corr *int32, k *byte, kscale *float32, heads, blocks int)
