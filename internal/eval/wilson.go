package eval

import "math"

// z95 is the two-sided 95 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Wilson returns the 95 % score interval of a proportion after ok successes in
// n trials (Wilson 1927). Unlike the textbook interval it stays inside [0, 1]
// and keeps a width at 0 and at 100 %. No trials say nothing: [0, 1].
func Wilson(ok, n int) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	N := float64(n)
	p := float64(ok) / N
	d := 1 + z95*z95/N
	mid := (p + z95*z95/(2*N)) / d
	half := z95 / d * math.Sqrt(p*(1-p)/N+z95*z95/(4*N*N))
	return max(0, mid-half), min(1, mid+half)
}
