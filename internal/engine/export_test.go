package engine

// Distance counts the key and value components in which two contexts of one
// length differ, and returns the greatest difference.
func Distance(a, b *Context) (n, worst int) {
	for p := range a.Tokens() {
		ra, i := a.view.At(p)
		rb, j := b.view.At(p)
		for k := range ra.DK {
			d := int(ra.K[i*ra.DK+k]) - int(rb.K[j*rb.DK+k])
			if d != 0 {
				n++
				worst = max(worst, d, -d)
			}
		}
		for k := range ra.DV {
			d := int(ra.V[i*ra.DV+k]) - int(rb.V[j*rb.DV+k])
			if d != 0 {
				n++
				worst = max(worst, d, -d)
			}
		}
	}
	return n, worst
}
