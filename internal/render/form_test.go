package render

import (
	"math"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

// inked draws text in a form, and returns the picture, its line and its light.
func inked(t *testing.T, text string, f form) (s *Scene, sum int) {
	t.Helper()
	p := newPainter(t, Options{})
	s = &Scene{Image: media.NewImage(400, 80)}
	b := wrap(text, style{face: faces(t)[0], cap: 30, leading: 2, colour: white, opacity: 256, form: f}, 1000)
	p.draw(s, &b, 20, 20)
	for _, v := range s.Image.Pix {
		sum += int(v)
	}
	return s, sum
}

func TestForms(t *testing.T) {
	plain, light := inked(t, "Handing", form{})
	width := func(s *Scene) float32 { return s.Lines[0].X1 - s.Lines[0].X0 }
	for _, c := range []struct {
		name    string
		form    form
		wider   float32 // of the line
		ink     [2]float64
		differs bool
	}{
		{"as it is", form{}, 1, [2]float64{1, 1}, false},
		{"wide", form{wider: 0.25}, 1.25, [2]float64{1.1, 1.4}, true},
		{"narrow", form{wider: -0.2}, 0.8, [2]float64{0.7, 0.95}, true},
		{"leaning", form{slant: 0.3}, 1, [2]float64{0.97, 1.03}, true},
		{"thick", form{weight: 0.05}, 1, [2]float64{1.3, 2}, true},
		{"thin", form{weight: -0.02}, 1, [2]float64{0.5, 0.9}, true},
		{"bent", form{waves: [2]wave{{0.05, 3, 2, 1}, {0.05, 1, 3, 2}}}, 1, [2]float64{0.9, 1.1}, true},
		{"uneven", form{uneven: 0.08, seed: 3}, 1, [2]float64{0.9, 1.1}, true},
		{"of squares", form{grain: 0.13}, 1, [2]float64{0.8, 1.25}, true},
	} {
		s, sum := inked(t, "Handing", c.form)
		if w := width(s) / width(plain); math.Abs(float64(w-c.wider)) > 0.02 {
			t.Errorf("%s: %.2f times as wide, want %.2f", c.name, w, c.wider)
		}
		if k := float64(sum) / float64(light); k < c.ink[0] || k > c.ink[1] {
			t.Errorf("%s: %.2f times the ink, want %.2f to %.2f", c.name, k, c.ink[0], c.ink[1])
		}
		if got := string(s.Image.Pix) != string(plain.Image.Pix); got != c.differs {
			t.Errorf("%s: another picture is %v", c.name, got)
		}
		if s, _ := inked(t, "H", c.form); c.form.uneven == 0 {
			x, y, _ := brightness(s.Image)
			if g := s.Lines[0].Glyphs[0]; math.Abs(x-float64(g.X)) > 2.5 || math.Abs(y-float64(g.Y)) > 2.5 {
				t.Errorf("%s: ink around (%.1f, %.1f), glyph at (%.1f, %.1f)", c.name, x, y, g.X, g.Y)
			}
		}
	}
}

// A text over others takes the characters that it covers from their lines, and no
// others.
func TestTextOverText(t *testing.T) {
	p := newPainter(t, Options{})
	covered := 0
	for seed := range uint64(40) {
		rng := newRand(seed)
		s := &Scene{Image: media.NewImage(256, 96)}
		p.page(rng, s, 1)
		before := map[Glyph]bool{}
		for _, l := range s.Lines {
			for _, g := range l.Glyphs {
				before[g] = true
			}
		}
		under := len(s.Lines)
		p.over(rng, s, 1)
		if len(s.Lines) == 0 || under == 0 {
			t.Fatalf("seed %d: %d lines over %d", seed, len(s.Lines), under)
		}
		var above, below []Line
		left := 0
		for _, l := range s.Lines {
			if before[l.Glyphs[0]] {
				for _, g := range l.Glyphs {
					if !before[g] {
						t.Errorf("seed %d: %q has changed", seed, l.Text)
					}
				}
				below, left = append(below, l), left+len(l.Glyphs)
			} else {
				above = append(above, l)
			}
			if l.Text != spell(l.Glyphs) {
				t.Errorf("seed %d: a line says %q and has %q", seed, l.Text, spell(l.Glyphs))
			}
		}
		covered += len(before) - left
		for _, l := range below {
			for _, g := range l.Glyphs {
				for _, a := range above {
					for _, top := range a.Glyphs {
						if math.Hypot(float64(top.X-g.X), float64(top.Y-g.Y)) < 0.25*float64(top.Cap) {
							t.Errorf("seed %d: %c is still there under %c", seed, g.Rune, top.Rune)
						}
					}
				}
			}
		}
	}
	if covered == 0 {
		t.Error("nothing was ever covered")
	}
}
