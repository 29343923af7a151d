package render

import (
	"math"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/f32"

	"github.com/handscroll/handscroll/internal/media"
)

// What is put behind text or around it.
const (
	plain = iota
	boxed
	outlined
	shadowed
)

// style is how text is drawn.
type style struct {
	face    *Face
	cap     float32 // height of capitals in pixels
	spacing float32 // between letters, in cap heights
	leading float32 // from line to line, in cap heights
	centred bool
	angle   float32 // clockwise, in radians
	colour  rgb
	opacity int // of 256
	backing int
	behind  rgb // the colour of the backing
	cover   int // opacity of a box, of 256
	form    form
}

// block is text broken into lines, before it has a place.
type block struct {
	style style
	lines []string
	width []float32
	w, h  float32 // of the box around all lines
}

// wrap breaks text into lines no wider than width, at spaces, and at newlines.
func wrap(text string, st style, width float32) block {
	b := block{style: st}
	for para := range strings.SplitSeq(text, "\n") {
		line, lineW := "", float32(0)
		for word := range strings.FieldsSeq(para) {
			if st.face.noLower {
				word = strings.ToUpper(word)
			}
			w := measure(word, &st)
			joined := lineW + w + measure(" ", &st)
			switch {
			case line == "":
				line, lineW = word, w
			case joined <= width:
				line, lineW = line+" "+word, joined
			default:
				b.add(line, lineW)
				line, lineW = word, w
			}
		}
		if line != "" {
			b.add(line, lineW)
		}
	}
	if n := len(b.lines); n > 0 {
		b.h = st.cap * (st.leading*float32(n-1) + st.face.Ascent + st.face.Descent)
	}
	return b
}

func (b *block) add(line string, w float32) {
	b.lines, b.width, b.w = append(b.lines, line), append(b.width, w), max(b.w, w)
}

// measure returns the width of text set in one line.
func measure(text string, st *style) float32 {
	w := float32(0)
	for _, r := range text {
		g, _ := st.face.glyph(r)
		w += st.advance(g)
	}
	return w * st.cap
}

// advance is the width of a letter with the space beside it, in cap heights.
func (st *style) advance(g *outline) float32 { return g.advance*(1+st.form.wider) + st.spacing }

// turn is a rotation about a point.
type turn struct{ sin, cos, x, y float32 }

func newTurn(angle, x, y float32) turn {
	sin, cos := math.Sincos(float64(angle))
	return turn{float32(sin), float32(cos), x, y}
}

func (t turn) at(x, y float32) (float32, float32) {
	x, y = x-t.x, y-t.y
	return t.x + x*t.cos - y*t.sin, t.y + x*t.sin + y*t.cos
}

// frame is the box of pixels that a block at (x, y) needs with what is around it.
func (b *block) frame(x, y float32) rect {
	t := newTurn(b.style.angle, x+b.w/2, y+b.h/2)
	var corners [4]f32.Vec2
	pad := 0.35*b.style.cap + 1
	for i := range corners {
		cx, cy := x-pad+float32(i&1)*(b.w+2*pad), y-pad+float32(i>>1)*(b.h+2*pad)
		corners[i][0], corners[i][1] = t.at(cx, cy)
	}
	return bounds(corners[:], 0)
}

// draw puts a block with its top left corner at (x, y) and adds its lines to the
// scene.
func (p *Painter) draw(s *Scene, b *block, x, y float32) {
	st := &b.style
	t := newTurn(st.angle, x+b.w/2, y+b.h/2)
	if st.backing == boxed {
		p.box(s.Image, b, t, x, y, 0.3*st.cap+1, st.behind, st.cover)
	}
	base := y + st.cap*st.face.Ascent
	for i, text := range b.lines {
		lx := x
		if st.centred {
			lx += (b.w - b.width[i]) / 2
		}
		p.line(s, text, st, t, lx, base+float32(i)*st.leading*st.cap, b.width[i])
	}
}

// box paints a box around a block at (x, y), with pad pixels of room.
func (p *Painter) box(img *media.Image, b *block, t turn, x, y, pad float32, c rgb, alpha int) {
	var pts [4]f32.Vec2
	for i, v := range [4]f32.Vec2{{-pad, -pad}, {b.w + pad, -pad}, {b.w + pad, b.h + pad}, {-pad, b.h + pad}} {
		pts[i][0], pts[i][1] = t.at(x+v[0], y+v[1])
	}
	p.polygon(img, pts[:], c, alpha)
}

// line draws one line from x along the baseline y, in the frame of t.
func (p *Painter) line(s *Scene, text string, st *style, t turn, x, y, width float32) {
	top, bottom := y-st.face.Ascent*st.cap, y+st.face.Descent*st.cap
	var corners [4]f32.Vec2
	for i := range corners {
		corners[i][0], corners[i][1] = t.at(x+float32(i&1)*width, top+float32(i>>1)*(bottom-top))
	}
	margin := 0.25*st.cap + 3 // letters lean out of their boxes
	r := bounds(corners[:], margin)
	visible := p.pen.begin(s.Image, r)
	l := Line{Glyphs: make([]Glyph, 0, utf8.RuneCountInString(text))}
	for _, r := range text {
		g, shown := st.face.glyph(r)
		w := st.advance(g) * st.cap
		gx, gy := t.at(x+w/2, y-st.cap/2)
		if visible {
			size, dy := st.form.stray(len(l.Glyphs))
			p.pen.outline(g, size*st.cap, &st.form, t, x+st.spacing*st.cap/2, y+dy*st.cap)
		}
		l.Glyphs = append(l.Glyphs, Glyph{shown, gx, gy, w, st.cap})
		x += w
	}
	if visible {
		p.ink(s.Image, st)
	}
	l.Text = spell(l.Glyphs)
	inner := bounds(corners[:], 0)
	l.X0, l.Y0, l.X1, l.Y1 = float32(inner.x0), float32(inner.y0), float32(inner.x1), float32(inner.y1)
	s.Lines = append(s.Lines, l)
}

// outline adds a glyph whose origin is (x, y) in the frame of t.
func (p *pen) outline(g *outline, size float32, f *form, t turn, x, y float32) {
	ox, oy := t.at(x, y)
	ox, oy = ox-p.x0, oy-p.y0
	kc, ks := size*t.cos, size*t.sin
	z := &p.raster
	open := false
	for i := range g.segs {
		var pt [3][2]float32
		a := &g.segs[i].Args
		for j := range pt {
			ux, uy := f.at(float32(a[j].X)*g.unit, float32(a[j].Y)*g.unit)
			pt[j] = [2]float32{ox + ux*kc - uy*ks, oy + ux*ks + uy*kc}
		}
		switch g.segs[i].Op {
		case sfnt.SegmentOpMoveTo:
			if open {
				z.ClosePath()
			}
			open = true
			z.MoveTo(pt[0][0], pt[0][1])
		case sfnt.SegmentOpLineTo:
			z.LineTo(pt[0][0], pt[0][1])
		case sfnt.SegmentOpQuadTo:
			z.QuadTo(pt[0][0], pt[0][1], pt[1][0], pt[1][1])
		case sfnt.SegmentOpCubeTo:
			z.CubeTo(pt[0][0], pt[0][1], pt[1][0], pt[1][1], pt[2][0], pt[2][1])
		}
	}
	if open {
		z.ClosePath()
	}
}

// ink paints the letters of the pen, over their outline or shadow.
func (p *Painter) ink(img *media.Image, st *style) {
	m := p.pen.end()
	p.pen.reshape(&st.form, st.cap)
	switch st.backing {
	case outlined:
		wide := p.pen.dilate(1 + int(st.cap/20))
		paint(img, wide, 0, 0, st.behind, st.opacity)
	case shadowed:
		d := 1 + int(st.cap/14)
		paint(img, m, d, d, st.behind, st.opacity*3/4)
	}
	paint(img, m, 0, 0, st.colour, st.opacity)
}

// dilate returns the mask grown by n pixels on each side, within its box.
func (p *pen) dilate(n int) *mask {
	m := &p.mask
	w, h := m.x1-m.x0, m.y1-m.y0
	p.scratch = grow(p.scratch, 2*w*h)
	across, out := p.scratch[:w*h], p.scratch[w*h:]
	for y := range h {
		row, dst := m.a[y*w:(y+1)*w], across[y*w:(y+1)*w]
		for x := range dst {
			v := row[x]
			for k := max(0, x-n); k <= min(w-1, x+n); k++ {
				v = max(v, row[k])
			}
			dst[x] = v
		}
	}
	for y := range h {
		dst := out[y*w : (y+1)*w]
		clear(dst)
		for k := max(0, y-n); k <= min(h-1, y+n); k++ {
			for x, v := range across[k*w : (k+1)*w] {
				dst[x] = max(dst[x], v)
			}
		}
	}
	p.wide = mask{m.rect, out}
	return &p.wide
}

// randomStyle draws everything about text but its colours.
func (p *Painter) randomStyle(rng *rand.Rand, size float32) style {
	st := style{face: p.face(rng), cap: size, leading: between(rng, 1.55, 2.2), centred: chance(rng, 0.35), opacity: 256}
	if chance(rng, 0.25) {
		st.spacing = between(rng, -0.02, 0.2)
	}
	if chance(rng, 0.2) {
		st.angle = between(rng, -3, 3) * math.Pi / 180
	}
	if chance(rng, 0.25) {
		st.opacity = 205 + rng.IntN(51)
	}
	if p.opts.Reshape {
		st.form = randomForm(rng)
	}
	return st
}

// face draws a family, then one of its faces: some families have seventy.
func (p *Painter) face(rng *rand.Rand) *Face { return pick(rng, pick(rng, p.families)) }

// How easily text can be read over what is behind it.
const (
	faint = iota
	legible
	plainly
)

// pickColour gives a style colours that can be read over a part of a picture, with a
// backing where the picture is too restless.
func (st *style) pickColour(rng *rand.Rand, img *media.Image, r rect, ease int) {
	mean, dev := shade(img, r)
	restless := []float32{60, 48, 26}[ease]
	switch v := rng.Float32(); {
	case v < 0.25:
		st.backing, st.cover = boxed, 256
		if chance(rng, 0.5) {
			st.cover = 130 + rng.IntN(110)
		}
	case v < 0.35 || dev > restless:
		st.backing = outlined
	case v < 0.45:
		st.backing = shadowed
	}
	if st.backing == boxed {
		st.behind = boxColour(rng)
		k := float32(st.cover) / 256
		mean, dev = mean*(1-k)+st.behind.luma()*k, dev*(1-k)
	}
	need := min([]float32{28, 60, 85}[ease]+0.8*dev, max(mean, 255-mean)-8)
	for range 30 {
		st.colour = inkColour(rng)
		d := st.colour.luma() - mean
		if d < 0 {
			d = -d
		}
		if d >= need && (ease > faint || d < need+25) {
			break
		}
		st.colour = black
		if mean < 128 {
			st.colour = white
		}
	}
	if st.backing == outlined || st.backing == shadowed {
		st.behind = white
		if st.colour.luma() > 110 {
			st.behind = black
		}
	}
}

func boxColour(rng *rand.Rand) rgb {
	switch rng.IntN(4) {
	case 0:
		return black
	case 1:
		return white
	case 2:
		v := uint8(rng.IntN(60))
		return rgb{v, v, v + uint8(rng.IntN(80))}
	}
	return randomRGB(rng)
}

func inkColour(rng *rand.Rand) rgb {
	switch rng.IntN(5) {
	case 0:
		return white
	case 1:
		return black
	case 2:
		return rgb{255, 255, uint8(rng.IntN(160))}
	}
	return randomRGB(rng)
}

// shade returns the mean brightness of a part of a picture and its deviation.
func shade(img *media.Image, r rect) (mean, dev float32) {
	r = r.clip(img)
	var n, sum, sq int
	for y := r.y0; y < r.y1; y += 2 {
		row := img.Pix[3*(y*img.W+r.x0) : 3*(y*img.W+r.x1)]
		for i := 0; i+2 < len(row); i += 6 {
			v := (77*int(row[i]) + 150*int(row[i+1]) + 29*int(row[i+2])) >> 8
			n, sum, sq = n+1, sum+v, sq+v*v
		}
	}
	if n == 0 {
		return 128, 0
	}
	m := float64(sum) / float64(n)
	return float32(m), float32(math.Sqrt(max(0, float64(sq)/float64(n)-m*m)))
}
