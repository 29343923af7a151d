package kernel

//go:noescape
func toHalfAVX512(dst []uint16, x []float32)

//go:noescape
func widen8ColsAVX512(dst *float32, q *int8, scale *float32, rows int)

//go:noescape
func widen8RowsAVX512(dst *float32, q *int8, scale *float32, rows int)

func toHalf(dst []uint16, x []float32) {
	if has.avx512 {
		toHalfAVX512(dst, x)
		return
	}
	toHalfGeneric(dst, x)
}

func widen8Cols(dst []float32, q []int8, scale []float32) {
	if has.avx512 && len(dst) >= 32 {
		widen8ColsAVX512(&dst[0], &q[0], &scale[0], len(dst)/32)
		return
	}
	widen8ColsGeneric(dst, q, scale)
}

func widen8Rows(dst []float32, q []int8, scale []float32) {
	if has.avx512 && len(dst) >= 32 {
		widen8RowsAVX512(&dst[0], &q[0], &scale[0], len(dst)/32)
		return
	}
	widen8RowsGeneric(dst, q, scale)
}
