package kernel

import "unsafe"

// mulBlocksVNNI multiplies m rows, lda bytes apart, with meta ldm bytes apart, by
// an unpacked panel: groups of 4·quads words of codes, each gap bytes after the
// last, and scales, with minima between them if mins is 1. It writes the columns
// of dst whose bits are set in mask, or adds to them if acc is 1.
//
//go:noescape
func mulBlocksVNNI(dst *float32, ldd int, a *int8, lda int, meta *groupMeta, ldm int, q *byte, gap int, s *float32, groups, quads, mins, m int, mask, acc uint64)

// mulBlocksAVX2 multiplies one row by an unpacked panel: groups of 2·pairs words of
// codes, and scales, with minima between them if mins is 1.
//
//go:noescape
func mulBlocksAVX2(dst *[32]float32, a *int8, meta *groupMeta, q *uint32, s *float32, groups, pairs, mins int)

// Each dotX multiplies one row by a panel of the layout X, which is units long.

//go:noescape
func dotQ8VNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)

//go:noescape
func dotQ4VNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)

//go:noescape
func dotQ4KVNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)

//go:noescape
func dotQ6KVNNI(dst *float32, a *int8, meta *groupMeta, p *byte, units int, mask, acc uint64, levels *uint8)

// Each unpackX does what unpackGeneric does for the layout X, but for Q8, whose
// codes are multiplied where they lie.

//go:noescape
func unpackQ8AVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)

//go:noescape
func unpackQ4AVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)

//go:noescape
func unpackQ4KAVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)

//go:noescape
func unpackQ6KAVX512(q *uint32, s *float32, p *byte, units int, levels *uint8)

//go:noescape
func quantizeGroupsAVX512(q *int8, scale *float32, sum *int32, x *float32, groups, qStride, scaleStride, sumStride int)

// direct says whether rows can be multiplied without unpacking.
func (b *Blocks) direct() bool { return has.vnni && b.kind != kindU8 }

func (b *Blocks) level() *uint8 {
	if b.levels == nil {
		return nil
	}
	return &b.levels[0]
}

func (b *Blocks) units(p []byte) int {
	_, size := b.unit()
	return len(p) / size
}

func (b *Blocks) dotPanel(dst []float32, w int, a *Rows8, meta []groupMeta, i int, p []byte, acc bool) {
	dot := dotQ8VNNI
	switch b.kind {
	case kindQ4:
		dot = dotQ4VNNI
	case kindQ4K:
		dot = dotQ4KVNNI
	case kindQ6K:
		dot = dotQ6KVNNI
	}
	dot(&dst[0], &a.q[i*a.k], &meta[i*b.k/b.group], &p[0], b.units(p), uint64(1)<<w-1, b2u(acc), b.level())
}

func (b *Blocks) unpackPanel(q []uint32, s []float32, p []byte) {
	unpack := unpackQ8AVX512
	switch {
	case !has.vnni || b.kind == kindU8:
		b.unpackGeneric(q, s, p)
		return
	case b.kind == kindQ4:
		unpack = unpackQ4AVX512
	case b.kind == kindQ4K:
		unpack = unpackQ4KAVX512
	case b.kind == kindQ6K:
		unpack = unpackQ6KAVX512
	}
	unpack(&q[0], &s[0], &p[0], b.units(p), b.level())
}

func (b *Blocks) mulPanel(buf *BlockBuffer, dst []float32, ldd, w int, a *Rows8, meta []groupMeta, i0, m int, p []byte, acc bool) {
	b.unpack(buf, p)
	switch {
	case has.vnni:
	case has.avx2:
		b.mulUnpackedAVX2(buf, dst, ldd, w, a, meta, i0, m, acc)
		return
	default:
		b.mulUnpackedGeneric(buf, dst, ldd, w, a, meta, i0, m, acc)
		return
	}
	q, gap, mins := (*byte)(unsafe.Pointer(&buf.q[0])), 0, 0
	if b.kind == kindQ8 {
		q, gap = &p[64], 64
	}
	if b.mins {
		mins = 1
	}
	groups := b.k / b.group
	mulBlocksVNNI(&dst[0], 4*ldd, &a.q[i0*a.k], a.k, &meta[i0*groups], groups*int(unsafe.Sizeof(groupMeta{})), q, gap, &buf.s[0],
		groups, b.group/16, mins, m, uint64(1)<<w-1, b2u(acc))
}

// mulUnpackedAVX2 is mulUnpackedGeneric.
func (b *Blocks) mulUnpackedAVX2(buf *BlockBuffer, dst []float32, ldd, w int, a *Rows8, meta []groupMeta, i0, m int, acc bool) {
	groups, mins := b.k/b.group, 0
	if b.mins {
		mins = 1
	}
	var out [32]float32
	for i := range m {
		mulBlocksAVX2(&out, &a.q[(i0+i)*a.k], &meta[(i0+i)*groups], &buf.q[0], &buf.s[0], groups, b.group/8, mins)
		row := dst[i*ldd : i*ldd+w]
		if acc {
			add(row, out[:w])
		} else {
			copy(row, out[:w])
		}
	}
}

func quantizeGroups(q []int8, scale []float32, sum []int32, x []float32, stride int) {
	if !has.avx512 {
		quantizeGroupsGeneric(q, scale, sum, x, stride)
		return
	}
	quantizeGroupsAVX512(&q[0], &scale[0], &sum[0], &x[0], len(x)/32, stride, stride/32*4, stride/16*4)
}
