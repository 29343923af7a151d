package kernel

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/handscroll/handscroll/internal/tensor"
)

// NewPackedF32 describes the transpose of a file's float32 tensor [n, k] as a
// right operand that has no memory yet.
func NewPackedF32(n, k int) *PackedF32 { return &PackedF32{k: k, n: n} }

// Size returns how many bytes of memory Place takes.
func (p *PackedF32) Size() int { return 4 * panels(p.n) * p.k }

// Place gives the matrix its memory, Size zero bytes on a 64-byte boundary.
func (p *PackedF32) Place(memory []byte) { p.data = view[float32](memory[:p.Size()]) }

// Set lays out rows of the file's tensor as columns from col on. Different
// columns may be set at once.
func (p *PackedF32) Set(col int, src []byte) error {
	for ; len(src) > 0; col, src = col+1, src[4*p.k:] {
		to := p.data[col/panel*panel*p.k+col%panel:]
		for i := range p.k {
			to[i*panel] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	}
	return nil
}

// Cols returns columns j0 to j1, j0 a multiple of 32, as an operand of its own in
// the same memory.
func (p *PackedF32) Cols(j0, j1 int) PackedF32 {
	return PackedF32{k: p.k, n: j1 - j0, data: columns(p.data, p.k, p.n, j0, j1)}
}

func columns[T any](data []T, k, n, j0, j1 int) []T {
	if j0%panel != 0 || j1 > n {
		panic("kernel: columns out of range")
	}
	return data[j0*k : panels(j1)*k]
}

func panels(n int) int { return (n + panel - 1) / panel * panel }

func view[T float32 | uint16](b []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(zero)))
}

// PackedHalf is the right operand of [GemmHalf]: half-precision or bfloat16
// values as a file has them, laid out like those of [PackedF32]. After the last
// Set it is only read.
type PackedHalf struct {
	k, n  int
	brain bool
	data  []uint16
}

// NewPackedHalf describes the transpose of a file's tensor [n, k] of type F16 or
// BF16 that has no memory yet.
func NewPackedHalf(t tensor.DType, n, k int) *PackedHalf {
	if t != tensor.F16 && t != tensor.BF16 {
		panic("kernel: PackedHalf of another type")
	}
	return &PackedHalf{k: k, n: n, brain: t == tensor.BF16}
}

// Size returns how many bytes of memory Place takes.
func (p *PackedHalf) Size() int { return 2 * panels(p.n) * p.k }

// Place gives the matrix its memory, Size zero bytes on a 64-byte boundary.
func (p *PackedHalf) Place(memory []byte) { p.data = view[uint16](memory[:p.Size()]) }

// Set lays out rows of the file's tensor as columns from col on. Different
// columns may be set at once.
func (p *PackedHalf) Set(col int, src []byte) error {
	for ; len(src) > 0; col, src = col+1, src[2*p.k:] {
		to := p.data[col/panel*panel*p.k+col%panel:]
		for i := range p.k {
			to[i*panel] = binary.LittleEndian.Uint16(src[2*i:])
		}
	}
	return nil
}

// Cols returns columns j0 to j1, j0 a multiple of 32, as an operand of its own in
// the same memory.
func (p *PackedHalf) Cols(j0, j1 int) PackedHalf {
	return PackedHalf{k: p.k, n: j1 - j0, brain: p.brain, data: columns(p.data, p.k, p.n, j0, j1)}
}

// GemmHalf computes dst = A·B, or dst += A·B if acc, for dst [m, n] with row
// stride ldd and A [m, k] with row stride lda. Values of B are widened, exactly;
// else it is GemmF32.
func GemmHalf(dst []float32, ldd int, a []float32, lda int, b *PackedHalf, m int, acc bool) {
	if m == 0 || b.n == 0 {
		return
	}
	for j := 0; j < b.n; j += panel {
		mulPanelHalf(dst[j:], ldd, a, lda, b.data[j*b.k:(j+panel)*b.k], b.brain, m, min(panel, b.n-j), acc)
	}
}

// GemmPanelF16 is GemmHalf for the first w ≤ 32 columns of one panel [k, 32] of
// half-precision values.
func GemmPanelF16(dst []float32, ldd int, a []float32, lda int, b []uint16, m, w int, acc bool) {
	if m > 0 && w > 0 {
		mulPanelHalf(dst, ldd, a, lda, b, false, m, w, acc)
	}
}

// GemmPanelF32 is GemmF32 for the first w ≤ 32 columns of one panel [k, 32].
func GemmPanelF32(dst []float32, ldd int, a []float32, lda int, b []float32, m, w int, acc bool) {
	if m > 0 && w > 0 {
		k := len(b) / panel
		p := PackedF32{k: k, n: w, data: b[:k*panel]}
		GemmF32(dst, ldd, a, lda, 1, &p, m, acc)
	}
}

// mulPanelHalf multiplies by a panel [k, 32].
func mulPanelHalf(dst []float32, ldd int, a []float32, lda int, b []uint16, brain bool, m, w int, acc bool) {
	k := len(b) / panel
	checkStrided("GemmHalf: dst", len(dst), m, w, ldd, 1)
	checkStrided("GemmHalf: a", len(a), m, k, lda, 1)
	if k == 0 {
		clearRows(dst, ldd, m, w, acc)
		return
	}
	if mulPanelHalfFast(dst, ldd, a, lda, b, brain, m, w, acc) {
		return
	}
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	rows := len(buf) / panel
	for k0 := 0; k0 < k; k0 += rows {
		n := min(rows, k-k0)
		wide := buf[:n*panel]
		if from := b[k0*panel : (k0+n)*panel]; brain {
			FromBF16(wide, from)
		} else {
			for i, h := range from {
				wide[i] = tensor.HalfToFloat(h)
			}
		}
		GemmPanelF32(dst, ldd, a[k0:], lda, wide, m, w, acc || k0 > 0)
	}
}
