package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// class is what a character does in a pre-token.
type class uint8

const (
	other class = iota // controls, odd white space, invalid UTF-8
	letter
	digit
	punct
	blank   // space and tab
	newline // "\n"
	wide    // the first byte of a character outside ASCII
)

// maxPunct is the length in characters of a run of punctuation.
const maxPunct = 4

var byteClass = func() (t [256]class) {
	for i := range t {
		switch c := byte(i); {
		case c >= 0x80:
			t[i] = wide
		case c == '\n':
			t[i] = newline
		case c == ' ' || c == '\t':
			t[i] = blank
		case c >= '0' && c <= '9':
			t[i] = digit
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			t[i] = letter
		case c > ' ' && c < 0x7f:
			t[i] = punct
		}
	}
	return t
}()

// classAt returns the class and the length of the character at text[i].
func classAt(text []byte, i int) (class, int) {
	if c := byteClass[text[i]]; c != wide {
		return c, 1
	}
	return wideClass(text[i:])
}

func wideClass(text []byte) (class, int) {
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		return other, 1
	case unicode.IsLetter(r) || unicode.IsMark(r):
		return letter, n
	case unicode.IsNumber(r):
		return digit, n
	case unicode.IsSpace(r) || unicode.IsControl(r):
		return other, n
	}
	return punct, n
}

// pretoken returns the end of the pre-token that starts at text[i].
func pretoken(text []byte, i int) int {
	c, n := classAt(text, i)
	switch c {
	case blank:
		if text[i] == ' ' && i+1 < len(text) {
			if c, n := classAt(text, i+1); c == letter || c == punct {
				return run(text, i+1+n, c)
			}
		}
		return blanks(text, i, i+1)
	case newline:
		return blanks(text, i+1, i+1)
	case digit:
		return i + n
	}
	return run(text, i+n, c)
}

// run extends a pre-token of class c, whose first character ends at i.
func run(text []byte, i int, c class) int {
	for k := 1; i < len(text) && (c != punct || k < maxPunct); k++ {
		d, n := classAt(text, i)
		if d != c {
			break
		}
		i += n
	}
	return i
}

// blanks returns the end of the run of spaces and tabs through text[i]. The
// run leaves its last space, if that is at or after from, to what follows
// it, for a word to be the same token in the middle and at the start of a
// line.
func blanks(text []byte, from, i int) int {
	for i < len(text) && byteClass[text[i]] == blank {
		i++
	}
	if i > from && i < len(text) && text[i-1] == ' ' {
		if c, _ := classAt(text, i); c == letter || c == punct {
			return i - 1
		}
	}
	return i
}
