//go:build !amd64

package kernel

func scaleMul(y, x, gain []float32, inv float32)  { scaleMulGeneric(y, x, gain, inv) }
func dot3(x, y, z []float32) float32              { return dot3Generic(x, y, z) }
func rope(x, y, cos, sin []float32, sign float32) { ropeGeneric(x, y, cos, sin, sign) }
func rmsNormBackward(dx, dgain, dy, x, gain []float32, inv, c float32) {
	rmsNormBackwardGeneric(dx, dgain, dy, x, gain, inv, c)
}
