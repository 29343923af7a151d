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
	tensor.Q4_0: q4_0, tensor.Q8_0: q8_0,
	tensor.IQ4_NL: iq4_NL, tensor.IQ4_XS: iq4_XS, tensor.MXFP4: mxfp4,
}

// Supported says whether Decode knows a type.
func Supported(t tensor.DType) bool {
	switch t {
	case tensor.F32, tensor.F16, tensor.BF16:
		return true
	}
	return decoders[t] != nil || splitters[t].split != nil
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
	if sp := splitters[t]; sp.split != nil {
		f = sp.decode
	}
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

// q8_0: x = d·q, q signed.
func q8_0(dst []float32, b []byte) {
	d := half(b)
	for i := range 32 {
		dst[i] = d * float32(int8(b[2+i]))
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
