//go:build !amd64

package kernel

func axpyInt8(y []float32, a float32, x []int8) { axpyInt8Generic(y, a, x) }
