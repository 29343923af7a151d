package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/handscroll/handscroll/internal/tensor"
)

// encoder writes one block of elements.
type encoder func(b []byte, x []float32)

var encoders = map[tensor.DType]encoder{
	tensor.Q4_0: putQ4_0, tensor.Q5_0: putQ5_0, tensor.Q8_0: putQ8_0,
	tensor.Q4_K: putQ4_K, tensor.Q5_K: putQ5_K, tensor.Q6_K: putQ6_K,
}

// ValueError is an element that a type cannot hold: NaN, infinite, or too large.
type ValueError struct {
	Index int
	Value float32
	Type  tensor.DType
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("quant: element %d is %g: %v cannot hold it", e.Index, e.Value, e.Type)
}

// Encode writes src, which must be whole blocks, as type t: F32, F16, BF16,
// Q8_0, Q4_0, Q5_0, Q4_K, Q5_K or Q6_K. It fails on another type and on elements
// that are no number of the type's range, and panics if dst is too short. The
// bytes follow from src alone, on every machine.
func Encode(dst []byte, t tensor.DType, src []float32) error {
	f, n, size := encoders[t], 1, 0
	limit := float32(65504) // of F16, as that is what scales are
	switch t {
	case tensor.F32:
		limit = math.MaxFloat32
	case tensor.BF16:
		limit = math.Float32frombits(0x7f7f0000)
	case tensor.F16:
	default:
		if f == nil {
			return fmt.Errorf("quant: encoding to type %v is not supported", t)
		}
		n, size, _ = t.Block()
	}
	if len(src)%n != 0 {
		return fmt.Errorf("quant: %d elements are not whole blocks of %d (%v)", len(src), n, t)
	}
	for i, v := range src {
		if !(v <= limit && v >= -limit) {
			return &ValueError{i, v, t}
		}
	}
	switch t {
	case tensor.F32:
		copy(dst[:4*len(src)], tensor.F32Bytes(src))
	case tensor.F16:
		copy(dst[:2*len(src)], tensor.F16Bytes(src))
	case tensor.BF16:
		copy(dst[:2*len(src)], tensor.BF16Bytes(src))
	default:
		for ; len(src) > 0; src, dst = src[n:], dst[size:] {
			f(dst[:size:size], src[:n:n])
		}
	}
	return nil
}

// putHalf stores v in half precision and returns what was stored.
func putHalf(b []byte, v float32) float32 {
	h := tensor.FloatToHalf(v)
	binary.LittleEndian.PutUint16(b, h)
	return tensor.HalfToFloat(h)
}

// nearest returns the whole number from 0 to top that is nearest to v.
func nearest(v float32, top int32) byte {
	return byte(max(0, min(top, int32(v+0.5))))
}

// signed is the number q of 0 to 2n−1 for which d·(q − n) is nearest to v.
func signed(v, d float32, n int32) byte {
	if d == 0 {
		return byte(n)
	}
	return nearest(v/d+float32(n), 2*n-1)
}

func putQ8_0(b []byte, x []float32) {
	top := float32(0)
	for _, v := range x {
		top = max(top, v, -v)
	}
	d := putHalf(b, top/127)
	for i, v := range x {
		b[2+i] = signed(v, d, 128) ^ 128
	}
}

func putQ4_0(b []byte, x []float32) {
	d := putHalf(b, symmetric(x, 8))
	for i := range 16 {
		b[2+i] = signed(x[i], d, 8) | signed(x[i+16], d, 8)<<4
	}
}

func putQ5_0(b []byte, x []float32) {
	d := putHalf(b, symmetric(x, 16))
	high := uint32(0)
	for i := range 16 {
		q, r := signed(x[i], d, 16), signed(x[i+16], d, 16)
		b[6+i] = q&15 | r<<4
		high |= uint32(q>>4)<<i | uint32(r>>4)<<(i+16)
	}
	binary.LittleEndian.PutUint32(b[2:], high)
}

func putQ4_K(b []byte, x []float32) {
	var q [256]byte
	groups(b, q[:], x, 15)
	qs := b[16:144]
	for i := range 128 {
		j := i/32*64 + i%32
		qs[i] = q[j] | q[j+32]<<4
	}
}

func putQ5_K(b []byte, x []float32) {
	var q [256]byte
	groups(b, q[:], x, 31)
	high, qs := b[16:48], b[48:176]
	clear(high)
	for i, v := range q {
		high[i%32] |= v >> 4 << (i / 32)
	}
	for i := range 128 {
		j := i/32*64 + i%32
		qs[i] = q[j]&15 | q[j+32]<<4
	}
}

// groups encodes the 8 groups of 32 of Q4_K and Q5_K: to b the scales and
// minima, to q the numbers from 0 to top.
func groups(b, q []byte, x []float32, top int32) {
	var scales, mins [8]float32
	for g := range scales {
		scales[g], mins[g] = affine(x[32*g:32*g+32], top)
	}
	largest, lowest := float32(0), float32(0)
	for g := range scales {
		largest, lowest = max(largest, scales[g]), max(lowest, mins[g])
	}
	d, dmin := putHalf(b, largest/63), putHalf(b[2:], lowest/63)
	for g := range scales {
		sc, m := ratio(scales[g], d), ratio(mins[g], dmin)
		putScaleMin(b[4:16], g, sc, m)
		step, low := d*float32(sc), float32(dmin*float32(m))
		for i := 32 * g; i < 32*g+32; i++ {
			if step == 0 {
				q[i] = 0
			} else {
				q[i] = nearest((x[i]+low)/step, top)
			}
		}
	}
}

// ratio is v in six-bit units of d.
func ratio(v, d float32) byte {
	if d == 0 {
		return 0
	}
	return nearest(v/d, 63)
}

// putScaleMin is the reverse of scaleMin; j counts up from 0.
func putScaleMin(s []byte, j int, scale, min byte) {
	if j < 4 {
		s[j], s[j+4] = scale, min
		return
	}
	s[j+4] = scale&15 | min<<4
	s[j-4] |= scale >> 4 << 6
	s[j] |= min >> 4 << 6
}

func putQ6_K(b []byte, x []float32) {
	low, high, scales := b[:128], b[128:192], b[192:208]
	var best [16]float32
	top := float32(0)
	for g := range best {
		best[g] = symmetric(x[16*g:16*g+16], 32)
		if max(best[g], -best[g]) > max(top, -top) {
			top = best[g]
		}
	}
	d := putHalf(b[208:], top/-128)
	var q [256]byte
	for g, s := range best {
		scales[g] = signed(s, d, 128) ^ 128
		step := d * float32(int8(scales[g]))
		for i := 16 * g; i < 16*g+16; i++ {
			q[i] = signed(x[i], step, 32)
		}
	}
	for i := range 128 {
		j := i/64*128 + i%64
		low[i] = q[j]&15 | q[j+64]<<4
	}
	for i := range 64 {
		j := i/32*128 + i%32
		high[i] = q[j]>>4 | q[j+32]>>4<<2 | q[j+64]>>4<<4 | q[j+96]>>4<<6
	}
}
