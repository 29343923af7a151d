package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
)

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

// View returns the entries of a context's text.
func View(c *Context) kvcache.View { return c.view }

// Dump writes out all entries and texts.
func Dump(c *Context) string {
	var b strings.Builder
	for _, s := range c.pages.Segments() {
		fmt.Fprintf(&b, "%s %q %s\n", s.Source, s.Text, s.Notes)
		for _, r := range s.View() {
			fmt.Fprintln(&b, r.K, r.V, r.KScale, r.VScale, r.ID)
		}
	}
	return b.String()
}

// SensedKeys returns the keys of what was seen and heard.
func SensedKeys(c *Context) (out []float32) {
	for _, s := range c.sensed {
		for _, r := range s.View() {
			for i, k := range r.K {
				out = append(out, r.KScale[i/r.DK]*(float32(k)-128))
			}
		}
	}
	return out
}

// SaveEvery returns options by which what is perceived is saved that often.
func SaveEvery(d time.Duration) Options { return Options{save: d} }
