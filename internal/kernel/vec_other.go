//go:build !amd64

package kernel

func dot(x, y []float32) float32                    { return dotGeneric(x, y) }
func axpy(y []float32, a float32, x []float32)      { axpyGeneric(y, a, x) }
func add(y, x []float32)                            { addGeneric(y, x) }
func mul(dst, x, y []float32)                       { mulGeneric(dst, x, y) }
func mulAdd(y, w, x []float32)                      { mulAddGeneric(y, w, x) }
func scale(x []float32, a float32)                  { scaleGeneric(x, a) }
func maximum(x []float32) float32                   { return maxGeneric(x) }
func exp(dst, x []float32, sub float32) float32     { return expGeneric(dst, x, sub) }
func expSum(x []float32, sub float32) float32       { return expSumGeneric(x, sub) }
func scaleMax(x []float32, a float32) float32       { return scaleMaxGeneric(x, a) }
func narrowBF16(dst []uint16, x []float32)          { toBF16Generic(dst, x) }
func widenBF16(dst []float32, x []uint16)           { fromBF16Generic(dst, x) }
func maxAbs(x []float32) float32                    { return maxAbsGeneric(x) }
func round8(dst []int8, x []float32, inv float32)   { round8Generic(dst, x, inv) }
func offsetBinary(dst []byte, x []int8)             { offsetBinaryGeneric(dst, x) }
func softmaxBackward(dp, p []float32, a, d float32) { softmaxBackwardGeneric(dp, p, a, d) }
