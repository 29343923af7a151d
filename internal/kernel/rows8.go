package kernel

import (
	"math"
	"slices"
)

// Rows8 are rows of activations in int8 for products with [Blocks]: groups of
// 32 elements share a scale. Quantize and Prepare change it; products only read
// it, so that several goroutines may multiply the same rows.
type Rows8 struct {
	m, k  int
	q     []int8    // [m, k]
	scale []float32 // [m, k/32]
	sum   []int32   // [m, k/16] of the q

	kinds []rowKind // of weights that the rows are prepared for
}

// rowKind is what a kind of weights needs of each of its groups.
type rowKind struct {
	group, zero int
	live        bool
	meta        []groupMeta // [m, k/group]
}

// groupMeta belongs to a row and a group of its elements; kernels know its
// layout.
type groupMeta struct {
	seed  int32   // −zero·sum of the q: where integer sums start
	scale float32 // of the q
	corr  float32 // −scale·sum of the q: what a minimum of the weights counts
	_     uint32
}

// Quantize takes m rows of k floats, ldx apart; k must be a multiple of 32.
// Values are rounded to the nearest of scale·(−127…127), scale = max|x|/127 of
// their group of 32. A group of magnitudes below 1e-36 is zeros; one with an
// infinity or a NaN has scale NaN, so that products with it are NaN too.
func (r *Rows8) Quantize(x []float32, ldx, m, k int) {
	if k%32 != 0 {
		panic("kernel: Rows8: k is no multiple of 32")
	}
	checkStrided("Rows8", len(x), m, k, ldx, 1)
	r.Resize(m, k)
	for i := range m {
		r.Set(i, x[i*ldx:i*ldx+k])
	}
}

// Resize makes room for m rows of k elements, to be given by Set.
func (r *Rows8) Resize(m, k int) {
	r.m, r.k = m, k
	for i := range r.kinds {
		r.kinds[i].live = false
	}
	r.q = growPlain(r.q, m*k)
	r.scale = growPlain(r.scale, m*k/32)
	r.sum = growPlain(r.sum, m*k/16)
}

// Set quantises a row. Different rows may be set at once, and parts of a row
// with SetPart.
func (r *Rows8) Set(i int, x []float32) { r.SetPart(i, 0, x) }

// SetPart quantises the elements of row i from column k0 on; both k0 and len(x)
// must be multiples of 32.
func (r *Rows8) SetPart(i, k0 int, x []float32) {
	if len(x) == 0 {
		return
	}
	if k0%32 != 0 || len(x)%32 != 0 || k0+len(x) > r.k {
		panic("kernel: Rows8: not whole groups of 32")
	}
	at := i*r.k + k0
	quantizeGroups(r.q[at:], r.scale[at/32:], r.sum[at/16:], x, 32)
}

// SetTile quantises m groups of 32 elements, x [m, 32], to column k0, a multiple
// of 32, of rows i to i+m.
func (r *Rows8) SetTile(i, m, k0 int, x []float32) {
	if k0%32 != 0 || k0+32 > r.k || len(x) != 32*m {
		panic("kernel: Rows8: not a tile of 32 columns")
	}
	at := i*r.k + k0
	quantizeGroups(r.q[at:], r.scale[at/32:], r.sum[at/16:], x, r.k)
}

// Len returns the number of rows.
func (r *Rows8) Len() int { return r.m }

// Prepare readies the rows for products with weights of b's kind.
func (r *Rows8) Prepare(b *Blocks) {
	if !r.Begin(b) {
		return
	}
	for i := range r.m {
		r.PrepareRow(b, i)
	}
}

// kind returns the rows' place for weights of b's kind, or nil.
func (r *Rows8) kind(b *Blocks) *rowKind {
	for i := range r.kinds {
		if k := &r.kinds[i]; k.live && k.group == b.group && k.zero == b.zero {
			return k
		}
	}
	return nil
}

// Begin says whether rows must be prepared for b by PrepareRow, each once.
func (r *Rows8) Begin(b *Blocks) bool {
	if r.kind(b) != nil {
		return false
	}
	i := slices.IndexFunc(r.kinds, func(k rowKind) bool { return !k.live })
	if i < 0 {
		i = len(r.kinds)
		r.kinds = append(r.kinds, rowKind{})
	}
	k := &r.kinds[i]
	k.group, k.zero, k.live = b.group, b.zero, true
	k.meta = growPlain(k.meta, r.m*r.k/b.group)
	return true
}

// PrepareRow prepares row i. Different rows may be prepared at once.
func (r *Rows8) PrepareRow(b *Blocks, i int) {
	kind := r.kind(b)
	n := r.k / kind.group
	meta, scale := kind.meta[i*n:(i+1)*n], r.scale[i*r.k/32:]
	sum := r.sum[i*r.k/16:]
	zero := int32(kind.zero)
	if kind.group == 16 {
		sum = sum[:n]
		for g := range meta {
			v := scale[g/2]
			meta[g] = groupMeta{seed: -zero * sum[g], scale: v, corr: -v * float32(sum[g])}
		}
		return
	}
	sum, scale = sum[:2*n], scale[:n]
	for g := range meta {
		s, v := sum[2*g]+sum[2*g+1], scale[g]
		meta[g] = groupMeta{seed: -zero * s, scale: v, corr: -v * float32(s)}
	}
}

func growPlain[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]T, n)
}

// quantizeGroupsGeneric is the specification of Rows8.SetPart and SetTile: groups
// of 32 elements go to where they are stride elements apart.
func quantizeGroupsGeneric(q []int8, scale []float32, sum []int32, x []float32, stride int) {
	for ; len(x) > 0; x = x[32:] {
		in, out := x[:32], q[:32]
		top := math.Float32frombits(maxAbsRowGeneric(in))
		inv := float32(0)
		switch {
		case top < tiniest:
			scale[0] = 0
		case top <= math.MaxFloat32:
			scale[0], inv = top/127, 127/top
		default:
			scale[0] = float32(math.NaN())
		}
		sum[0], sum[1] = 0, 0
		for i, v := range in {
			out[i] = 0
			if inv != 0 {
				out[i] = int8(math.RoundToEven(float64(v * inv)))
			}
			sum[i/16] += int32(out[i])
		}
		if len(x) > 32 {
			q, scale, sum = q[stride:], scale[stride/32:], sum[stride/16:]
		}
	}
}

// maxAbsRowGeneric returns the largest |x| as bits, which order as the numbers
// do, with infinity and NaN above them.
func maxAbsRowGeneric(x []float32) uint32 {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return top
}
