package kernel

// AxpyInt8 computes y += a·x for int8 x: a quantised value weighed and added.
func AxpyInt8(y []float32, a float32, x []int8) {
	need(len(y), len(x))
	for i, v := range x {
		y[i] += a * float32(v)
	}
}
