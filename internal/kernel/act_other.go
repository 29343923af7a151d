//go:build !amd64

package kernel

func siluMul(dst, gate, up []float32) { siluMulGeneric(dst, gate, up) }
func siluMulBackward(dgate, dup, dh, gate, up []float32) {
	siluMulBackwardGeneric(dgate, dup, dh, gate, up)
}
func gelu(dst, x []float32)  { geluGeneric(dst, x) }
func relu2(dst, x []float32) { relu2Generic(dst, x) }
