package tensor

import (
	"encoding/binary"
	"math"
)

// F32Bytes encodes x.
func F32Bytes(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// F32FromBytes decodes len(dst) elements.
func F32FromBytes(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// BF16Bytes rounds x to bfloat16, ties to even; NaN stays NaN.
func BF16Bytes(x []float32) []byte {
	b := make([]byte, 0, 2*len(x))
	for _, v := range x {
		u := math.Float32bits(v)
		if v != v {
			u |= 1 << 22
		} else {
			u += 0x7fff + u>>16&1
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(u>>16))
	}
	return b
}

// BF16FromBytes decodes len(dst) elements.
func BF16FromBytes(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
	}
}

// F16Bytes rounds x to IEEE half precision, ties to even: beyond 65504 it gives
// infinities, below 2^-14 subnormals; NaN stays NaN.
func F16Bytes(x []float32) []byte {
	b := make([]byte, 0, 2*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint16(b, FloatToHalf(v))
	}
	return b
}

// F16FromBytes decodes len(dst) IEEE half-precision elements.
func F16FromBytes(dst []float32, b []byte) {
	for i := range dst {
		dst[i] = HalfToFloat(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// HalfToFloat decodes an IEEE half-precision number, subnormals included.
func HalfToFloat(h uint16) float32 {
	sign, exp, man := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
	}
	f := float32(man) * (1.0 / (1 << 24))
	if sign != 0 {
		f = -f
	}
	return f
}

// FloatToHalf rounds as [F16Bytes] does.
func FloatToHalf(v float32) uint16 {
	u := math.Float32bits(v)
	sign, a := uint16(u>>16)&0x8000, u&0x7fffffff
	switch {
	case a > 0x7f800000:
		return sign | 0x7e00
	case a >= 0x47800000: // 2^16
		return sign | 0x7c00
	case a < 0x38800000: // 2^-14: added to 0.5, the unit of the sum is that of subnormals
		return sign | uint16(math.Float32bits(math.Float32frombits(a)+0.5)-0x3f000000)
	}
	// A carry out of the mantissa raises the exponent, to infinity at the end.
	return sign | uint16((a-112<<23+0xfff+a>>13&1)>>13)
}
