package kernel

import "math"

// ScanKeys compares every key with every query:
//
//	dst[h·ld+i] = qscale[h]·kscale[i]·Σ_j q[h·dk+j]·(k[i·dk+j]−128)
//
// for queries q [heads, dk] and keys k [n, dk] in offset binary (see
// [OffsetBinary]), dk a multiple of 4 up to 1024. Each key is read once for eight
// heads. The integer sum is exact and the scales are multiplied in a fixed
// order, so every platform computes the same bits. It is fastest at dk = 64,
// and in calls of a few thousand keys, whose results stay in the cache.
//
// A query of higher precision is given as two rows, the high part and the rest
// times 256, and the two results are added.
func ScanKeys(dst []float32, ld int, q []int8, qscale []float32, k []byte, kscale []float32, heads, dk, n int) {
	if heads <= 0 || n <= 0 {
		return
	}
	if dk <= 0 || dk%4 != 0 || dk > 1024 {
		panic("kernel: ScanKeys: dk must be a multiple of 4 up to 1024")
	}
	if ld < n || len(dst) < (heads-1)*ld+n || len(q) < heads*dk || len(qscale) < heads ||
		len(k) < n*dk || len(kscale) < n {
		panic("kernel: ScanKeys: slice too short for its shape")
	}
	scanKeys(dst, ld, q, qscale, k, kscale, heads, dk, n)
}

// Select writes the positions i with x[i] ≥ min to idx, in rising order, until
// idx is full, and returns how many there are in it.
func Select(idx []int32, x []float32, min float32) int {
	return selectAbove(idx, x, min)
}

// TopK fills idx with the positions of the len(idx) largest elements of x,
// largest first, the lower position first among equals. NaN ranks below −Inf.
// It panics if x has fewer elements.
func TopK(idx []int32, x []float32) {
	k := len(idx)
	need(k, len(x))
	if k == 0 {
		return
	}
	for i := range idx {
		idx[i] = int32(i)
	}
	for i := k/2 - 1; i >= 0; i-- {
		sink(idx, x, i)
	}
	for i := k; i < len(x); i++ {
		least := x[idx[0]]
		if least != least {
			if x[i] != x[i] {
				continue
			}
		} else if i += above(x[i:], least); i == len(x) {
			break
		}
		idx[0] = int32(i)
		sink(idx, x, 0)
	}
	for end := k - 1; end > 0; end-- {
		idx[0], idx[end] = idx[end], idx[0]
		sink(idx[:end], x, 0)
	}
}

// sink restores the heap below position i of idx, whose root is the element
// that TopK would give up first.
func sink(idx []int32, x []float32, i int) {
	for {
		c := 2*i + 1
		if c >= len(idx) {
			return
		}
		if c+1 < len(idx) && ranksBelow(x, idx[c+1], idx[c]) {
			c++
		}
		if !ranksBelow(x, idx[c], idx[i]) {
			return
		}
		idx[i], idx[c] = idx[c], idx[i]
		i = c
	}
}

// ranksBelow says whether TopK puts position i after position j.
func ranksBelow(x []float32, i, j int32) bool {
	a, b := x[i], x[j]
	switch {
	case a < b:
		return true
	case a > b:
		return false
	case math.IsNaN(float64(a)) != math.IsNaN(float64(b)):
		return math.IsNaN(float64(a))
	}
	return i > j
}
