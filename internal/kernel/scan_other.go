//go:build !amd64

package kernel

func scanKeys(dst []float32, ld int, q []int8, qscale []float32, k []byte, kscale []float32, heads, dk, n int) {
	scanKeysGeneric(dst, ld, q, qscale, k, kscale, heads, dk, n)
}
func selectAbove(idx []int32, x []float32, min float32) int { return selectGeneric(idx, x, min) }
func above(x []float32, least float32) int                  { return aboveGeneric(x, least) }
