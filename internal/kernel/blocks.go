package kernel

import (
	"encoding/binary"
	"fmt"

	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Blocks is a quantised weight matrix as the right operand of [GemmBlocks]: n
// columns (rows of the file's tensor), k deep. The numbers of a file are kept to
// the bit, but laid out for the processor: 32 columns lie side by side, four
// codes of each in a word, so that a word of all columns is 128 bytes, and each
// (super-)block of 32 columns is one run of memory, scales first. After the last
// Set it is only read.
type Blocks struct {
	typ         tensor.DType
	n, k        int
	kind        blockKind
	group, zero int  // elements to a scale; the code of zero
	mins        bool // groups have a minimum
	levels      *[16]uint8
	stride      int    // bytes of a panel
	data        []byte // [ceil(n/32)] panels
}

// maxInt8K bounds k so that a sum of products u8·s8 cannot leave int32.
const maxInt8K = 1 << 16

// blockKind is a layout of a panel, made of units.
type blockKind uint8

const (
	// kindQ8: a unit is 32 elements: half-precision scales [32], then 8 words
	// (128 bytes) of codes.
	kindQ8 blockKind = iota
	// kindQ4: a unit is 32 elements: half-precision scales [32], then 4 words of
	// two 4-bit numbers; low halves are elements 0 to 15.
	kindQ4
	// kindQ4K: a unit is 256 elements: half-precision d [32] and dmin [32], then
	// twice four groups: six rows of 32 bytes, see packScales, and twice 8 words of
	// which low halves are the first group of two.
	kindQ4K
	// kindQ6K: a unit is 256 elements: half-precision d [32], then two halves:
	// signed scales [8][32] in bytes, then 8 times a word of the lower four bits
	// of groups 0 and 4, one of groups 2 and 6 (of 16 elements), and one of the
	// upper two bits of all four; each second time of the groups after them.
	kindQ6K
	// kindU8: a unit is one group: scales [32] in float32, minima [32] if any,
	// then the words of codes. For everything else.
	kindU8
)

// unit returns the elements and bytes of a unit.
func (b *Blocks) unit() (elements, bytes int) {
	switch b.kind {
	case kindQ8:
		return 32, 64 + 8*128
	case kindQ4:
		return 32, 64 + 4*128
	case kindQ4K:
		return 256, 2*64 + 2*(6*32+16*128)
	case kindQ6K:
		return 256, 64 + 512 + 48*128
	}
	bytes = 128 + b.group*32
	if b.mins {
		bytes += 128
	}
	return b.group, bytes
}

// ErrLayout is wrapped by NewBlocks for weights that have no such layout.
var ErrLayout = fmt.Errorf("kernel: weights cannot be laid out in blocks")

// NewBlocks describes a matrix of n columns, k deep, of a file's type, that has
// no memory yet: see Place. It fails on types that are not quantised and on rows
// that are not whole units.
func NewBlocks(t tensor.DType, n, k int) (*Blocks, error) {
	b := &Blocks{typ: t, n: n, k: k}
	switch t {
	case tensor.Q8_0:
		b.kind, b.group, b.zero = kindQ8, 32, 128
	case tensor.Q4_K:
		b.kind, b.group, b.mins = kindQ4K, 32, true
	case tensor.Q6_K:
		b.kind, b.group, b.zero = kindQ6K, 16, 32
	case tensor.Q4_0, tensor.IQ4_NL, tensor.MXFP4:
		b.kind, b.group, b.zero = kindQ4, 32, 128
		b.levels = new([16]uint8)
		for i, v := range quant.Levels(t) {
			b.levels[i] = uint8(int(v) + 128)
		}
	default:
		g, ok := quant.GridOf(t)
		if !ok {
			return nil, fmt.Errorf("%w: type %v", ErrLayout, t)
		}
		b.kind, b.group, b.zero, b.mins = kindU8, g.Group, g.Zero, g.HasMin
	}
	elements, size := b.unit()
	if per, _, _ := t.Block(); k%per != 0 || k%elements != 0 || k%32 != 0 || k > maxInt8K {
		return nil, fmt.Errorf("%w: rows of %d elements of %v", ErrLayout, k, t)
	}
	b.stride = k / elements * size
	return b, nil
}

// Size returns how many bytes of memory Place takes.
func (b *Blocks) Size() int { return (b.n + panel - 1) / panel * b.stride }

// Place gives the matrix its memory, Size zero bytes on a 64-byte boundary.
func (b *Blocks) Place(memory []byte) { b.data = memory[:b.Size()] }

// Alike says whether rows prepared for b are also prepared for c.
func (b *Blocks) Alike(c *Blocks) bool { return b.group == c.group && b.zero == c.zero && b.k == c.k }

// Cols returns the number of columns.
func (b *Blocks) Cols() int { return b.n }

// Set lays out rows of the file's tensor as columns from col on. Different
// columns may be set at once if they are in different panels of 32.
func (b *Blocks) Set(col int, src []byte) error {
	per, size, _ := b.typ.Block()
	row := b.k / per * size
	if len(src)%row != 0 || col+len(src)/row > b.n {
		panic("kernel: Blocks: rows do not fit")
	}
	for ; len(src) > 0; col++ {
		p := b.data[col/panel*b.stride : (col/panel+1)*b.stride]
		if err := b.setColumn(p, col%panel, src[:row]); err != nil {
			return err
		}
		src = src[row:]
	}
	return nil
}

// setColumn lays out one row of the file as column c of a panel.
func (b *Blocks) setColumn(p []byte, c int, row []byte) error {
	_, unit := b.unit()
	switch b.kind {
	case kindQ8:
		for ; len(row) > 0; row, p = row[34:], p[unit:] {
			copy(p[2*c:2*c+2], row)
			q := p[64+4*c:]
			for w := range 8 {
				x := binary.LittleEndian.Uint32(row[2+4*w:])
				binary.LittleEndian.PutUint32(q[128*w:], x^0x80808080)
			}
		}
	case kindQ4:
		return b.setQ4(p, c, row)
	case kindQ4K:
		for ; len(row) > 0; row, p = row[144:], p[unit:] {
			copy(p[2*c:2*c+2], row)
			copy(p[64+2*c:64+2*c+2], row[2:])
			for h := range 2 {
				four := p[128+h*2240:]
				packScales(four[c:], row[4:16], 4*h)
				words(four[192+4*c:], row[16+64*h:80+64*h], 128)
			}
		}
	case kindQ6K:
		for ; len(row) > 0; row, p = row[210:], p[unit:] {
			copy(p[2*c:2*c+2], row[208:210])
			for g := range 16 {
				p[64+g/8*3328+g%8*32+c] = row[192+g]
			}
			for h := range 2 {
				q := p[64+h*3328+256+4*c:]
				words(q, row[64*h:64*h+32], 384)
				words(q[128:], row[64*h+32:64*h+64], 384)
				words(q[256:], row[128+32*h:160+32*h], 384)
			}
		}
	default:
		return b.setU8(p, c, row)
	}
	return nil
}

// packScales puts the scales and minima of four groups of a Q4_K block, from group g
// on, into six bytes 32 apart, six bits each: scales of the four, minima of the first
// two; in the upper bits the minima of the others, two bits at a time.
func packScales(dst, s []byte, g int) {
	var sc, m [4]byte
	for i := range 4 {
		sc[i], m[i] = quant.ScaleMin(s, g+i)
	}
	for i, x := range [6]byte{sc[0], sc[1], sc[2], sc[3], m[0], m[1]} {
		dst[32*i] = x | m[2+i/3]>>(i%3*2)<<6
	}
}

// words puts the words of src stride bytes apart.
func words(dst, src []byte, stride int) {
	for i := 0; i < len(src); i += 4 {
		*(*[4]byte)(dst[i/4*stride:]) = [4]byte(src[i:])
	}
}

func (b *Blocks) setQ4(p []byte, c int, row []byte) error {
	_, size, _ := b.typ.Block()
	for ; len(row) > 0; row, p = row[size:], p[64+4*128:] {
		d := p[2*c : 2*c+2]
		if b.typ == tensor.MXFP4 {
			// Half of 2^(e−127) in half precision, which has exponents −24 to 15.
			e := int(row[0]) - 128
			if e < -24 || e > 15 {
				return fmt.Errorf("%w: a scale of 2^%d", ErrLayout, e)
			}
			binary.LittleEndian.PutUint16(d, tensor.FloatToHalf(exp2(e)))
			words(p[64+4*c:], row[1:size], 128)
			continue
		}
		copy(d, row)
		words(p[64+4*c:], row[2:size], 128)
	}
	return nil
}

func exp2(e int) float32 {
	x := float32(1)
	for ; e > 0; e-- {
		x *= 2
	}
	for ; e < 0; e++ {
		x /= 2
	}
	return x
}

func (b *Blocks) setU8(p []byte, c int, row []byte) error {
	per, size, _ := b.typ.Block()
	_, unit := b.unit()
	var parts quant.Parts
	for ; len(row) > 0; row = row[size:] {
		if err := quant.Split(&parts, b.typ, row[:size]); err != nil {
			return err
		}
		for g := range per / b.group {
			q := p[128:]
			putFloat(p[4*c:], parts.Scale[g])
			if b.mins {
				putFloat(p[128+4*c:], parts.Min[g])
				q = p[256:]
			}
			words(q[4*c:], parts.Code[g*b.group:(g+1)*b.group], 128)
			p = p[unit:]
		}
	}
	return nil
}

// BlockBuffer is a worker's memory for GemmBlocks.
type BlockBuffer struct {
	q []uint32  // [k/4][32] words of codes
	s []float32 // [k/group][32 or 64]: scales, then minima if there are any
}

// fewRows is up to how many rows are multiplied straight from the weights' own
// layout, which is then read once a row; Q8, whose codes need no unpacking, gains
// by it for one only.
const fewRows = 6

// GemmBlocks computes columns j0 to j1 of dst = A·B, or dst += A·B if acc, for
// rows i0 to i1 of A, which must be prepared for b. Row i of A goes to row i−i0
// of dst [i1−i0, n], column j to column j−j0; rows are ldd apart. j0 must be a
// multiple of 32.
//
// The integer sums of a group are exact; an element is one chain of multiply-adds
// of float32(sum)·a's scale by b's scale and, where there are minima, of −(a's
// scale·sum of a's codes) by the minimum, in the order of the groups, from zero.
// It is the same bit for bit however many rows there are and whoever computes it.
func GemmBlocks(buf *BlockBuffer, dst []float32, ldd int, a *Rows8, i0, i1 int, b *Blocks, j0, j1 int, acc bool) {
	m := i1 - i0
	if m <= 0 || j1 <= j0 {
		return
	}
	kind := a.kind(b)
	if a.k != b.k || kind == nil || i0 < 0 || i1 > a.m || j0%panel != 0 || j1 > b.n {
		panic("kernel: GemmBlocks: operands do not belong together")
	}
	checkStrided("GemmBlocks: dst", len(dst), m, j1-j0, ldd, 1)
	for j := j0; j < j1; j += panel {
		p := b.data[j/panel*b.stride : (j/panel+1)*b.stride]
		w, out := min(panel, j1-j), dst[j-j0:]
		if b.direct() && (m == 1 || m <= fewRows && b.kind != kindQ8) {
			for i := range m {
				b.dotPanel(out[i*ldd:], w, a, kind.meta, i0+i, p, acc)
			}
			continue
		}
		b.mulPanel(buf, out, ldd, w, a, kind.meta, i0, m, p, acc)
	}
}

// unpack writes the codes and scales of a panel to a buffer, in the one form that
// mulRowsBlocks takes.
func (b *Blocks) unpack(buf *BlockBuffer, p []byte) {
	width := 32
	if b.mins {
		width = 64
	}
	buf.q, buf.s = growAligned(buf.q, b.k/4*panel), growAligned(buf.s, b.k/b.group*width)
	b.unpackPanel(buf.q, buf.s, p)
}
