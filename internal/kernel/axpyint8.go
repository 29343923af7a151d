package kernel

// AxpyInt8 computes y += a·x for int8 x: a quantised value weighed and added.
func AxpyInt8(y []float32, a float32, x []int8) {
	need(len(y), len(x))
	axpyInt8(y, a, x)
}

func axpyInt8Generic(y []float32, a float32, x []int8) {
	for i := range y {
		y[i] += a * float32(x[i])
	}
}
