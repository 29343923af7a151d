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
	scales := elements / b.group * panel
	if b.mins {
		scales *= 2
	}
	for ; len(p) > 0; p = p[size:] {
		b.unpackUnit(q[:elements/4*panel], s[:scales], p[:size])
		q, s = q[elements/4*panel:], s[scales:]
	}
}

// line is a word of each column.
type line [panel]uint32

func (b *Blocks) unpackUnit(q []uint32, s []float32, p []byte) {
	const low, two = 0x0f0f0f0f, 0x30303030
	to := func(w int) *line { return (*line)(q[w*panel:]) }
	switch b.kind {
	case kindQ8:
		halfScales(s, p)
		copyWords(q, p[64:])
	case kindQ4:
		halfScales(s, p)
		for w := range 4 {
			lo, hi := to(w), to(w+4)
			for c := range panel {
				x := getWord(p[64+128*w+4*c:])
				lo[c], hi[c] = b.look(x&low), b.look(x>>4&low)
			}
		}
	case kindQ4K:
		for h := range 2 {
			for c := range panel {
				d, dmin := getHalf(p[2*c:]), getHalf(p[64+2*c:])
				for g, sm := range unpackScales(p[128+h*2240+c:]) {
					s[64*(4*h+g)+c], s[64*(4*h+g)+32+c] = d*float32(sm[0]), dmin*float32(sm[1])
				}
			}
		}
		for w := range 32 {
			from, lo, hi := p[128+w/16*2240+192+w%16*128:], to(w/8*16+w%8), to(w/8*16+w%8+8)
			for c := range panel {
				x := getWord(from[4*c:])
				lo[c], hi[c] = x&low, x>>4&low
			}
		}
	case kindQ6K:
		for g := range 16 {
			for c := range panel {
				s[32*g+c] = getHalf(p[2*c:]) * float32(int8(p[64+g/8*3328+g%8*32+c]))
			}
		}
		for w := range 16 {
			from, at := p[64+w/8*3328+256+w%8*384:], w/8*32+w%8
			w0, w1, w2, w3 := to(at), to(at+8), to(at+16), to(at+24)
			for c := range panel {
				x, y, h := getWord(from[4*c:]), getWord(from[128+4*c:]), getWord(from[256+4*c:])
				w0[c], w1[c] = x&low|h<<4&two, y&low|h<<2&two
				w2[c], w3[c] = x>>4&low|h&two, y>>4&low|h>>2&two
			}
		}
	case kindU8:
		n := len(s)
		for i := range s {
			s[i] = getFloat(p[4*i:])
		}
		copyWords(q, p[4*n:])
	}
}

// unpackScales is packScales undone: scale and minimum of four groups.
func unpackScales(p []byte) (sm [4][2]byte) {
	for i := range 4 {
		sm[i][0] = p[32*i] & 63
	}
	sm[0][1], sm[1][1] = p[128]&63, p[160]&63
	for i := range 6 {
		sm[2+i/3][1] |= p[32*i] >> 6 << (i % 3 * 2)
	}
	return sm
}

func halfScales(s []float32, p []byte) {
	for c := range s {
		s[c] = getHalf(p[2*c:])
	}
}

func copyWords(q []uint32, p []byte) {
	for i := range q {
		q[i] = getWord(p[4*i:])
	}
}

// look replaces four 4-bit numbers by their levels.
func (b *Blocks) look(x uint32) uint32 {
	l := b.levels
	return uint32(l[x&15]) | uint32(l[x>>8&15])<<8 | uint32(l[x>>16&15])<<16 | uint32(l[x>>24&15])<<24
}

// mulUnpackedGeneric is the specification of the product of rows with an
// unpacked panel, of which w columns are written.
func (b *Blocks) mulUnpackedGeneric(buf *BlockBuffer, dst []float32, ldd, w int, a *Rows8, meta []groupMeta, i0, m int, acc bool) {
	groups, width := b.k/b.group, panel
	if b.mins {
		width *= 2
	}
	for i := range m {
		q, row := a.q[(i0+i)*a.k:], meta[(i0+i)*groups:(i0+i+1)*groups]
		for c := range w {
			var f float32
			for g, at := range row {
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
