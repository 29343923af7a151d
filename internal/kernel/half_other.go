//go:build !amd64

package kernel

func toHalf(dst []uint16, x []float32) { toHalfGeneric(dst, x) }

func widen8Cols(dst []float32, q []int8, scale []float32) { widen8ColsGeneric(dst, q, scale) }

func widen8Rows(dst []float32, q []int8, scale []float32) { widen8RowsGeneric(dst, q, scale) }
