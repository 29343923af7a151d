package kernel

import (
	"encoding/binary"
	"math"

	"github.com/handscroll/handscroll/internal/tensor"
)

func putFloat(p []byte, x float32) { binary.LittleEndian.PutUint32(p, math.Float32bits(x)) }

func getFloat(p []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(p)) }

func getHalf(p []byte) float32 { return tensor.HalfToFloat(binary.LittleEndian.Uint16(p)) }

func getWord(p []byte) uint32 { return binary.LittleEndian.Uint32(p) }

// unpackGeneric is the specification of unpack: q [k/4][32] words of four codes,
// s [k/group][32] scales, each followed by [32] minima if there are any.
func (b *Blocks) unpackGeneric(q []uint32, s []float32, p []byte) {
	elements, size := b.unit()
	for ; len(p) > 0; p = p[size:] {
		for c := range panel {
			b.unpackColumn(q[c:], s[c:], p, c)
		}
		q = q[elements/4*panel:]
		n := elements / b.group * panel
		if b.mins {
			n *= 2
		}
		s = s[n:]
	}
}

// unpackColumn does it for a column of one unit; words of q and scales in s are
// 32 apart.
func (b *Blocks) unpackColumn(q []uint32, s []float32, p []byte, c int) {
	const low = 0x0f0f0f0f
	word := func(at, w int) uint32 { return getWord(p[at+128*w+4*c:]) }
	switch b.kind {
	case kindQ8:
		s[0] = getHalf(p[2*c:])
		for w := range 8 {
			q[32*w] = word(64, w)
		}
	case kindQ4:
		s[0] = getHalf(p[2*c:])
		for w := range 4 {
			x := word(64, w)
			q[32*w], q[32*(w+4)] = b.look(x&low), b.look(x>>4&low)
		}
	case kindQ4K:
		d, dmin := getHalf(p[2*c:]), getHalf(p[64+2*c:])
		for g := range 8 {
			sm := p[128+g/2*1152+g%2*32+c:]
			s[64*g], s[64*g+32] = d*float32(sm[0]), dmin*float32(sm[64])
		}
		for w := range 32 {
			x, at := word(256+w/8*1152, w%8), w/8*16+w%8
			q[32*at], q[32*(at+8)] = x&low, x>>4&low
		}
	case kindQ6K:
		d := getHalf(p[2*c:])
		for g := range 16 {
			s[32*g] = d * float32(int8(p[64+g/8*3328+g%8*32+c]))
		}
		for w := range 16 {
			at := w/8*32 + w%8
			half := 64 + w/8*3328 + 256
			x, y, h := word(half, 3*(w%8)), word(half, 3*(w%8)+1), word(half, 3*(w%8)+2)
			const two = 0x30303030
			q[32*at] = x&low | h<<4&two
			q[32*(at+8)] = y&low | h<<2&two
			q[32*(at+16)] = x>>4&low | h&two
			q[32*(at+24)] = y>>4&low | h>>2&two
		}
	case kindU8:
		s[0] = getFloat(p[4*c:])
		at := 128
		if b.mins {
			s[32], at = getFloat(p[128+4*c:]), 256
		}
		for w := range b.group / 4 {
			q[32*w] = word(at, w)
		}
	}
}

// look replaces four 4-bit numbers by their levels.
func (b *Blocks) look(x uint32) uint32 {
	l := b.levels
	return uint32(l[x&15]) | uint32(l[x>>8&15])<<8 | uint32(l[x>>16&15])<<16 | uint32(l[x>>24&15])<<24
}

// mulUnpackedGeneric is the specification of the product of rows with an
// unpacked panel, of which w columns are written.
func (b *Blocks) mulUnpackedGeneric(buf *BlockBuffer, dst []float32, ldd, w int, a *Rows8, i0, m int, acc bool) {
	groups, width := b.k/b.group, panel
	if b.mins {
		width *= 2
	}
	for i := range m {
		q, meta := a.q[(i0+i)*a.k:], a.meta[(i0+i)*groups:(i0+i+1)*groups]
		for c := range w {
			var f float32
			for g, at := range meta {
				sum := at.seed
				for e := range b.group {
					x := buf.q[(g*b.group+e)/4*panel+c] >> (e % 4 * 8)
					sum += int32(uint8(x)) * int32(q[g*b.group+e])
				}
				s := buf.s[g*width+c:]
				f = fma(float32(float32(sum)*at.scale), s[0], f)
				if b.mins {
					f = fma(at.corr, s[32], f)
				}
			}
			if acc {
				f += dst[i*ldd+c]
			}
			dst[i*ldd+c] = f
		}
	}
}

func fma(x, y, z float32) float32 { return float32(math.FMA(float64(x), float64(y), float64(z))) }
