//go:build !amd64

package kernel

func (b *Blocks) direct() bool { return false }

func (b *Blocks) dotPanel([]float32, int, *Rows8, []groupMeta, int, []byte, bool) {
	panic("kernel: not direct")
}

func (b *Blocks) unpackPanel(q []uint32, s []float32, p []byte) { b.unpackGeneric(q, s, p) }

func (b *Blocks) mulPanel(buf *BlockBuffer, dst []float32, ldd, w int, a *Rows8, meta []groupMeta, i0, m int, p []byte, acc bool) {
	b.unpack(buf, p)
	b.mulUnpackedGeneric(buf, dst, ldd, w, a, meta, i0, m, acc)
}

func quantizeGroups(q []int8, scale []float32, sum []int32, x []float32, stride int) {
	quantizeGroupsGeneric(q, scale, sum, x, stride)
}
