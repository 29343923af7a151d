package encoder

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// glance tells after the reader's first blocks where in a picture there may be text:
// the rest is computed there alone, and most of a film has none. It is trained beside
// the reader and changes nothing in it.
type glance struct {
	weight *nn.Param // [C]
	bias   *nn.Param // [1]
}

func newGlance(ps *nn.Params, channels int) *glance {
	return &glance{
		weight: ps.Add("eyes.glance.weight", nn.ClassVector, nn.Const(0), channels),
		bias:   ps.Add("eyes.glance.bias", nn.ClassVector, nn.Const(0), 1),
	}
}

const (
	// glanceReach is how far around a character, in cells, a glance is to see it.
	glanceReach = 3
	// glanced is the logit from which a cell is looked at: a character in a thousand
	// is below it (docs/lab.md).
	glanced = -4
	// glanceTile is the side of the squares, in cells, that are looked at as a whole.
	glanceTile = 8
)

// logit is that of there being text near a cell; inv is one over the root mean square
// of x [C].
func (l *glance) logit(w, x []float32) (v, inv float32) {
	inv = 1 / float32(math.Sqrt(float64(kernel.Dot(x, x)/float32(len(x))+1e-6)))
	return inv*kernel.Dot(x, l.weight.Of(w)) + l.bias.Of(w)[0], inv
}

// backward adds to the glance's own gradient, given x [cells, C] before the first of
// the other blocks and the classes that are there [H, 2·W]; it returns the mean
// cross-entropy of cells, which scale weighs.
func (l *glance) backward(w, g, x []float32, targets []int32, grid nn.Grid, scale float32) (loss float64) {
	near := make([]bool, grid.Cells())
	for i, t := range targets {
		if t > 0 {
			cy, cx := i/(2*grid.W), i%(2*grid.W)/2
			for y := max(0, cy-glanceReach); y <= min(grid.H-1, cy+glanceReach); y++ {
				for x := max(0, cx-glanceReach); x <= min(grid.W-1, cx+glanceReach); x++ {
					near[y*grid.W+x] = true
				}
			}
		}
	}
	c := l.weight.Len
	dw, db := l.weight.Of(g), l.bias.Of(g)
	scale /= float32(len(near))
	for i, there := range near {
		row := x[i*c : (i+1)*c]
		v, inv := l.logit(w, row)
		d := 1 / (1 + float32(math.Exp(-float64(v))))
		if there {
			d--
			v = -v
		}
		loss += math.Log1p(math.Exp(float64(v)))
		kernel.Axpy(dw, d*scale*inv, row)
		db[0] += d * scale
	}
	return loss / float64(len(near))
}

// view is a box of cells.
type view struct{ x0, y0, x1, y1 int }

func (v view) grown(by int, g nn.Grid) view {
	return view{max(0, v.x0-by), max(0, v.y0-by), min(g.W, v.x1+by), min(g.H, v.y1+by)}
}

func (v view) cells() int { return (v.x1 - v.x0) * (v.y1 - v.y0) }

func (v view) overlaps(o view) bool {
	return v.x0 < o.x1 && o.x0 < v.x1 && v.y0 < o.y1 && o.y0 < v.y1
}

func (v view) with(o view) view {
	return view{min(v.x0, o.x0), min(v.y0, o.y0), max(v.x1, o.x1), max(v.y1, o.y1)}
}

// views are the boxes of cells x [cells, C] where there may be text; with halo more
// cells around, no two of them overlap.
func (l *glance) views(w, x []float32, g nn.Grid, halo int) []view {
	c := l.weight.Len
	var out []view
	for ty := 0; ty < g.H; ty += glanceTile {
		for tx := 0; tx < g.W; tx += glanceTile {
			tile := view{tx, ty, min(tx+glanceTile, g.W), min(ty+glanceTile, g.H)}
			if l.any(w, x, c, g, tile) {
				out = append(out, tile)
			}
		}
	}
	// Boxes that overlap become one, until none do.
	for i := 0; i < len(out); {
		v, merged := out[i].grown(halo, g), false
		for j := range out {
			if j != i && v.overlaps(out[j].grown(halo, g)) {
				out[i] = out[i].with(out[j])
				out = append(out[:j], out[j+1:]...)
				merged = true
				break
			}
		}
		if merged {
			i = 0
		} else {
			i++
		}
	}
	return out
}

// any reports whether there may be text in a tile.
func (l *glance) any(w, x []float32, c int, g nn.Grid, t view) bool {
	for cy := t.y0; cy < t.y1; cy++ {
		for cx := t.x0; cx < t.x1; cx++ {
			i := cy*g.W + cx
			if v, _ := l.logit(w, x[i*c:(i+1)*c]); v > glanced {
				return true
			}
		}
	}
	return false
}
