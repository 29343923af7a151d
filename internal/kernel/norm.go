package kernel

import "math"

// RMSNorm computes y = x·inv·gain with inv = 1/√(mean(x²)+eps) and returns
// inv, which [RMSNormBackward] needs (arXiv 1910.07467). y may be x.
func RMSNorm(y, x, gain []float32, eps float32) (inv float32) {
	n := len(y)
	need(n, min(len(x), len(gain)))
	if n == 0 {
		return 0
	}
	mean := SumSquares(x[:n]) / float32(n)
	inv = float32(1 / math.Sqrt(float64(mean+eps)))
	scaleMul(y, x, gain, inv)
	return inv
}

// RMSNormBackward adds the gradients of x and gain to dx and dgain, given dy,
// the forward pass's x and gain, and the inv that it returned.
func RMSNormBackward(dx, dgain, dy, x, gain []float32, inv float32) {
	n := len(dx)
	need(n, min(len(dgain), len(dy), len(x), len(gain)))
	if n == 0 {
		return
	}
	dot := dot3(dy[:n], x, gain)
	rmsNormBackward(dx, dgain, dy, x, gain, inv, dot/float32(n)*inv*inv)
}

// Rope turns a head x of size 2·len(cos) by rotary position embedding
// (arXiv 2104.09864): the pair (x[i], x[i+len(cos)]) turns by the angle whose
// cosine and sine are cos[i] and sin[i], or back by it if inverse, which is
// the backward pass.
func Rope(x, cos, sin []float32, inverse bool) {
	half := len(cos)
	need(half, len(sin))
	if len(x) != 2*half {
		panic("kernel: Rope: a head must have twice as many values as cos")
	}
	sign := float32(1)
	if inverse {
		sign = -1
	}
	rope(x[:half], x[half:], cos, sin, sign)
}
