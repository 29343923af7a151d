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

const (
	// maxPunct is the length in characters of a run of punctuation.
	maxPunct = 4
	// maxPretoken is the length in bytes at which any pre-token ends, which
	// bounds the memory that merging takes.
	maxPretoken = 1 << 16
)

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
	text = text[:min(len(text), i+maxPretoken)]
	c, n := classAt(text, i)
	switch c {
	case blank:
		if text[i] == ' ' && i+1 < len(text) {
			switch c, n := classAt(text, i+1); c {
			case letter:
				return letters(text, i+1+n)
			case punct:
				return run(text, i+1+n, c, maxPunct-1)
			}
		}
		return blanks(text, i, i+1)
	case newline:
		return blanks(text, i+1, i+1)
	case digit:
		return i + n
	case letter:
		return letters(text, i+n)
	case punct:
		return run(text, i+n, c, maxPunct-1)
	}
	return run(text, i+n, c, maxPretoken)
}

// letters returns the end of the run of letters before text[i].
func letters(text []byte, i int) int {
	for i < len(text) {
		switch byteClass[text[i]] {
		case letter:
			i++
		case wide:
			c, n := wideClass(text[i:])
			if c != letter {
				return i
			}
			i += n
		default:
			return i
		}
	}
	return i
}

// run extends a run of class c that ends before text[i] by up to most
// characters.
func run(text []byte, i int, c class, most int) int {
	for ; most > 0 && i < len(text); most-- {
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
