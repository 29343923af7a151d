package kernel

import "math"

// maxInt8K bounds k so that a sum of products u8·s8 cannot leave int32.
const maxInt8K = 1 << 16

// PackedInt8 is the right operand of [GemmInt8]: weights in int8 with one
// scale a column, in column panels of four rows at a time,
// [ceil(n/32)][ceil(k/4)][32][4], zero outside [k, n]. After Pack it is only
// read.
type PackedInt8 struct {
	k, n  int
	data  []uint32  // four rows of one column a word, the lowest row lowest
	scale []float32 // [n], padded with zeros to whole panels
	seed  []int32   // [n] −128·column sum, padded likewise: where the sums start
}

// Pack copies B [k, n], element (i, j) at b[i*rowStride+j*colStride], and its
// column scales [n], reusing the buffers of an earlier Pack.
func (p *PackedInt8) Pack(b []int8, rowStride, colStride, k, n int, scale []float32) {
	if k > maxInt8K {
		panic("kernel: PackedInt8: k above 65536")
	}
	checkStrided("PackedInt8", len(b), k, n, rowStride, colStride)
	p.k, p.n = k, n
	words, width := (k+3)/4, (n+panel-1)/panel*panel
	p.data = growAligned(p.data, words*width)
	if cap(p.scale) < width {
		p.scale, p.seed = make([]float32, width), make([]int32, width)
	}
	p.scale, p.seed = p.scale[:width], p.seed[:width]
	clear(p.data)
	clear(p.scale)
	clear(p.seed)
	copy(p.scale, scale[:n])
	for j := 0; j < n && k > 0; j++ {
		col := p.data[j/panel*panel*words+j%panel:]
		var sum int32
		for i := range k {
			x := b[i*rowStride+j*colStride]
			sum += int32(x)
			col[i/4*panel] |= uint32(uint8(x)) << (i % 4 * 8)
		}
		p.seed[j] = -128 * sum
	}
}

// GemmInt8 computes dst = A·B, or dst += A·B if acc, for dst [m, n] with row
// stride ldd. A [m, k] holds value+128 (offset binary) with row stride lda and
// one scale a row, ascale [m]. The integer sums are exact; an element is
// float32(sum)·ascale[i]·scale[j], rounded after each step, so every platform
// computes the same bits.
func GemmInt8(dst []float32, ldd int, a []uint8, ascale []float32, lda int, b *PackedInt8, m int, acc bool) {
	k, n := b.k, b.n
	if m == 0 || n == 0 {
		return
	}
	checkStrided("GemmInt8: dst", len(dst), m, n, ldd, 1)
	checkStrided("GemmInt8: a", len(a), m, k, lda, 1)
	if k == 0 {
		clearRows(dst, ldd, m, n, acc)
		return
	}
	gemmInt8(dst, ldd, a, ascale[:m], lda, b, m, acc)
}

// QuantizeRowsU8 quantises the rows of x [m, k] to dst [m, k] in offset binary
// (value+128, values −127…127, rounded to nearest, ties to even), with
// scale[i] = max|x|/127 of row i. A row of zeros has scale 0, as has one below
// 1e-36, whose values could not be scaled up. A row with an infinity or a NaN
// has scale NaN, so that products with it are NaN too.
func QuantizeRowsU8(dst []uint8, scale []float32, x []float32, m, k int) {
	for i := range m {
		row, out := x[i*k:(i+1)*k], dst[i*k:(i+1)*k]
		top := math.Float32frombits(maxAbsRow(row))
		switch {
		case top < 1e-36:
			scale[i] = 0
		case top <= math.MaxFloat32:
			scale[i] = top / 127
			quantizeRow(out, row, 127/top)
			continue
		default:
			scale[i] = float32(math.NaN())
		}
		for j := range out {
			out[j] = 128
		}
	}
}
