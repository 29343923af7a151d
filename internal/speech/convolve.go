package speech

import (
	"math"
	"math/bits"
)

// convolve returns a ∗ b, len(a) + len(b) − 1 samples, by the FFT.
func convolve(a, b []float32) []float32 {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	n := 1 << bits.Len(uint(len(a)+len(b)-2))
	// Both are real: one transform does a as the real and b as the imaginary part.
	z := make([]complex128, n)
	for i, v := range a {
		z[i] = complex(float64(v), 0)
	}
	for i, v := range b {
		z[i] += complex(0, float64(v))
	}
	fft(z)
	product := make([]complex128, n)
	for i := range z {
		p, q := z[i], z[(n-i)%n]
		conj := complex(real(q), -imag(q))
		x, y := (p+conj)/2, (p-conj)/complex(0, 2)
		// Conjugated, so that the forward transform is the inverse.
		v := x * y
		product[i] = complex(real(v), -imag(v))
	}
	fft(product)
	out := make([]float32, len(a)+len(b)-1)
	for i := range out {
		out[i] = float32(real(product[i]) / float64(n))
	}
	return out
}

// fft transforms in place; the length is a power of two.
func fft(z []complex128) {
	n := len(z)
	shift := 64 - uint(bits.Len(uint(n-1)))
	if n == 1 {
		return
	}
	for i := range z {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			z[i], z[j] = z[j], z[i]
		}
	}
	roots := make([]complex128, n/2)
	for i := range roots {
		sin, cos := math.Sincos(-2 * math.Pi * float64(i) / float64(n))
		roots[i] = complex(cos, sin)
	}
	for size := 2; size <= n; size *= 2 {
		half, stride := size/2, n/size
		for from := 0; from < n; from += size {
			lo, hi := z[from:from+half], z[from+half:from+size]
			for k := range lo {
				t := roots[k*stride] * hi[k]
				lo[k], hi[k] = lo[k]+t, lo[k]-t
			}
		}
	}
}
