package kernel

import (
	"math"
	"sync"
	"unsafe"
)

// panel is the number of columns of B that lie together in a packed matrix.
const panel = 32

// A is multiplied in blocks of blockM rows and blockK words, which stay in the
// second-level cache while every panel of B passes over them. The sums go on
// through dst from block to block, which rounds nothing, so the blocks leave
// no trace in the result.
const (
	blockM = 192
	blockK = 384
)

// blocks holds blocks of A that have to be rearranged. It is apart from the
// packed B, so that goroutines can share that.
var blocks = sync.Pool{New: func() any { return new(block) }}

type block [blockM * blockK]float32

// PackedF32 is the right operand of [GemmF32], laid out in column panels:
// [ceil(n/32)][k][32], zero past column n. After Pack it is only read, so
// several goroutines may multiply by it at once.
type PackedF32 struct {
	k, n int
	data []float32
}

// Pack copies B [k, n], element (i, j) at b[i*rowStride+j*colStride], reusing
// the buffer of an earlier Pack where it is large enough.
func (p *PackedF32) Pack(b []float32, rowStride, colStride, k, n int) {
	p.k, p.n = k, n
	p.data = growAligned(p.data, (n+panel-1)/panel*k*panel)
	checkStrided("PackedF32", len(b), k, n, rowStride, colStride)
	if k == 0 {
		return
	}
	for j := 0; j < n; j += panel {
		packPanel(p.data[j*k:(j+panel)*k], b[j*colStride:], rowStride, colStride, k, min(panel, n-j))
	}
}

// GemmF32 computes dst = A·B, or dst += A·B if acc, for dst [m, n] with row
// stride ldd and A [m, k], element (i, j) at a[i*ars+j*acs].
//
// Every element is one chain of multiply-adds in the order of k that starts
// from zero, or from dst if acc. Nothing else enters it: a row's result is the
// same bit for bit whatever m is, wherever the row lies, and however many
// columns there are.
func GemmF32(dst []float32, ldd int, a []float32, ars, acs int, b *PackedF32, m int, acc bool) {
	k, n := b.k, b.n
	if m == 0 || n == 0 {
		return
	}
	checkStrided("GemmF32: dst", len(dst), m, n, ldd, 1)
	checkStrided("GemmF32: a", len(a), m, k, ars, acs)
	if k == 0 {
		clearRows(dst, ldd, m, n, acc)
		return
	}
	gemmF32(dst, ldd, a, ars, acs, b, 0, k, m, acc)
}

// clearRows writes the product of nothing: zeros, unless acc.
func clearRows(dst []float32, ldd, m, n int, acc bool) {
	for i := 0; i < m && !acc; i++ {
		clear(dst[i*ldd : i*ldd+n])
	}
}

// PackedBF16 is the right operand of [GemmBF16]. After Pack it is only read.
// It holds what the processor multiplies: pairs of rows,
// [ceil(n/32)][ceil(k/2)][32], zero outside [k, n], the even row in the low
// half of a word; or the rounded values as floats where there is no
// instruction for pairs.
type PackedBF16 struct {
	k, n   int
	paired bool
	pairs  []uint32
	wide   PackedF32
}

// Pack rounds B [k, n], element (i, j) at b[i*rowStride+j*colStride], to
// bfloat16 (to nearest, ties to even), reusing the buffer of an earlier Pack.
func (p *PackedBF16) Pack(b []float32, rowStride, colStride, k, n int) {
	p.k, p.n, p.paired = k, n, has.bf16
	if !p.paired {
		p.wide.Pack(b, rowStride, colStride, k, n)
		for i, x := range p.wide.data {
			p.wide.data[i] = fromBF16(toBF16(x))
		}
		return
	}
	checkStrided("PackedBF16", len(b), k, n, rowStride, colStride)
	words := (k + 1) / 2
	p.pairs = growAligned(p.pairs, (n+panel-1)/panel*words*panel)
	const rows = 64
	var block [rows * panel]float32
	for j := 0; j < n; j += panel {
		for i := 0; i < k; i += rows {
			h := min(rows, k-i)
			packPanel(block[:h*panel], b[i*rowStride+j*colStride:], rowStride, colStride, h, min(panel, n-j))
			if h&1 != 0 {
				clear(block[h*panel : (h+1)*panel])
			}
			packPairs(p.pairs[j*words+i/2*panel:], block[:], (h+1)/2)
		}
	}
}

// GemmBF16 computes dst = A·B, or dst += A·B if acc, for dst [m, n] with row
// stride ldd and A [m, k] in bfloat16 with row stride lda, summed in float32.
// Rows of A hold k rounded up to an even number of values; the caller zeroes
// the odd one. Rows do not depend on each other, as in [GemmF32].
func GemmBF16(dst []float32, ldd int, a []uint16, lda int, b *PackedBF16, m int, acc bool) {
	k, n := b.k, b.n
	if m == 0 || n == 0 {
		return
	}
	checkStrided("GemmBF16: dst", len(dst), m, n, ldd, 1)
	checkStrided("GemmBF16: a", len(a), m, (k+1)&^1, lda, 1)
	switch {
	case k == 0:
		clearRows(dst, ldd, m, n, acc)
	case b.paired:
		gemmPairsBF16(dst, ldd, a, lda, b, m, acc)
	default:
		gemmWideBF16(dst, ldd, a, lda, b, m, acc)
	}
}

// gemmWideBF16 widens A block by block and multiplies floats.
func gemmWideBF16(dst []float32, ldd int, a []uint16, lda int, b *PackedBF16, m int, acc bool) {
	buf := blocks.Get().(*block)
	for k0 := 0; k0 < b.k; k0 += blockK {
		k := min(blockK, b.k-k0)
		for i := 0; i < m; i += blockM {
			rows := min(blockM, m-i)
			for r := range rows {
				wide := buf[r*k : (r+1)*k]
				for p, h := range a[(i+r)*lda+k0:][:k] {
					wide[p] = fromBF16(h)
				}
			}
			gemmF32(dst[i*ldd:], ldd, buf[:], k, 1, &b.wide, k0, k, rows, acc || k0 > 0)
		}
	}
	blocks.Put(buf)
}

// toBF16 rounds to nearest, ties to even; a NaN stays a NaN.
func toBF16(x float32) uint16 {
	u := math.Float32bits(x)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}

func fromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// growAligned returns a slice of n elements on a 64-byte boundary, in s if it
// is large enough. Its contents are undefined.
func growAligned[T float32 | uint32](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	s = make([]T, n+15)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & 63 / 4)
	return s[off : off+n : off+n]
}

// checkStrided panics unless a slice of size elements holds the matrix
// [rows, cols] with these strides.
func checkStrided(what string, size, rows, cols, rowStride, colStride int) {
	if rows < 0 || cols < 0 || rowStride < 0 || colStride < 0 ||
		rows > 0 && cols > 0 && (rows-1)*rowStride+(cols-1)*colStride >= size {
		panic("kernel: " + what + ": slice too short for its shape")
	}
}
