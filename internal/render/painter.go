package render

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/media"
)

// Options say what a painter paints with. The zero value will do.
type Options struct {
	Faces  []*Face        // nil are the training faces among the Go fonts
	Words  []string       // of a corpus, beside the package's own
	Frames []*media.Image // real pictures, parts of which become backgrounds
	// MinCap and MaxCap bound the height of capitals, in pixels of the picture; 0
	// are 7 and 60.
	MinCap, MaxCap float32
	// HeldOut has invented words be those that training never shows; see
	// [PseudoWord].
	HeldOut bool
	// Reshape gives letters other forms than their fonts have: bent, slanted, thicker.
	Reshape bool
}

// Painter draws scenes.
type Painter struct {
	opts     Options
	families [][]*Face
	pen      pen
	noise    noise
	half     [2]media.Image
	tmp      []uint8
	sums     []int32
	boxes    []rect
	jpeg     jpegBuffer
}

// NewPainter returns a painter with memory of its own.
func NewPainter(opts Options) (*Painter, error) {
	if opts.MinCap == 0 {
		opts.MinCap = 7
	}
	if opts.MaxCap == 0 {
		opts.MaxCap = 60
	}
	if opts.Faces == nil {
		fonts, err := LoadFonts()
		if err != nil {
			return nil, err
		}
		opts.Faces = fonts.Train()
	}
	p := &Painter{opts: opts}
	at := map[string]int{}
	for _, f := range opts.Faces {
		i, ok := at[f.Family]
		if !ok {
			i = len(p.families)
			at[f.Family] = i
			p.families = append(p.families, nil)
		}
		p.families[i] = append(p.families[i], f)
	}
	return p, nil
}

// capHeight draws a height of capitals: as many between 7 and 14 as between 14
// and 28.
func (p *Painter) capHeight(rng *rand.Rand, most float32) float32 {
	lo := p.opts.MinCap
	hi := max(lo, min(p.opts.MaxCap, most))
	return lo * float32(math.Pow(float64(hi/lo), rng.Float64()))
}

// Text draws a crop of w by h pixels that is full of text of all kinds, for
// training a reader. Some have no text, only what may be taken for it.
func (p *Painter) Text(rng *rand.Rand, w, h int) *Scene {
	// Film is seen at another resolution than it was made at.
	scale := float32(1)
	if chance(rng, 0.35) {
		scale = between(rng, 0.75, 1.7)
	}
	rw, rh := int(float32(w)*scale+0.5), int(float32(h)*scale+0.5)
	var s *Scene
	if chance(rng, 0.2) {
		s = p.part(rng, rw, rh)
	} else {
		s = &Scene{Image: media.NewImage(rw, rh)}
		p.background(rng, s.Image)
		p.fill(rng, s, scale)
	}
	if chance(rng, 0.15) {
		p.over(rng, s, scale)
	}
	if rw != w || rh != h {
		out := media.NewImage(w, h)
		p.resample(out, s.Image, 0, 0, float32(rw), float32(rh))
		s.scale(float32(w)/float32(rw), float32(h)/float32(rh))
		s.Image = out
	}
	p.wear(rng, s.Image)
	s.clip()
	return s
}

// fill puts text on a crop, or what may be taken for it, or both.
func (p *Painter) fill(rng *rand.Rand, s *Scene, scale float32) {
	switch v := rng.Float32(); {
	case v < 0.06:
		p.clutter(rng, s.Image)
	case v < 0.3:
		p.page(rng, s, scale)
	case v < 0.4:
		p.clutter(rng, s.Image)
		p.scatter(rng, s, scale)
	default:
		p.scatter(rng, s, scale)
	}
}

// part is a piece of a designed frame.
func (p *Painter) part(rng *rand.Rand, w, h int) *Scene {
	k := between(rng, 1, 1.5)
	fw, fh := int(float32(w)*k), int(float32(max(h, w*9/16))*k)
	frame := &Scene{Image: media.NewImage(fw, fh)}
	p.background(rng, frame.Image)
	p.NewDesign(rng, fw, fh, 1).Draw(p, rng, frame, 0)
	return frame.crop(rng.IntN(fw-w+1), rng.IntN(fh-h+1), w, h)
}

// scatter puts blocks of text wherever there is room.
func (p *Painter) scatter(rng *rand.Rand, s *Scene, scale float32) {
	w, h := float32(s.Image.W), float32(s.Image.H)
	p.boxes = p.boxes[:0]
	cut := chance(rng, 0.15) // text may stick out of the crop
	most := h / scale / 2
	if chance(rng, 0.65) {
		most = p.capHeight(rng, most) * 1.5
	}
	for misses, want := 0, 1+rng.IntN(24); misses < 28 && len(p.boxes) < want; {
		st := p.randomStyle(rng, scale*p.capHeight(rng, min(most, h/scale/2)))
		text := p.phrase(rng)
		if words := strings.Fields(text); st.cap > h/6 { // large texts are short
			text = strings.Join(words[:1+rng.IntN(min(2, len(words)))], " ")
		}
		b := wrap(text, st, w*between(rng, 0.4, 0.97))
		x, y := (w-b.w-6)*rng.Float32()+3, (h-b.h-4)*rng.Float32()+2
		if cut {
			x, y = between(rng, -b.w/2, w-b.w/2), between(rng, -b.h/3, h-b.h*2/3)
		}
		r := b.frame(x, y)
		if !cut && (b.w > w-4 || b.h > h-2) || p.taken(r) {
			misses++
			continue
		}
		p.boxes = append(p.boxes, r)
		b.style.pickColour(rng, s.Image, r, ease(rng))
		p.draw(s, &b, x, y)
	}
}

// over puts a text over a crop, whatever is there, and takes from its lines the
// characters that are covered.
func (p *Painter) over(rng *rand.Rand, s *Scene, scale float32) {
	w, h := float32(s.Image.W), float32(s.Image.H)
	st := p.randomStyle(rng, scale*between(rng, 10, 30))
	b := wrap(p.phrase(rng), st, w*between(rng, 0.5, 0.95))
	for len(b.lines) > 1 && b.h > 0.9*h {
		n := len(b.lines) - 1
		b.lines, b.width, b.h = b.lines[:n], b.width[:n], b.h-st.leading*st.cap
	}
	x, y := (w-b.w)*rng.Float32(), (h-b.h)*rng.Float32()
	r := b.frame(x, y)
	b.style.pickColour(rng, s.Image, r, plainly)
	n := len(s.Lines)
	p.draw(s, &b, x, y)
	above := s.Lines[n:]
	covered := func(g Glyph) bool {
		if b.style.backing == boxed {
			return g.X >= float32(r.x0) && g.X < float32(r.x1) && g.Y >= float32(r.y0) && g.Y < float32(r.y1)
		}
		for _, l := range above {
			first, last := l.Glyphs[0], l.Glyphs[len(l.Glyphs)-1]
			along := (g.X - first.X) / max(last.X-first.X, 1)
			mid := first.Y + along*(last.Y-first.Y)
			if g.X > first.X-first.W && g.X < last.X+last.W && g.Y > mid-0.9*st.cap && g.Y < mid+1.1*st.cap {
				return true
			}
		}
		return false
	}
	for i := range n {
		l := &s.Lines[i]
		l.Glyphs = slices.DeleteFunc(l.Glyphs, covered)
		l.Text = spell(l.Glyphs)
	}
	s.Lines = slices.DeleteFunc(s.Lines, func(l Line) bool { return len(l.Glyphs) == 0 })
}

// ease is that of one text in a crop: one in eight is faint.
func ease(rng *rand.Rand) int {
	if chance(rng, 0.12) {
		return faint
	}
	return legible
}

func (p *Painter) taken(r rect) bool {
	for _, b := range p.boxes {
		if r.overlaps(b) {
			return true
		}
	}
	return false
}

// page fills a crop with running text in one style, from edge to edge.
func (p *Painter) page(rng *rand.Rand, s *Scene, scale float32) {
	w, h := float32(s.Image.W), float32(s.Image.H)
	st := p.randomStyle(rng, scale*p.capHeight(rng, 26))
	st.angle /= 2
	margin := between(rng, 2, 0.12*w)
	width := w - 2*margin
	var b block
	for text := p.phrase(rng); ; text += pick(rng, []string{" ", " ", "\n"}) + p.phrase(rng) {
		b = wrap(text, st, width)
		if b.h >= h || len(text) > 600 {
			break
		}
	}
	for len(b.lines) > 1 && b.h > h-2 {
		n := len(b.lines) - 1
		b.lines, b.width, b.h = b.lines[:n], b.width[:n], b.h-st.leading*st.cap
	}
	x, y := margin, max(1, (h-b.h)*rng.Float32())
	b.style.pickColour(rng, s.Image, b.frame(x, y), ease(rng))
	p.draw(s, &b, x, y)
}
