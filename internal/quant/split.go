package quant

import (
	"encoding/binary"
	"fmt"

	"github.com/handscroll/handscroll/internal/tensor"
)

// Parts are the numbers that a block of weights is made of: element i is
// Scale[g]·(Code[i] − Zero) − Min[g], where g = i/Group.
type Parts struct {
	Code       [256]uint8
	Scale, Min [16]float32
}

// Grid says how a type divides its rows: Group elements share a scale, and Zero
// is the code of zero where there is no minimum.
type Grid struct {
	Group, Zero int
	HasMin      bool
}

// splitter takes one block apart.
type splitter struct {
	Grid
	elements int
	split    func(p *Parts, b []byte)
}

var splitters = map[tensor.DType]splitter{
	tensor.Q4_1: {Grid{32, 0, true}, 32, q4_1}, tensor.Q5_0: {Grid{32, 16, false}, 32, q5_0},
	tensor.Q5_1: {Grid{32, 0, true}, 32, q5_1}, tensor.Q2_K: {Grid{16, 0, true}, 256, q2_K},
	tensor.Q3_K: {Grid{16, 4, false}, 256, q3_K}, tensor.Q4_K: {Grid{32, 0, true}, 256, q4_K},
	tensor.Q5_K: {Grid{32, 0, true}, 256, q5_K}, tensor.Q6_K: {Grid{16, 32, false}, 256, q6_K},
}

// GridOf returns how a type is divided; ok is false for one that Split does not
// know.
func GridOf(t tensor.DType) (g Grid, ok bool) {
	s := splitters[t]
	return s.Grid, s.split != nil
}

// Split takes a block apart. It fails on a type that is not made of scaled codes
// and panics if src is too short.
func Split(p *Parts, t tensor.DType, src []byte) error {
	s := splitters[t]
	if s.split == nil {
		return fmt.Errorf("quant: type %v has no codes to split", t)
	}
	s.split(p, src)
	return nil
}

func (s splitter) decode(dst []float32, b []byte) {
	var p Parts
	s.split(&p, b)
	for i := range dst {
		g := i / s.Group
		dst[i] = p.Scale[g] * float32(int(p.Code[i])-s.Zero)
		if s.HasMin {
			dst[i] -= p.Min[g]
		}
	}
}

// q4_1: a scale d and a minimum m, then 16 bytes of two 4-bit numbers; element i
// of the first half is the low half of byte i. x = d·q + m.
func q4_1(p *Parts, b []byte) {
	p.Scale[0], p.Min[0] = half(b), -half(b[2:])
	for i, q := range b[4:20] {
		p.Code[i], p.Code[i+16] = q&15, q>>4
	}
}

// q5_0: a scale d; four bytes hold the fifth bits, element i's in bit i.
// x = d·(q − 16).
func q5_0(p *Parts, b []byte) {
	p.Scale[0] = half(b)
	fiveBits(p, binary.LittleEndian.Uint32(b[2:]), b[6:22])
}

// q5_1: x = d·q + m.
func q5_1(p *Parts, b []byte) {
	p.Scale[0], p.Min[0] = half(b), -half(b[2:])
	fiveBits(p, binary.LittleEndian.Uint32(b[4:]), b[8:24])
}

func fiveBits(p *Parts, high uint32, qs []byte) {
	for i, q := range qs {
		p.Code[i], p.Code[i+16] = q&15|byte(high>>i&1)<<4, q>>4|byte(high>>(i+16)&1)<<4
	}
}

// q2_K: 16 groups of 16 with a 4-bit scale and a 4-bit minimum each, then 64
// bytes of 2-bit numbers: bits 2j and 2j+1 of bytes 0 to 31 are elements 32j to
// 32j+31 of the first half. x = d·scale·q − dmin·min.
func q2_K(p *Parts, b []byte) {
	scales, qs, d, dmin := b[:16], b[16:80], half(b[80:]), half(b[82:])
	for g, sc := range scales {
		p.Scale[g], p.Min[g] = d*float32(sc&15), dmin*float32(sc>>4)
	}
	for i := range p.Code {
		p.Code[i] = qs[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3
	}
}

// q3_K: 32 bytes of third bits, 64 of the lower two laid out as in q2_K, 12 of
// 16 six-bit scales. x = d·(scale − 32)·(q − 4).
func q3_K(p *Parts, b []byte) {
	mask, qs, sc, d := b[:32], b[32:96], b[96:108], half(b[108:])
	for g := range 16 {
		low, high := sc[g%8]>>(g/8*4)&15, sc[8+g%4]>>(g/4*2)&3
		p.Scale[g] = d * float32(int(low|high<<4)-32)
	}
	for i := range p.Code {
		p.Code[i] = qs[i/128*32+i%32]>>(i%128/32*2)&3 | mask[i%32]>>(i/32)&1<<2
	}
}

// ScaleMin unpacks the j-th of eight 6-bit scales and minima in 12 bytes, as
// Q4_K and Q5_K have them.
func ScaleMin(s []byte, j int) (scale, min byte) {
	if j < 4 {
		return s[j] & 63, s[j+4] & 63
	}
	return s[j+4]&15 | s[j-4]>>6<<4, s[j+4]>>4 | s[j]>>6<<4
}

func scaleMins(p *Parts, b []byte) {
	d, dmin := half(b), half(b[2:])
	for g := range 8 {
		sc, m := ScaleMin(b[4:16], g)
		p.Scale[g], p.Min[g] = d*float32(sc), dmin*float32(m)
	}
}

// q4_K: 8 groups of 32 with 6-bit scales and minima; 32 bytes hold two groups,
// the first in the low halves. x = d·scale·q − dmin·min.
func q4_K(p *Parts, b []byte) {
	scaleMins(p, b)
	qs := b[16:144]
	for i := range p.Code {
		p.Code[i] = qs[i/64*32+i%32] >> (i / 32 % 2 * 4) & 15
	}
}

// q5_K: as q4_K; bit g of 32 further bytes is the fifth bit of group g.
func q5_K(p *Parts, b []byte) {
	scaleMins(p, b)
	high, qs := b[16:48], b[48:176]
	for i := range p.Code {
		p.Code[i] = qs[i/64*32+i%32]>>(i/32%2*4)&15 | high[i%32]>>(i/32)&1<<4
	}
}

// q6_K: 128 bytes of the lower four bits, 64 of the upper two, 16 signed scales
// of groups of 16. x = d·scale·(q − 32).
func q6_K(p *Parts, b []byte) {
	low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for g, sc := range scales {
		p.Scale[g] = d * float32(int8(sc))
	}
	for i := range p.Code {
		h, j := i/128, i%128
		p.Code[i] = low[h*64+j%64]>>(j/64*4)&15 | high[h*32+j%32]>>(j/32*2)&3<<4
	}
}

// Levels returns the sixteen values of a type's 4-bit numbers, laid out in its
// blocks of 32 as in Q4_0: Q4_0 itself, IQ4_NL and MXFP4 (whose values are twice
// those of the type, its scale half). It is nil for other types.
func Levels(t tensor.DType) *[16]int8 {
	switch t {
	case tensor.Q4_0:
		return &levelsQ4
	case tensor.IQ4_NL:
		return &levels4
	case tensor.MXFP4:
		return &levelsFP4
	}
	return nil
}

// levelsQ4 are the values of Q4_0 numbers.
var levelsQ4 = [16]int8{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}
