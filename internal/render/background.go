package render

import (
	"math"
	"math/rand/v2"

	"golang.org/x/image/math/f32"

	"github.com/handscroll/handscroll/internal/media"
)

// Background draws a picture without text or objects.
func (p *Painter) Background(rng *rand.Rand, w, h int) *media.Image {
	img := media.NewImage(w, h)
	p.background(rng, img)
	return img
}

func (p *Painter) background(rng *rand.Rand, img *media.Image) {
	if len(p.opts.Frames) > 0 && chance(rng, 0.45) {
		p.crop(rng, img, pick(rng, p.opts.Frames))
		return
	}
	all := rect{0, 0, img.W, img.H}
	switch rng.IntN(12) {
	case 0:
		fill(img, all, randomRGB(rng), 256)
	case 1:
		fill(img, all, pick(rng, []rgb{white, black, {240, 240, 236}, {20, 24, 40}, {0, 160, 60}, {20, 60, 160}}), 256)
	case 2, 3:
		gradient(rng, img)
	case 4:
		stripes(rng, img)
	case 5:
		checks(rng, img)
	case 6, 7:
		p.photo(rng, img)
	case 8:
		p.clouds(rng, img)
	case 9:
		p.foliage(rng, img)
	case 10:
		p.clouds(rng, img)
		p.shapes(rng, img, 1+rng.IntN(10))
	default:
		fill(img, all, calmRGB(rng), 256)
		p.shapes(rng, img, 3+rng.IntN(22))
		if chance(rng, 0.5) {
			p.blur(img, 1+rng.IntN(6))
		}
	}
}

// crop takes a part of a real frame, mirrored half of the time.
func (p *Painter) crop(rng *rand.Rand, img, frame *media.Image) {
	// Between the resolution of the frame and twice as much of it.
	k := min(between(rng, 0.7, 2), float32(frame.W)/float32(img.W), float32(frame.H)/float32(img.H))
	w, h := k*float32(img.W), k*float32(img.H)
	x, y := (float32(frame.W)-w)*rng.Float32(), (float32(frame.H)-h)*rng.Float32()
	p.resample(img, frame, x, y, x+w, y+h)
	if chance(rng, 0.5) {
		mirror(img)
	}
	if chance(rng, 0.5) {
		curve(img, 1, between(rng, 0.5, 1.1), between(rng, -10, 30))
	}
}

func mirror(img *media.Image) {
	for y := range img.H {
		row := img.Pix[3*y*img.W : 3*(y+1)*img.W]
		for a, b := 0, len(row)-3; a < b; a, b = a+3, b-3 {
			for c := range 3 {
				row[a+c], row[b+c] = row[b+c], row[a+c]
			}
		}
	}
}

func gradient(rng *rand.Rand, img *media.Image) {
	a, b := calmRGB(rng), calmRGB(rng)
	lut := ramp(nil, a, b)
	w, h := float32(img.W), float32(img.H)
	if chance(rng, 0.3) {
		cx, cy := w*rng.Float32(), h*rng.Float32()
		k := 255 / (w*w + h*h)
		each(img, func(x, y float32) rgb {
			x, y = x-cx, y-cy
			return lut[int((x*x+y*y)*k)]
		})
		return
	}
	sin, cos := math.Sincos(rng.Float64() * 2 * math.Pi)
	kx, ky := float32(cos)/w, float32(sin)/h
	lo := min(kx*w, 0) + min(ky*h, 0)
	k := 255 / (max(kx*w, 0) + max(ky*h, 0) - lo + 1e-6)
	each(img, func(x, y float32) rgb { return lut[int((kx*x+ky*y-lo)*k)] })
}

// each sets every pixel by its place.
func each(img *media.Image, at func(x, y float32) rgb) {
	i := 0
	for y := range img.H {
		for x := range img.W {
			c := at(float32(x), float32(y))
			img.Pix[i], img.Pix[i+1], img.Pix[i+2] = c[0], c[1], c[2]
			i += 3
		}
	}
}

// ramp appends the 256 colours from a to b.
func ramp(dst []rgb, a, b rgb) []rgb {
	for i := range 256 {
		c := a
		mix(c[:], b, i)
		dst = append(dst, c)
	}
	return dst
}

func stripes(rng *rand.Rand, img *media.Image) {
	a, b := randomRGB(rng), randomRGB(rng)
	sin, cos := math.Sincos(float64(rng.IntN(8)) * math.Pi / 8)
	k := 512 / between(rng, 5, 60)
	kx, ky := float32(cos)*k, float32(sin)*k
	soft := chance(rng, 0.3)
	lut := ramp(nil, a, b)
	each(img, func(x, y float32) rgb {
		v := int(kx*x+ky*y) & 511
		if v > 255 {
			v = 511 - v
		}
		if !soft {
			v = v >> 7 * 255
		}
		return lut[v]
	})
}

func checks(rng *rand.Rand, img *media.Image) {
	a, b := randomRGB(rng), randomRGB(rng)
	k := 1 / between(rng, 4, 40)
	dx, dy := rng.Float32(), rng.Float32()
	each(img, func(x, y float32) rgb {
		if (int(x*k+dx)+int(y*k+dy))&1 == 0 {
			return a
		}
		return b
	})
}

// palette is a way through three or four colours by brightness.
func palette(rng *rand.Rand) []rgb {
	a, b := calmRGB(rng), calmRGB(rng)
	if a.luma() > b.luma() {
		a, b = b, a
	}
	lo, hi := a, b
	mix(lo[:], black, rng.IntN(200))
	mix(hi[:], white, rng.IntN(200))
	// Most values of a field are near its middle.
	var lut []rgb
	for i, c := range [][2]rgb{{lo, a}, {a, b}, {b, hi}} {
		r := ramp(nil, c[0], c[1])
		step := []int{4, 2, 4}[i]
		for j := 0; j < 256; j += step {
			lut = append(lut, r[j])
		}
	}
	return lut
}

// clouds is noise with the spectrum of photographs through a palette.
func (p *Painter) clouds(rng *rand.Rand, img *media.Image) {
	lut := palette(rng)
	f := p.noise.fractal(rng, img.W, img.H, 3+rng.IntN(4), between(rng, 0.35, 0.75))
	for i, v := range f {
		c := lut[v]
		img.Pix[3*i], img.Pix[3*i+1], img.Pix[3*i+2] = c[0], c[1], c[2]
	}
}

// photo is regions of different textures with soft or hard borders, as a scene
// has before one knows what is on it.
func (p *Painter) photo(rng *rand.Rand, img *media.Image) {
	p.clouds(rng, img)
	for range 1 + rng.IntN(2) {
		lut := palette(rng)
		f := p.noise.fractal(rng, img.W, img.H, 6, between(rng, 0.4, 0.65))
		level, sharp := int(between(rng, 90, 165)), 2+rng.IntN(30)
		rough := rng.IntN(4)
		for i, v := range f {
			a := max(0, min(256, (int(v)-level)*sharp))
			if a == 0 {
				continue
			}
			// The texture of the region is the same field, stretched.
			mix(img.Pix[3*i:3*i+3:3*i+3], lut[int(v)*(1+rough)&255], a)
		}
	}
	if chance(rng, 0.4) {
		p.shapes(rng, img, 1+rng.IntN(6))
	}
	if chance(rng, 0.4) {
		p.soften(img, 2+rng.IntN(3))
	}
}

// foliage is hundreds of leaves in shades of one colour.
func (p *Painter) foliage(rng *rand.Rand, img *media.Image) {
	base := rgb{uint8(20 + rng.IntN(90)), uint8(50 + rng.IntN(120)), uint8(10 + rng.IntN(70))}
	if chance(rng, 0.3) {
		base = randomRGB(rng)
	}
	dark := base
	mix(dark[:], black, 150)
	fill(img, rect{0, 0, img.W, img.H}, dark, 256)
	size := between(rng, 2, 9)
	n := int(float32(img.W*img.H) / (size * size))
	for range n {
		c := base
		if chance(rng, 0.5) {
			mix(c[:], black, rng.IntN(170))
		} else {
			mix(c[:], rgb{255, 255, 180}, rng.IntN(130))
		}
		ellipse(img, float32(img.W)*rng.Float32(), float32(img.H)*rng.Float32(), size*between(rng, 0.3, 1.2), size*between(rng, 0.3, 1.2), c, 256)
	}
}

// shapes scatters boxes, ellipses, triangles and beams.
func (p *Painter) shapes(rng *rand.Rand, img *media.Image, n int) {
	w, h := float32(img.W), float32(img.H)
	for range n {
		x, y := between(rng, -20, w), between(rng, -20, h)
		sx, sy := between(rng, 4, 0.5*h+20), between(rng, 4, 0.5*h+20)
		c, alpha := calmRGB(rng), 256
		if chance(rng, 0.3) {
			alpha = 60 + rng.IntN(160)
		}
		switch rng.IntN(4) {
		case 0:
			fill(img, rect{int(x), int(y), int(x + sx), int(y + sy)}, c, alpha)
		case 1:
			ellipse(img, x, y, sx/2, sy/2, c, alpha)
		case 2:
			p.polygon(img, []f32.Vec2{{x, y}, {x + between(rng, -sx, sx), y + sy}, {x + sx, y + between(rng, -sy, sy)}}, c, alpha)
		default:
			p.stroke(img, x, y, x+between(rng, -w, w)/2, y+between(rng, -h, h), between(rng, 0.7, 4), c, alpha)
		}
	}
}

// polygon paints a shape with smooth edges.
func (p *Painter) polygon(img *media.Image, pts []f32.Vec2, c rgb, alpha int) {
	if p.pen.begin(img, bounds(pts, 1)) {
		p.pen.polygon(pts)
		paint(img, p.pen.end(), 0, 0, c, alpha)
	}
}

// stroke paints a straight line of some width.
func (p *Painter) stroke(img *media.Image, x0, y0, x1, y1, width float32, c rgb, alpha int) {
	q := beam(x0, y0, x1, y1, width)
	p.polygon(img, q[:], c, alpha)
}

// beam is the outline of a line of some width.
func beam(x0, y0, x1, y1, width float32) [4]f32.Vec2 {
	dx, dy := x1-x0, y1-y0
	n := float32(math.Hypot(float64(dx), float64(dy))) + 1e-6
	ox, oy := -dy/n*width/2, dx/n*width/2
	return [4]f32.Vec2{{x0 + ox, y0 + oy}, {x1 + ox, y1 + oy}, {x1 - ox, y1 - oy}, {x0 - ox, y0 - oy}}
}

// clutter draws what a reader may take for text: rows of short strokes, grids of
// windows, bars.
func (p *Painter) clutter(rng *rand.Rand, img *media.Image) {
	for range 1 + rng.IntN(4) {
		switch rng.IntN(4) {
		case 0, 1:
			p.scribble(rng, img)
		case 2:
			windows(rng, img)
		default:
			bars(rng, img)
		}
	}
}

// scribble draws rows of signs that are no letters: two to four strokes each.
func (p *Painter) scribble(rng *rand.Rand, img *media.Image) {
	size := between(rng, 6, 24)
	x0, y := between(rng, -10, float32(img.W)*0.7), between(rng, 0, float32(img.H))
	c := randomRGB(rng)
	for range 1 + rng.IntN(4) {
		// One path a row, signs as paths of it.
		end := min(float32(img.W)+size, x0+size*float32(3+rng.IntN(20)))
		if !p.pen.begin(img, rect{int(x0 - size), int(y - size/2), int(end + size), int(y+1.6*size) + 1}) {
			break
		}
		width := size * between(rng, 0.08, 0.2)
		for x := x0; x < end; x += size * between(rng, 0.6, 1.1) {
			if chance(rng, 0.15) {
				continue
			}
			ax, ay := x+size*0.6*rng.Float32(), y+size*rng.Float32()
			for range 2 + rng.IntN(3) {
				bx, by := x+size*0.6*rng.Float32(), y+size*rng.Float32()
				q := beam(ax, ay, bx, by, width)
				p.pen.polygon(q[:])
				if chance(rng, 0.7) {
					ax, ay = bx, by
				}
			}
		}
		paint(img, p.pen.end(), 0, 0, c, 256)
		y += size * between(rng, 1.4, 2.2)
	}
}

// windows draws a grid of upright boxes, some of them lit.
func windows(rng *rand.Rand, img *media.Image) {
	w, h := 3+rng.IntN(9), 4+rng.IntN(14)
	gx, gy := w+2+rng.IntN(8), h+2+rng.IntN(9)
	x0, y0 := rng.IntN(img.W), rng.IntN(img.H)
	cols, rows := 2+rng.IntN(14), 1+rng.IntN(6)
	a, b := randomRGB(rng), randomRGB(rng)
	fill(img, rect{x0 - 3, y0 - 3, x0 + cols*gx, y0 + rows*gy}, randomRGB(rng), 256)
	for r := range rows {
		for c := range cols {
			lit := a
			if chance(rng, 0.3) {
				lit = b
			}
			fill(img, rect{x0 + c*gx, y0 + r*gy, x0 + c*gx + w, y0 + r*gy + h}, lit, 256)
		}
	}
}

// bars draws upright bars of uneven width, like a fence or a code.
func bars(rng *rand.Rand, img *media.Image) {
	x, y, h := rng.IntN(img.W), rng.IntN(img.H)-10, 6+rng.IntN(40)
	c := randomRGB(rng)
	for range 5 + rng.IntN(30) {
		w := 1 + rng.IntN(4)
		fill(img, rect{x, y, x + w, y + h}, c, 256)
		x += w + 1 + rng.IntN(5)
	}
}
