package encoder

// Glyph is a character of a picture that is known: its middle and the height of
// capitals beside it, in pixels.
type Glyph struct {
	Rune      rune
	X, Y, Cap float32
}

// evenCap is the height of capitals, in pixels, whose characters weigh 1: those of
// larger letters weigh more, as fewer have room in a picture.
const evenCap = 12

// ReaderTargets are the classes that the reader should give a picture of w × h
// pixels, seen at a level of a picture with the given characters, and the weights
// of their losses: −1 where nothing is asked.
func ReaderTargets(glyphs []Glyph, w, h, level int) (targets []int32, weights []float32) {
	gw, gh := 2*gridSize(w), gridSize(h)
	targets, weights = make([]int32, gw*gh), make([]float32, gw*gh)
	for i := range weights {
		weights[i] = 1
	}
	unit := 1 / float32(int(1)<<level)
	type cell struct{ x, y int }
	at := func(g Glyph) (cell, bool) {
		c := cell{int(g.X * unit / CellW), int(g.Y * unit / CellH)}
		return c, g.X >= 0 && g.Y >= 0 && c.x < gw && c.y < gh
	}
	around := func(c cell, rx, ry int, f func(i int)) {
		for y := max(0, c.y-ry); y <= min(gh-1, c.y+ry); y++ {
			for x := max(0, c.x-rx); x <= min(gw-1, c.x+rx); x++ {
				f(y*gw + x)
			}
		}
	}
	for _, g := range glyphs {
		c, ok := at(g)
		if !ok {
			continue
		}
		switch size := g.Cap * unit; {
		case size >= MinCap && size <= MaxCap:
			around(c, 1, 1, func(i int) { weights[i] = min(weights[i], 0.3) })
		case size >= 0.7*MinCap && size <= 1.35*MaxCap: // as one likes
			around(c, 3, 1, func(i int) { targets[i] = -1 })
		}
	}
	for _, g := range glyphs {
		size := g.Cap * unit
		c, ok := at(g)
		if !ok || size < MinCap || size > MaxCap {
			continue
		}
		i := c.y*gw + c.x
		targets[i], weights[i] = Class(g.Rune), min(max(size/evenCap, 0.75), 2.5)
	}
	return targets, weights
}

// gridSize is the size of the grid over n pixels.
func gridSize(n int) int {
	n = (n-1)/2 + 1
	return (n-1)/2 + 1
}
