package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/handscroll/handscroll/internal/tensor"
)

// decoder writes the elements of one block.
type decoder func(dst []float32, b []byte)

var decoders = map[tensor.DType]decoder{
	tensor.Q4_0: q4_0, tensor.Q4_1: q4_1, tensor.Q5_0: q5_0, tensor.Q5_1: q5_1, tensor.Q8_0: q8_0,
	tensor.Q2_K: q2_K, tensor.Q3_K: q3_K, tensor.Q4_K: q4_K, tensor.Q5_K: q5_K, tensor.Q6_K: q6_K,
	tensor.IQ4_NL: iq4_NL, tensor.IQ4_XS: iq4_XS, tensor.MXFP4: mxfp4,
}

// Supported says whether Decode knows a type.
func Supported(t tensor.DType) bool {
	switch t {
	case tensor.F32, tensor.F16, tensor.BF16:
		return true
	}
	return decoders[t] != nil
}

// Decode writes len(dst) elements of type t, which must be whole blocks. It
// fails on a type without a decoder and panics if src is too short.
func Decode(dst []float32, t tensor.DType, src []byte) error {
	switch t {
	case tensor.F32:
		tensor.F32FromBytes(dst, src)
		return nil
	case tensor.F16:
		tensor.F16FromBytes(dst, src)
		return nil
	case tensor.BF16:
		tensor.BF16FromBytes(dst, src)
		return nil
	}
	f := decoders[t]
	if f == nil {
		return fmt.Errorf("quant: type %v is not supported", t)
	}
	n, size, _ := t.Block()
	if len(dst)%n != 0 {
		return fmt.Errorf("quant: %d elements of %v are not whole blocks of %d", len(dst), t, n)
	}
	for i := 0; i < len(dst); i += n {
		f(dst[i:i+n:i+n], src[:size:size])
		src = src[size:]
	}
	return nil
}

func half(b []byte) float32 { return tensor.HalfToFloat(binary.LittleEndian.Uint16(b)) }

// q4_0: a scale d, 16 bytes of two 4-bit numbers; element i of the first half is
// the low half of byte i. x = d·(q − 8).
func q4_0(dst []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:18] {
		dst[i], dst[i+16] = d*float32(int(q&15)-8), d*float32(int(q>>4)-8)
	}
}

// q4_1: as q4_0 with a minimum m. x = d·q + m.
func q4_1(dst []float32, b []byte) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:20] {
		dst[i], dst[i+16] = d*float32(q&15)+m, d*float32(q>>4)+m
	}
}

// q5_0: four bytes hold the fifth bits, element i's in bit i. x = d·(q − 16).
func q5_0(dst []float32, b []byte) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:22] {
		dst[i] = d * float32(int(q&15|byte(high>>i&1)<<4)-16)
		dst[i+16] = d * float32(int(q>>4|byte(high>>(i+16)&1)<<4)-16)
	}
}

// q5_1: x = d·q + m.
func q5_1(dst []float32, b []byte) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:24] {
		dst[i] = d*float32(q&15|byte(high>>i&1)<<4) + m
		dst[i+16] = d*float32(q>>4|byte(high>>(i+16)&1)<<4) + m
	}
}

// q8_0: x = d·q, q signed.
func q8_0(dst []float32, b []byte) {
	d := half(b)
	for i := range 32 {
		dst[i] = d * float32(int8(b[2+i]))
	}
}

// q2_K: 16 groups of 16 with a 4-bit scale and a 4-bit minimum each, then 64
// bytes of 2-bit numbers: bits 2j and 2j+1 of bytes 0 to 31 are elements 32j to
// 32j+31 of the first half. x = d·scale·q − dmin·min.
func q2_K(dst []float32, b []byte) {
	scales, qs, d, dmin := b[:16], b[16:80], half(b[80:]), half(b[82:])
	for i := range 256 {
		sc := scales[i/16]
		q := qs[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3
		dst[i] = d*float32(sc&15)*float32(q) - dmin*float32(sc>>4)
	}
}

// q3_K: 32 bytes of third bits, 64 of the lower two laid out as in q2_K, 12 of
// 16 six-bit scales. x = d·(scale − 32)·(q − 4).
func q3_K(dst []float32, b []byte) {
	mask, qs, sc, d := b[:32], b[32:96], b[96:108], half(b[108:])
	for i := range 256 {
		g := i / 16
		low, high := sc[g%8]>>(g/8*4)&15, sc[8+g%4]>>(g/4*2)&3
		scale := d * float32(int(low|high<<4)-32)
		q := int(qs[i/128*32+i%32]>>(i%128/32*2)&3) | int(mask[i%32]>>(i/32)&1)<<2
		dst[i] = scale * float32(q-4)
	}
}

// scaleMin unpacks the j-th of eight 6-bit scales and minima in 12 bytes.
func scaleMin(s []byte, j int) (scale, min byte) {
	if j < 4 {
		return s[j] & 63, s[j+4] & 63
	}
	return s[j+4]&15 | s[j-4]>>6<<4, s[j+4]>>4 | s[j]>>6<<4
}

// q4_K: 8 groups of 32 with 6-bit scales and minima; 32 bytes hold two groups,
// the first in the low halves. x = d·scale·q − dmin·min.
func q4_K(dst []float32, b []byte) {
	d, dmin, qs := half(b), half(b[2:]), b[16:144]
	for i := range 256 {
		sc, m := scaleMin(b[4:16], i/32)
		q := qs[i/64*32+i%32] >> (i / 32 % 2 * 4) & 15
		dst[i] = d*float32(sc)*float32(q) - dmin*float32(m)
	}
}

// q5_K: as q4_K; bit g of 32 further bytes is the fifth bit of group g.
func q5_K(dst []float32, b []byte) {
	d, dmin, high, qs := half(b), half(b[2:]), b[16:48], b[48:176]
	for i := range 256 {
		sc, m := scaleMin(b[4:16], i/32)
		q := qs[i/64*32+i%32]>>(i/32%2*4)&15 | high[i%32]>>(i/32)&1<<4
		dst[i] = d*float32(sc)*float32(q) - dmin*float32(m)
	}
}

// q6_K: 128 bytes of the lower four bits, 64 of the upper two, 16 signed scales
// of groups of 16. x = d·scale·(q − 32).
func q6_K(dst []float32, b []byte) {
	low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for i := range 256 {
		h, j := i/128, i%128
		q := low[h*64+j%64]>>(j/64*4)&15 | high[h*32+j%32]>>(j/32*2)&3<<4
		dst[i] = d * float32(int8(scales[i/16])) * float32(int(q)-32)
	}
}

// levels4 are the sixteen values of IQ4 numbers.
var levels4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// iq4_NL: laid out as q4_0. x = d·level(q).
func iq4_NL(dst []float32, b []byte) {
	d := half(b)
	for i, q := range b[2:18] {
		dst[i], dst[i+16] = d*float32(levels4[q&15]), d*float32(levels4[q>>4])
	}
}

// iq4_XS: 8 groups of 32, each laid out as q4_0, with 6-bit scales: two upper
// bits of each in 16 bits, four lower in 4 bytes. x = d·(scale − 32)·level(q).
func iq4_XS(dst []float32, b []byte) {
	d, high, low, qs := half(b), binary.LittleEndian.Uint16(b[2:]), b[4:8], b[8:136]
	for g := range 8 {
		s := int(low[g/2]>>(g%2*4)&15) | int(high>>(2*g)&3)<<4
		scale := d * float32(s-32)
		for i, q := range qs[16*g : 16*g+16] {
			dst[32*g+i], dst[32*g+i+16] = scale*float32(levels4[q&15]), scale*float32(levels4[q>>4])
		}
	}
}

// levelsFP4 are twice the values of E2M1 numbers (OCP Microscaling Formats 1.0).
var levelsFP4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// mxfp4: a power of two as biased exponent, then 16 bytes laid out as in q4_0.
func mxfp4(dst []float32, b []byte) {
	d := float32(math.Ldexp(1, int(b[0])-128)) // half of 2^(e−127), for levelsFP4
	for i, q := range b[1:17] {
		dst[i], dst[i+16] = d*float32(levelsFP4[q&15]), d*float32(levelsFP4[q>>4])
	}
}
