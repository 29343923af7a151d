package kvcache

import (
	"fmt"
	"unsafe"
)

// align is the boundary that every array in a block starts on: a cache line,
// and the width of the widest vector register.
const align = 64

// Run is the cache entries of N consecutive tokens.
type Run struct {
	N, DK, DV int
	K         []byte    // [N, DK] unit-norm keys, int8 in offset binary: value + 128
	V         []int8    // [N, DV] values
	KScale    []float32 // [N]
	VScale    []float32 // [N]
	ID        []uint32  // [N] token ids
}

// Slice returns the entries [from, to), sharing memory.
func (r Run) Slice(from, to int) Run {
	return Run{
		N: to - from, DK: r.DK, DV: r.DV,
		K:      r.K[from*r.DK : to*r.DK],
		V:      r.V[from*r.DV : to*r.DV],
		KScale: r.KScale[from:to],
		VScale: r.VScale[from:to],
		ID:     r.ID[from:to],
	}
}

// BlockBytes is the size of the block that [Bind] lays n entries out in, a
// multiple of 64: K, V, KScale, VScale and ID, each padded to 64 bytes.
func BlockBytes(n, dk, dv int) int {
	return pad(n*dk) + pad(n*dv) + 3*pad(n*4)
}

// Bind returns a run over block, which holds [BlockBytes](n, dk, dv) bytes in
// the machine's (little-endian) order and starts on a 4-byte boundary or
// better. It panics if the block is shorter or misaligned.
func Bind(block []byte, n, dk, dv int) Run {
	if n == 0 {
		return Run{DK: dk, DV: dv}
	}
	if len(block) < BlockBytes(n, dk, dv) {
		panic(fmt.Sprintf("kvcache: block of %d bytes for %d entries of %d", len(block), n, BlockBytes(n, dk, dv)))
	}
	if uintptr(unsafe.Pointer(&block[0]))%4 != 0 {
		panic("kvcache: misaligned block")
	}
	take := func(bytes int) unsafe.Pointer {
		p := unsafe.Pointer(&block[0])
		block = block[pad(bytes):]
		return p
	}
	r := Run{N: n, DK: dk, DV: dv}
	r.K = unsafe.Slice((*byte)(take(n*dk)), n*dk)
	r.V = unsafe.Slice((*int8)(take(n*dv)), n*dv)
	r.KScale = unsafe.Slice((*float32)(take(n*4)), n)
	r.VScale = unsafe.Slice((*float32)(take(n*4)), n)
	r.ID = unsafe.Slice((*uint32)(unsafe.Pointer(&block[0])), n)
	return r
}

// NewBlock returns a zeroed block for n entries that starts on a 64-byte
// boundary.
func NewBlock(n, dk, dv int) []byte {
	size := BlockBytes(n, dk, dv)
	b := make([]byte, size+align)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) & (align - 1))
	return b[skip : skip+size : skip+size]
}

// NewRun returns a zeroed run on the heap.
func NewRun(n, dk, dv int) Run { return Bind(NewBlock(n, dk, dv), n, dk, dv) }

func pad(bytes int) int { return (bytes + align - 1) &^ (align - 1) }

// View is a context as a list of runs, addressed by one position that counts
// through them.
type View []Run

// Len returns the number of entries.
func (v View) Len() int {
	n := 0
	for _, r := range v {
		n += r.N
	}
	return n
}

// At returns the run that holds position pos and the index in it. It panics if
// pos is out of range.
func (v View) At(pos int) (Run, int) {
	i := pos
	for _, r := range v {
		if i >= 0 && i < r.N {
			return r, i
		}
		i -= r.N
	}
	panic(fmt.Sprintf("kvcache: position %d of %d", pos, v.Len()))
}

// Slice returns the positions [from, to), sharing memory.
func (v View) Slice(from, to int) View {
	var out View
	for _, r := range v {
		lo, hi := max(from, 0), min(to, r.N)
		if lo < hi {
			out = append(out, r.Slice(lo, hi))
		}
		from -= r.N
		to -= r.N
	}
	return out
}
