package kernel

import "math"

// Products are converted to float32 before they are added: the conversion
// forbids fusing, so that these twins compute the same on every platform.

func dotGeneric(x, y []float32) float32 {
	y = y[:len(x)]
	var s [4]float32 // four chains, for speed and a smaller rounding error
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		s[0] += float32(a[0] * b[0])
		s[1] += float32(a[1] * b[1])
		s[2] += float32(a[2] * b[2])
		s[3] += float32(a[3] * b[3])
	}
	for ; i < len(x); i++ {
		s[0] += float32(x[i] * y[i])
	}
	return s[0] + s[1] + (s[2] + s[3])
}

func axpyGeneric(y []float32, a float32, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] += float32(a * v)
	}
}

func addGeneric(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] += v
	}
}

func mulGeneric(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

func mulAddGeneric(y, w, x []float32) {
	w, x = w[:len(y)], x[:len(y)]
	for i := range y {
		y[i] += float32(w[i] * x[i])
	}
}

func scaleGeneric(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}

func maxGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

// exp32 is e^x rounded to float32. In float64, 2^n·2^f needs no split
// constants, and the final conversion rounds subnormals and overflow.
func exp32(x float32) float32 {
	if x != x {
		return x
	}
	x = min(max(x, -150), 150) // far outside what float32 holds
	t := float64(x) * math.Log2E
	n := math.Floor(t + 0.5)
	f := (t - n) * math.Ln2
	p := 1 + f*(1+f*(1.0/2+f*(1.0/6+f*(1.0/24+f*(1.0/120+f*(1.0/720+f*(1.0/5040)))))))
	return float32(p * math.Float64frombits(uint64(int64(n)+1023)<<52))
}

// expGeneric returns the sum of what it stores.
func expGeneric(dst, x []float32, sub float32) float32 {
	var sum float32
	for i, v := range x[:len(dst)] {
		e := exp32(v - sub)
		dst[i] = e
		sum += e
	}
	return sum
}

func expSumGeneric(x []float32, sub float32) float32 {
	var s float32
	for _, v := range x {
		s += exp32(v - sub)
	}
	return s
}

// scaleMaxGeneric computes x *= a, but leaves −Inf as it is, and returns the
// maximum of the results.
func scaleMaxGeneric(x []float32, a float32) float32 {
	inf := float32(math.Inf(-1))
	top := inf
	for i, v := range x {
		if v != inf {
			v *= a // not −Inf·0, which is NaN
		}
		x[i] = v
		if v > top {
			top = v
		}
	}
	return top
}

func softmaxBackwardGeneric(dp, p []float32, scale, dot float32) {
	for i, v := range p[:len(dp)] {
		dp[i] = scale * v * (dp[i] - dot)
	}
}

func toBF16Generic(dst []uint16, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = toBF16(v)
	}
}

func fromBF16Generic(dst []float32, x []uint16) {
	for i, v := range x[:len(dst)] {
		dst[i] = fromBF16(v)
	}
}

// maxAbsGeneric passes over NaN.
func maxAbsGeneric(x []float32) float32 {
	var top float32
	for _, v := range x {
		if v = max(v, -v); v > top {
			top = v
		}
	}
	return top
}

// round8Generic computes dst = round(x·inv), at most 127 in magnitude, NaN
// becoming 0.
func round8Generic(dst []int8, x []float32, inv float32) {
	for i, v := range x[:len(dst)] {
		v *= inv
		if v != v {
			v = 0
		}
		dst[i] = int8(math.RoundToEven(float64(v)))
	}
}

func offsetBinaryGeneric(dst []byte, x []int8) {
	for i, v := range x[:len(dst)] {
		dst[i] = byte(v) ^ 0x80
	}
}
