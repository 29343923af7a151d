package encoder

import (
	"cmp"
	"math"
	"slices"
)

// pitch is how far apart, in pixels, the characters of a line stand: scale times the
// mean of two neighbours' usual widths, and fixed besides, which is all of it in a
// typewriter's line.
type pitch struct{ scale, fixed float32 }

// usual are the widths of characters, as multiples of the common small letter's: about
// those of fonts with serifs and without.
var usual = func() (t [128]float32) {
	for i := range t {
		t[i] = 1
	}
	for chars, w := range map[string]float32{
		"ijl'|.,:;!": 0.55, "ft()[]-\"/ ": 0.65, "rs": 0.8, "cvxyzJ": 0.95, "mMW@%": 1.6, "wGOQDHNUCKRA": 1.35, "BEFLPSTVXYZ&": 1.2, "I": 0.65,
		"=+<>#$?*_": 1.05,
	} {
		for i := range len(chars) {
			t[chars[i]] = w
		}
	}
	return t
}()

// gap is how far apart the middles of two neighbours are to be.
func (p pitch) gap(a, b byte) float32 {
	return p.fixed + p.scale*(usual[a&127]+usual[b&127])/2
}

// minPitch is the number of neighbours from which a line's pitch can be told.
const minPitch = 3

// pitchOf fits the pitch of characters from left to right, and reports whether there
// are enough of them.
func pitchOf(chars []Char) (p pitch, ok bool) {
	type pair struct{ gap, width float32 }
	var pairs []pair
	for i := 1; i < len(chars); i++ {
		if a, b := &chars[i-1], &chars[i]; a.Byte != ' ' && b.Byte != ' ' {
			pairs = append(pairs, pair{b.X - a.X, (usual[a.Byte&127] + usual[b.Byte&127]) / 2})
		}
	}
	if len(pairs) < minPitch {
		return p, false
	}
	ratios := make([]float32, len(pairs))
	least := float32(math.MaxFloat32)
	for _, share := range []float32{0, 0.33, 0.67, 1} { // of what is fixed
		for i, v := range pairs {
			ratios[i] = v.gap / (share + (1-share)*v.width)
		}
		slices.Sort(ratios)
		k := ratios[len(ratios)/2]
		off := float32(0)
		for _, v := range pairs {
			off += min(abs(v.gap/k-share-(1-share)*v.width), 0.6)
		}
		if off < least {
			least, p = off, pitch{k * (1 - share), k * share}
		}
	}
	return p, true
}

const (
	// unsettled is the part of a gap that is one standard deviation off.
	unsettled = 0.24
	// mostOff bounds what a gap costs, and mostSkipped what it costs to pass over a
	// character that was seen.
	mostOff, mostSkipped = 3.0, 3.0
)

// settle chooses which of the peaks along a line are its characters, so that each is
// likely and stands where the line's pitch expects it: of one letter that was seen
// twice one is dropped, and so is a space no wider than a letter's gap; one that was
// hardly seen is taken where there is a gap. Chars are those that were seen for
// certain, faint others, both from left to right.
func settle(chars, faint []Char) []Char {
	p, ok := pitchOf(chars)
	if !ok {
		return chars
	}
	var all []Char
	if len(faint) > 0 {
		all = append(slices.Clone(chars), faint...)
		slices.SortStableFunc(all, func(a, b Char) int { return cmp.Compare(a.X, b.X) })
	} else {
		all = chars
	}
	// best[i] is the least cost of a line that ends with the i-th.
	best, from := make([]float32, len(all)), make([]int, len(all))
	skipped := float32(0) // of all before i
	passed := make([]float32, len(all))
	for i := range all {
		c := &all[i]
		passed[i] = skipped
		best[i], from[i] = skipped+mostOff*float32(i), -1
		for j := i - 1; j >= 0; j-- {
			gap := c.X - all[j].X
			want := p.gap(all[j].Byte, c.Byte)
			if j < i-1 && gap > 4*want {
				break
			}
			off := (gap - want) / want / unsettled
			cost := best[j] + skipped - passed[j] - skip(&all[j]) + min(off*off/2, mostOff)
			if cost < best[i] {
				best[i], from[i] = cost, j
			}
		}
		best[i] -= Ln(max(c.Score, 1e-3))
		skipped += skip(c)
	}
	whole := func(i int) float32 { // the cost of a line whose last is i
		return best[i] + skipped - passed[i] - skip(&all[i]) + mostOff*float32(len(all)-1-i)
	}
	end := 0
	for i := range all {
		if whole(i) < whole(end) {
			end = i
		}
	}
	var out []Char
	for i := end; i >= 0; i = from[i] {
		out = append(out, all[i])
	}
	slices.Reverse(out)
	return out
}

// skip is what it costs to pass a character over.
func skip(c *Char) float32 { return min(-Ln(max(1-c.Score, 1e-3)), mostSkipped) }
