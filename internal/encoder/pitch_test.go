package encoder

import (
	"strings"
	"testing"
)

// typed is a line whose characters are step apart, as a typewriter's; · is a space
// that was read, ¹ says that what follows is faint and ² that it stands half a step
// after what is before it.
func typed(text string, step float32) (chars, faint []Char) {
	x, weak, close := float32(10), false, false
	for _, r := range text {
		switch r {
		case '¹':
			weak = true
			continue
		case '²':
			close = true
			continue
		case '·':
			r = ' '
		}
		c := Char{Byte: byte(r), X: x, Y: 10, Score: 0.9, P: 1}
		if close {
			c.X -= step / 2
		} else {
			x += step
		}
		if r == ' ' {
			c.Score = 0.7
		}
		if weak {
			c.Score = 0.2
			faint = append(faint, c)
		} else {
			chars = append(chars, c)
		}
		weak, close = false, false
	}
	return chars, faint
}

func TestSettle(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"nothing to settle", "the·secret·word", "the secret word"},
		{"a letter seen twice", "kill²led", "killed"},
		{"double letters", "killed", "killed"},
		{"a faint one in a gap", "gre¹ek", "greek"},
		{"a faint one where there is no gap", "gree²¹.k", "greek"},
		{"a space as narrow as a letter's gap", "scol²·ded", "scolded"},
		{"a space", "two·words", "two words"},
		{"a speck at the joint", "contook²¹.a", "contooka"},
		{"ends stay", "\"word\"", "\"word\""},
		{"too short to tell", "is²·a", "is a"},
	} {
		for _, step := range []float32{7, 12, 26} {
			chars, faint := typed(c.line, step)
			if got := (&Line{Chars: settle(chars, faint)}).Text(); got != c.want {
				t.Errorf("%s, %g pixels: %q, want %q", c.name, step, got, c.want)
			}
		}
	}
}

// A line set in letters of their own widths keeps its narrow spaces.
func TestSettleProportional(t *testing.T) {
	for _, text := range []string{"will ill fill it", "Million little mice", "a mill is here"} {
		for _, size := range []float32{6, 15} {
			var chars []Char
			x := float32(10)
			for i := range len(text) {
				w := size * usual[text[i]]
				chars = append(chars, Char{Byte: text[i], X: x + w/2, Y: 10, Score: 0.8, P: 1})
				x += w
			}
			if got := (&Line{Chars: settle(chars, nil)}).Text(); got != text {
				t.Errorf("%q of %g pixels became %q", text, size, got)
			}
		}
	}
}

// Looks at other sizes outvote the first, one voice each, and leave spaces alone.
func TestAgree(t *testing.T) {
	look := func(text string, p float32) []Char {
		out := chars(text, 10, 10, 20)
		for i := range out {
			out[i].probs = make([]float32, Classes)
			out[i].probs[Class('x')] = 1 - p
			out[i].probs[Class(rune(text[i]))] += p
		}
		return out
	}
	l := Line{Chars: look("wozd a", 0.6)}
	l.agree(look("word_a", 0.9))
	if got := l.Text(); got != "word a" {
		t.Errorf("after a second look: %q", got)
	}
	c := &l.Chars[2]
	if p := c.probs[Class('r')]; c.looks != 1 || p < 0.44 || p > 0.46 {
		t.Errorf("after a second look r has %g of %g looks", p, c.looks+1)
	}
	l.agree(look("wo.d a", 0.9))
	if p := l.Chars[2].probs[Class('r')]; p < 0.29 || p > 0.31 {
		t.Errorf("after a third look r has %g", p)
	}
	l.agree(nil)
	if got := l.Text(); !strings.HasPrefix(got, "wo") {
		t.Errorf("after no look: %q", got)
	}
}
