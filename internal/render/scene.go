package render

import (
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/media"
)

// Glyph is one character of a line. X is the centre of its advance box and Y the
// middle of the cap height, half of Cap above the baseline; W is the advance.
// The spaces between words are glyphs too.
type Glyph struct {
	Rune         rune
	X, Y, W, Cap float32
}

// Line is one line of text and the box around its glyphs, from the top of the
// ascenders to the bottom of the descenders.
type Line struct {
	Text           string
	Glyphs         []Glyph
	X0, Y0, X1, Y1 float32
}

// Scene is a picture and what is on it.
type Scene struct {
	Image   *media.Image
	Lines   []Line
	Objects []Object
}

// scale moves everything to another resolution of the picture.
func (s *Scene) scale(fx, fy float32) {
	for i := range s.Lines {
		l := &s.Lines[i]
		l.X0, l.Y0, l.X1, l.Y1 = l.X0*fx, l.Y0*fy, l.X1*fx, l.Y1*fy
		for j := range l.Glyphs {
			g := &l.Glyphs[j]
			g.X, g.Y, g.W, g.Cap = g.X*fx, g.Y*fy, g.W*fx, g.Cap*fy
		}
	}
	for i := range s.Objects {
		o := &s.Objects[i]
		o.X, o.Y, o.R = o.X*fx, o.Y*fy, o.R*fy
	}
}

// crop is the part of a scene from (x, y) of w by h pixels.
func (s *Scene) crop(x, y, w, h int) *Scene {
	out := &Scene{Image: media.NewImage(w, h), Lines: s.Lines, Objects: s.Objects}
	for i := range h {
		copy(out.Image.Pix[3*i*w:3*(i+1)*w], s.Image.Pix[3*((y+i)*s.Image.W+x):])
	}
	dx, dy := float32(x), float32(y)
	for i := range out.Lines {
		l := &out.Lines[i]
		l.X0, l.Y0, l.X1, l.Y1 = l.X0-dx, l.Y0-dy, l.X1-dx, l.Y1-dy
		for j := range l.Glyphs {
			l.Glyphs[j].X -= dx
			l.Glyphs[j].Y -= dy
		}
	}
	for i := range out.Objects {
		out.Objects[i].X -= dx
		out.Objects[i].Y -= dy
	}
	return out
}

// clip drops the glyphs and objects whose centre is out of the picture, and the
// lines of which nothing is left.
func (s *Scene) clip() {
	w, h := float32(s.Image.W), float32(s.Image.H)
	kept := s.Lines[:0]
	for _, l := range s.Lines {
		glyphs := l.Glyphs[:0]
		for _, g := range l.Glyphs {
			if g.X >= 0 && g.X < w && g.Y >= 0 && g.Y < h {
				glyphs = append(glyphs, g)
			}
		}
		if len(glyphs) < len(l.Glyphs) {
			l.Glyphs = trimSpaces(glyphs)
			l.Text = spell(l.Glyphs)
			l.X0, l.Y0, l.X1, l.Y1 = max(l.X0, 0), max(l.Y0, 0), min(l.X1, w), min(l.Y1, h)
		}
		if len(l.Glyphs) > 0 {
			kept = append(kept, l)
		}
	}
	s.Lines = kept
	s.Objects = slices.DeleteFunc(s.Objects, func(o Object) bool { return o.X < 0 || o.X >= w || o.Y < 0 || o.Y >= h })
}

func trimSpaces(g []Glyph) []Glyph {
	for len(g) > 0 && g[0].Rune == ' ' {
		g = g[1:]
	}
	for len(g) > 0 && g[len(g)-1].Rune == ' ' {
		g = g[:len(g)-1]
	}
	return g
}

func spell(glyphs []Glyph) string {
	var b strings.Builder
	for _, g := range glyphs {
		b.WriteRune(g.Rune)
	}
	return b.String()
}
