//go:build !amd64

package kernel

func mulPanelHalfFast([]float32, int, []float32, int, []uint16, bool, int, int, bool) bool {
	return false
}
