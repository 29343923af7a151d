package render

import (
	"math"
	"math/rand/v2"
)

// form is how the letters of a style differ from those of its font, so that a reader
// is shown more shapes than there are fonts. The zero form is the font's own.
type form struct {
	wider  float32 // of all widths, 0.1 for a tenth more
	slant  float32 // to the right for each unit upwards
	weight float32 // added to strokes on each side, in cap heights; less than 0 thins them
	waves  [2]wave // that letters bend along, sideways and upwards
	uneven float32 // how far letters stand off the line and differ in size, in cap heights
	seed   uint64  // of that
	grain  float32 // side of the squares that letters are made of, in cap heights
}

// wave bends what it moves by up to size.
type wave struct{ size, x, y, phase float32 }

func randomWave(rng *rand.Rand) wave {
	return wave{between(rng, 0.01, 0.06), between(rng, -4, 4), between(rng, -4, 4), between(rng, 0, 2*math.Pi)}
}

func (w wave) at(x, y float32) float32 {
	if w.size == 0 {
		return 0
	}
	return w.size * float32(math.Sin(float64(w.x*x+w.y*y+w.phase)))
}

// randomForm draws a form; one in three is the font's own.
func randomForm(rng *rand.Rand) (f form) {
	if chance(rng, 0.33) {
		return f
	}
	if chance(rng, 0.5) {
		f.wider = between(rng, -0.2, 0.3)
	}
	if chance(rng, 0.3) {
		f.slant = between(rng, -0.12, 0.3)
	}
	if chance(rng, 0.5) {
		f.weight = between(rng, -0.025, 0.045)
	}
	if chance(rng, 0.45) {
		f.waves = [2]wave{randomWave(rng), randomWave(rng)}
	}
	if chance(rng, 0.12) {
		f.uneven, f.seed = between(rng, 0.02, 0.08), rng.Uint64()
	}
	if chance(rng, 0.06) {
		f.grain = between(rng, 0.1, 0.16)
	}
	return f
}

// at moves a point of a letter, in cap heights from its origin, y downwards.
func (f *form) at(x, y float32) (float32, float32) {
	x = x*(1+f.wider) - f.slant*(y+0.5) // leaning about the middle of the capitals
	return x + f.waves[0].at(x, y), y + f.waves[1].at(x, y)
}

// stray says how much larger than others the i-th letter of a line is, and how far
// below the line, in cap heights.
func (f *form) stray(i int) (size, y float32) {
	if f.uneven == 0 {
		return 1, 0
	}
	rng := rand.New(rand.NewPCG(f.seed, uint64(i)))
	return 1 + f.uneven*between(rng, -1, 1), f.uneven * between(rng, -1, 1)
}

// reshape changes the mask of letters whose capitals are size high as the form says.
func (p *pen) reshape(f *form, size float32) {
	for px := f.weight * size; px != 0; {
		step := min(max(px, -1), 1)
		p.reweigh(int(256 * step))
		px -= step
	}
	if side := int(f.grain*size + 0.5); side > 1 {
		p.coarsen(side)
	}
}

// reweigh moves each value of the mask towards the highest of the 3 × 3 around it by
// share/256, or the lowest if share is less than 0.
func (p *pen) reweigh(share int) {
	m := &p.mask
	w, h := m.x1-m.x0, m.y1-m.y0
	p.scratch = grow(p.scratch, 2*w*h)
	across, out := p.scratch[:w*h], p.scratch[w*h:]
	far := func(a, b uint8) uint8 { return max(a, b) }
	if share < 0 {
		far, share = func(a, b uint8) uint8 { return min(a, b) }, -share
	}
	for y := range h {
		row, dst := m.a[y*w:(y+1)*w], across[y*w:(y+1)*w]
		for x, v := range row {
			dst[x] = far(far(row[max(0, x-1)], v), row[min(w-1, x+1)])
		}
	}
	for y := range h {
		above, at, below := across[max(0, y-1)*w:], across[y*w:], across[min(h-1, y+1)*w:]
		for x := range w {
			v := int(m.a[y*w+x])
			out[y*w+x] = uint8(v + (int(far(far(above[x], at[x]), below[x]))-v)*share/256)
		}
	}
	copy(m.a, out)
}

// coarsen makes letters of squares, as the screens of old had them: those at least
// half covered.
func (p *pen) coarsen(side int) {
	m := &p.mask
	w, h := m.x1-m.x0, m.y1-m.y0
	for y := 0; y < h; y += side {
		for x := 0; x < w; x += side {
			sum, n := 0, 0
			for j := y; j < min(h, y+side); j++ {
				for _, v := range m.a[j*w+x : j*w+min(w, x+side)] {
					sum, n = sum+int(v), n+1
				}
			}
			v := uint8(0)
			if 2*sum >= 255*n {
				v = 255
			}
			for j := y; j < min(h, y+side); j++ {
				row := m.a[j*w+x : j*w+min(w, x+side)]
				for i := range row {
					row[i] = v
				}
			}
		}
	}
}
