//go:build !amd64

package kernel

func taps5(dst, w, x []float32, c int)     { taps5Generic(dst, w, x, c) }
func tapsGrad5(dw, dy, x []float32, c int) { tapsGrad5Generic(dw, dy, x, c) }
