package sample

import (
	"regexp"
	"testing"
	"unicode/utf8"
)

// TestSpaces: the two classes part all code points between them.
func TestSpaces(t *testing.T) {
	in, out := regexp.MustCompile(`^[`+spaces+`]$`), regexp.MustCompile(`^[`+nonSpaces+`]$`)
	n := 0
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		s := string(r)
		if in.MatchString(s) {
			n++
		}
		if in.MatchString(s) == out.MatchString(s) {
			t.Errorf("%U is in both or neither", r)
		}
	}
	if n != 25 {
		t.Errorf("%d spaces, want ECMA-262's 25", n)
	}
}

// TestPatterns: automata agree with Go's regular expressions where the two
// dialects do, on every short string of a small alphabet.
func TestPatterns(t *testing.T) {
	alphabet := []rune("ab-1é")
	var words []string
	for level := []string{""}; len(level[0]) < 5; {
		words = append(words, level...)
		var next []string
		for _, w := range level {
			for _, r := range alphabet {
				next = append(next, w+string(r))
			}
		}
		level = next
	}
	for _, expr := range []string{
		``, `^$`, `a`, `^a`, `a$`, `^(a|b)*1$`, `(^a|b$)`, `^a|b`, `a{2,3}`, `^(a{1,2}|b){2}$`, `^[^a1]+$`, `(?:ab)+?-`, `^\w\d?\W`,
		`(?<x>a|é)b?$`, `^.{3}$`, `^^a$$`, `a$b`, `[a-é]b`, `^[\da-]*$`, `x|^é`, `$^`, `(a|ab)(1|b1)$`,
	} {
		re := regexp.MustCompile(expr)
		b := maxBudget
		d, err := pattern(expr, &b)
		if err == errEmpty {
			d, err = &dfa{states: make([]dfaState, 1)}, nil
		}
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		for _, w := range words {
			at := int32(0)
			for _, r := range w {
				if at = d.next(at, r); at < 0 {
					break
				}
			}
			if got := at >= 0 && d.states[at].accept; got != re.MatchString(w) {
				t.Errorf("%s: %q is accepted: %v", expr, w, got)
			}
		}
	}
}
