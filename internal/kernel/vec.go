package kernel

import "math"

// need panics unless a slice of length have covers n elements.
func need(n, have int) {
	if have < n {
		panic("kernel: a slice is shorter than the first")
	}
}

// Dot returns Σ x[i]·y[i].
func Dot(x, y []float32) float32 {
	need(len(x), len(y))
	return dot(x, y)
}

// Axpy computes y += a·x.
func Axpy(y []float32, a float32, x []float32) {
	need(len(y), len(x))
	axpy(y, a, x)
}

// Add computes y += x.
func Add(y, x []float32) {
	need(len(y), len(x))
	add(y, x)
}

// Mul computes dst = x·y, element by element.
func Mul(dst, x, y []float32) {
	need(len(dst), min(len(x), len(y)))
	mul(dst, x, y)
}

// MulAdd computes y += w·x, element by element.
func MulAdd(y, w, x []float32) {
	need(len(y), min(len(w), len(x)))
	mulAdd(y, w, x)
}

// Scale computes x *= a.
func Scale(x []float32, a float32) {
	scale(x, a)
}

// SumSquares returns Σ x[i]².
func SumSquares(x []float32) float32 {
	return dot(x, x)
}

// MaxF32 returns the largest element, passing over NaN; −Inf if there is none.
func MaxF32(x []float32) float32 {
	return maximum(x)
}

// Exp computes dst = exp(x−sub), within 2 units in the last place of the
// exponential of the rounded difference. exp(−Inf) is 0, subnormal results are
// kept, NaN stays NaN.
func Exp(dst, x []float32, sub float32) {
	need(len(dst), len(x))
	exp(dst, x, sub)
}

// ExpSum returns Σ exp(x[i]−sub), each term as in [Exp], and leaves x alone.
func ExpSum(x []float32, sub float32) float32 {
	return expSum(x, sub)
}

// Softmax computes x = softmax(scale·x) in place, scale ≥ 0. An entry of −Inf
// becomes 0 whatever the scale, and a slice of nothing else becomes all zeros.
func Softmax(x []float32, scale float32) {
	top := scaleMax(x, scale)
	if math.IsInf(float64(top), -1) {
		top = 0 // exp(−Inf−0) is 0, exp(−Inf+Inf) would be NaN
	}
	if sum := exp(x, x, top); sum != 0 {
		Scale(x, 1/sum)
	}
}

// SoftmaxBackward turns dp, the gradient of the probabilities
// p = softmax(scale·x), into that of x: dp = scale·p·(dp − Σ dp·p).
func SoftmaxBackward(dp, p []float32, scale float32) {
	need(len(dp), len(p))
	softmaxBackward(dp, p, scale, dot(dp, p))
}

// ToBF16 rounds x to bfloat16 (to nearest, ties to even). NaN stays NaN.
func ToBF16(dst []uint16, x []float32) {
	need(len(dst), len(x))
	narrowBF16(dst, x)
}

// FromBF16 widens bfloat16 to float32, exactly.
func FromBF16(dst []float32, x []uint16) {
	need(len(dst), len(x))
	widenBF16(dst, x)
}

// tiniest is the largest magnitude that Quantize8 takes for zero: below it
// 127/magnitude leaves float32.
const tiniest = 1e-36

// Quantize8 quantises x symmetrically: dst = round(x/scale), ties to even,
// −127…127, where scale = max|x|/127. A vector of zeros (or of magnitudes
// below 1e-36) has scale 0. NaN becomes 0.
func Quantize8(dst []int8, x []float32) (scale float32) {
	need(len(dst), len(x))
	x = x[:len(dst)]
	top := maxAbs(x)
	if top < tiniest {
		clear(dst)
		return 0
	}
	round8(dst, x, 127/top)
	return top / 127
}

// OffsetBinary stores x[i]+128 as an unsigned byte, the form in which a
// processor multiplies bytes.
func OffsetBinary(dst []byte, x []int8) {
	need(len(dst), len(x))
	offsetBinary(dst, x)
}
