package render

import (
	"image"
	"image/draw"
	"math"
	"math/rand/v2"

	"golang.org/x/image/math/f32"
	"golang.org/x/image/vector"

	"github.com/handscroll/handscroll/internal/media"
)

// rgb is a colour.
type rgb [3]uint8

func (c rgb) luma() float32 {
	return 0.299*float32(c[0]) + 0.587*float32(c[1]) + 0.114*float32(c[2])
}

var (
	black = rgb{}
	white = rgb{255, 255, 255}
)

func randomRGB(rng *rand.Rand) rgb {
	v := rng.Uint32()
	return rgb{uint8(v), uint8(v >> 8), uint8(v >> 16)}
}

// calmRGB draws a colour as things have them: mostly dull.
func calmRGB(rng *rand.Rand) rgb {
	c := randomRGB(rng)
	if chance(rng, 0.75) {
		v := uint8(c.luma())
		mix(c[:], rgb{v, v, v}, 60+rng.IntN(196))
	}
	return c
}

// rect is a half-open box of pixels.
type rect struct{ x0, y0, x1, y1 int }

func (r rect) clip(img *media.Image) rect {
	return rect{max(r.x0, 0), max(r.y0, 0), min(r.x1, img.W), min(r.y1, img.H)}
}

func (r rect) empty() bool { return r.x0 >= r.x1 || r.y0 >= r.y1 }

func (r rect) overlaps(o rect) bool {
	return r.x0 < o.x1 && o.x0 < r.x1 && r.y0 < o.y1 && o.y0 < r.y1
}

// fill paints a box; alpha is 256 for opaque.
func fill(img *media.Image, r rect, c rgb, alpha int) {
	r = r.clip(img)
	if r.empty() {
		return
	}
	for y := r.y0; y < r.y1; y++ {
		row := img.Pix[3*(y*img.W+r.x0) : 3*(y*img.W+r.x1)]
		if alpha >= 256 {
			for i := 0; i+2 < len(row); i += 3 {
				row[i], row[i+1], row[i+2] = c[0], c[1], c[2]
			}
			continue
		}
		for i := 0; i+2 < len(row); i += 3 {
			mix(row[i:i+3:i+3], c, alpha)
		}
	}
}

// mix moves a pixel towards c by alpha/256.
func mix(p []uint8, c rgb, alpha int) {
	_ = p[2]
	p[0] += uint8((int(c[0]) - int(p[0])) * alpha >> 8)
	p[1] += uint8((int(c[1]) - int(p[1])) * alpha >> 8)
	p[2] += uint8((int(c[2]) - int(p[2])) * alpha >> 8)
}

// ellipse paints one without smoothing its edge, which textures don't need.
func ellipse(img *media.Image, x, y, rx, ry float32, c rgb, alpha int) {
	for py := max(0, int(y-ry)); py < min(img.H, int(y+ry)+1); py++ {
		d := (float32(py) + 0.5 - y) / ry
		if d = 1 - d*d; d <= 0 {
			continue
		}
		half := rx * float32(math.Sqrt(float64(d)))
		fill(img, rect{int(x - half + 0.5), py, int(x + half + 0.5), py + 1}, c, alpha)
	}
}

// mask is the coverage of a shape over a part of a picture.
type mask struct {
	rect
	a []uint8
}

// pen collects paths and turns them into masks. Its memory is reused: a mask is
// valid until the next one is begun.
type pen struct {
	raster  vector.Rasterizer
	mask    mask
	alpha   image.Alpha // over mask.a, for the rasterizer
	x0, y0  float32
	scratch []uint8
	wide    mask
}

// begin starts a shape that is within r of img.
func (p *pen) begin(img *media.Image, r rect) bool {
	r = r.clip(img)
	if r.empty() {
		return false
	}
	p.mask.rect = r
	p.x0, p.y0 = float32(r.x0), float32(r.y0)
	p.raster.Reset(r.x1-r.x0, r.y1-r.y0)
	return true
}

func (p *pen) moveTo(x, y float32) { p.raster.MoveTo(x-p.x0, y-p.y0) }
func (p *pen) lineTo(x, y float32) { p.raster.LineTo(x-p.x0, y-p.y0) }

// polygon adds a closed path.
func (p *pen) polygon(pts []f32.Vec2) {
	for i, v := range pts {
		if i == 0 {
			p.moveTo(v[0], v[1])
		} else {
			p.lineTo(v[0], v[1])
		}
	}
	p.raster.ClosePath()
}

// end returns the coverage of what was drawn since begin.
func (p *pen) end() *mask {
	w, h := p.mask.x1-p.mask.x0, p.mask.y1-p.mask.y0
	p.mask.a = grow(p.mask.a, w*h)
	p.alpha = image.Alpha{Pix: p.mask.a, Stride: w, Rect: image.Rect(0, 0, w, h)}
	p.raster.DrawOp = draw.Src
	p.raster.Draw(&p.alpha, p.alpha.Rect, image.Opaque, image.Point{})
	return &p.mask
}

// paint lays c over img where the mask is, moved by dx and dy; alpha is 256 for
// opaque.
func paint(img *media.Image, m *mask, dx, dy int, c rgb, alpha int) {
	r := rect{m.x0 + dx, m.y0 + dy, m.x1 + dx, m.y1 + dy}.clip(img)
	if r.empty() {
		return
	}
	mw := m.x1 - m.x0
	for y := r.y0; y < r.y1; y++ {
		row := img.Pix[3*(y*img.W+r.x0) : 3*(y*img.W+r.x1)]
		a := m.a[(y-dy-m.y0)*mw+r.x0-dx-m.x0:]
		a = a[:r.x1-r.x0]
		for i, v := range a {
			if v != 0 {
				// 255 · 257 = 65535: full coverage stays full.
				mix(row[3*i:3*i+3:3*i+3], c, (int(v)*257*alpha+65535)>>16)
			}
		}
	}
}

// bounds is the box of pixels around points, with a margin.
func bounds(pts []f32.Vec2, margin float32) rect {
	x0, y0 := float32(math.MaxFloat32), float32(math.MaxFloat32)
	x1, y1 := -x0, -y0
	for _, p := range pts {
		x0, x1 = min(x0, p[0]), max(x1, p[0])
		y0, y1 = min(y0, p[1]), max(y1, p[1])
	}
	floor := func(v float32) int { return int(math.Floor(float64(v))) }
	return rect{floor(x0 - margin), floor(y0 - margin), floor(x1+margin) + 1, floor(y1+margin) + 1}
}

// grow returns a slice of n elements, s's memory if it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	return s[:n]
}

// between draws a number from [lo, hi).
func between(rng *rand.Rand, lo, hi float32) float32 { return lo + (hi-lo)*rng.Float32() }

// chance is true with probability p.
func chance(rng *rand.Rand, p float32) bool { return rng.Float32() < p }

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
