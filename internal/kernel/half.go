package kernel

import "github.com/handscroll/handscroll/internal/tensor"

// ToHalf rounds x to half precision (to nearest, ties to even). NaN stays NaN.
func ToHalf(dst []uint16, x []float32) {
	need(len(dst), len(x))
	toHalf(dst, x)
}

// Widen8Cols computes dst [rows, 32] = q [rows, 32], each column times its scale
// [32].
func Widen8Cols(dst []float32, q []int8, scale []float32) {
	need(len(dst), len(q))
	need(32, len(scale))
	widen8Cols(dst, q, scale)
}

// Widen8Rows computes dst [rows, 32] = q [rows, 32], each row times its scale
// [rows].
func Widen8Rows(dst []float32, q []int8, scale []float32) {
	need(len(dst), len(q))
	need(len(dst), 32*len(scale))
	widen8Rows(dst, q, scale)
}

// SoftmaxPart computes x = exp(scale·x−top) in place, scale ≥ 0, top being the
// largest scale·x, and returns top and the sum: a part of a [Softmax] over more.
func SoftmaxPart(x []float32, scale float32) (top, sum float32) {
	top = scaleMax(x, scale)
	return top, exp(x, x, top)
}

func toHalfGeneric(dst []uint16, x []float32) {
	for i := range dst {
		dst[i] = tensor.FloatToHalf(x[i])
	}
}

func widen8ColsGeneric(dst []float32, q []int8, scale []float32) {
	for i := range dst {
		dst[i] = float32(q[i]) * scale[i%32]
	}
}

func widen8RowsGeneric(dst []float32, q []int8, scale []float32) {
	for i := range dst {
		dst[i] = float32(q[i]) * scale[i/32]
	}
}
