package quant

import "math"

// The search for a group's scale: elements are rounded with several candidates
// of about the group's largest element over the largest number, each is followed
// by the scale that fits the rounded numbers best by weighted least squares,
// those are rounded with that once more, and the least error wins.
//
// Products are converted before they are added, so that no machine fuses the
// two and all find the same scale.

// candidates are how far from the largest number, in units of the scale, the
// group's largest element is put. Over it the elements are cut off, which is
// worth it where few are large.
var candidates = [...]float32{0, -2, -1.6, -1.2, -0.8, -0.4, 0.4, 0.8, 1.2}

// tiny elements cannot be told from 0 by a half-precision scale.
const tiny = 1e-12

// weigh sets w to how much errors of x count: more where elements are large, as
// they move a product most.
func weigh(w, x []float32) {
	sum := float32(0)
	for _, v := range x {
		sum += float32(v * v)
	}
	rms := float32(math.Sqrt(float64(sum / float32(len(x)))))
	for i, v := range x {
		w[i] = rms + max(v, -v)
	}
}

// symmetric returns the scale s for which s·q, q from −n to n−1, are nearest to
// x, at most 32 elements. It may be negative.
func symmetric(x []float32, n int32) (scale float32) {
	top := float32(0)
	for _, v := range x {
		if max(v, -v) > max(top, -top) {
			top = v
		}
	}
	if max(top, -top) < tiny {
		return 0
	}
	var weight [32]float32
	w := weight[:len(x)]
	weigh(w, x)
	best := 0.0
	for _, c := range candidates {
		s, gain := fitSymmetric(x, w, -(float32(n)+c)/top, n)
		for range 2 {
			if gain > best {
				scale, best = s, gain
			}
			s, gain = fitSymmetric(x, w, 1/s, n)
		}
	}
	return scale
}

// fitSymmetric rounds inv·x to q and returns the best scale for q, and by how
// much it lessens the squared error from that of a scale of 0.
func fitSymmetric(x, w []float32, inv float32, n int32) (scale float32, gain float64) {
	var sqq, sxq float32
	w = w[:len(x)]
	offset := float32(n) + 0.5 // truncation is to 0, so numbers are made positive first
	for i, v := range x {
		q := float32(max(0, min(2*n-1, int32(float32(inv*v)+offset))) - n)
		wq := float32(w[i] * q)
		sqq += float32(wq * q)
		sxq += float32(wq * v)
	}
	return sxq / sqq, float64(sxq) * float64(sxq) / float64(sqq)
}

// affine returns scale and minimum for which scale·q − min, q from 0 to n, are
// nearest to x, 32 elements; neither is negative.
func affine(x []float32, n int32) (scale, minimum float32) {
	low, high := float32(0), x[0]
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	if high-low < tiny {
		return 0, -low
	}
	var f fit
	weigh(f.w[:], x)
	for i, v := range x {
		f.sw += f.w[i]
		f.sx += float32(f.w[i] * v)
	}
	best := math.Inf(1)
	for _, c := range candidates {
		s, m, loss := f.round(x, (float32(n)+c)/(high-low), -low, n)
		for range 2 {
			if s <= 0 {
				break
			}
			if loss < best {
				scale, minimum, best = s, m, loss
			}
			s, m, loss = f.round(x, 1/s, m, n)
		}
	}
	return scale, minimum
}

// fit is what stays the same of a group's elements: their weights, the sum of
// these, and that of the weighted elements.
type fit struct {
	w      [32]float32
	sw, sx float32
}

// round rounds inv·(x + m) to q and returns the best scale and minimum for q,
// with the squared error but for a constant.
func (f *fit) round(x []float32, inv, m float32, n int32) (scale, minimum float32, loss float64) {
	var q1, q2, xq float32
	w := f.w[:len(x)]
	for i, v := range x {
		q := float32(max(0, min(n, int32(float32(inv*(v+m))+0.5))))
		wq := float32(w[i] * q)
		q1 += wq
		q2 += float32(wq * q)
		xq += float32(wq * v)
	}
	sw, sx, sq, sqq, sxq := float64(f.sw), float64(f.sx), float64(q1), float64(q2), float64(xq)
	det := float64(sw*sqq) - float64(sq*sq)
	s, b := sxq/sqq, 0.0
	if det > 1e-6*sw*sqq { // else all q are the same
		if at := (float64(sqq*sx) - float64(sq*sxq)) / det; at < 0 {
			s, b = (float64(sw*sxq)-float64(sx*sq))/det, at
		}
	}
	loss = float64(s*(float64(s*sqq)+float64(2*b*sq)-2*sxq)) + float64(b*(float64(b*sw)-2*sx))
	return float32(s), float32(-b), loss
}
