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
	corr  []int32   // [n] 128·column sum, padded likewise
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
		p.scale, p.corr = make([]float32, width), make([]int32, width)
	}
	p.scale, p.corr = p.scale[:width], p.corr[:width]
	clear(p.data)
	clear(p.scale)
	clear(p.corr)
	copy(p.scale, scale[:n])
	for j := 0; j < n && k > 0; j++ {
		col := p.data[j/panel*panel*words+j%panel:]
		var sum int32
		for i := range k {
			x := b[i*rowStride+j*colStride]
			sum += int32(x)
			col[i/4*panel] |= uint32(uint8(x)) << (i % 4 * 8)
		}
		p.corr[j] = 128 * sum
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
	gemmInt8Generic(dst, ldd, a, ascale[:m], lda, b, m, acc)
}

// QuantizeRowsU8 quantises the rows of x [m, k] to dst [m, k] in offset binary
// (value+128, values −127…127, rounded to nearest, ties to even), with
// scale[i] = max|x|/127 of row i; a row of zeros has scale 0.
func QuantizeRowsU8(dst []uint8, scale []float32, x []float32, m, k int) {
	for i := range m {
		row, out := x[i*k:(i+1)*k], dst[i*k:(i+1)*k]
		var top float32
		for _, v := range row {
			top = max(top, float32(math.Abs(float64(v))))
		}
		scale[i] = top / 127
		var inv float32
		if top > 0 {
			inv = 127 / top
		}
		for j, v := range row {
			out[j] = uint8(int32(math.RoundToEven(float64(v*inv))) + 128)
		}
	}
}
