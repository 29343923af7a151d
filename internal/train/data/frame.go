package data

import (
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

// span is a byte range of a text.
type span struct{ start, end int }

// slots holds what the placeholders {A} … {Z} of a frame stand for.
type slots [26]string

// with is the slots with an attribute, an entity and a value.
func (s slots) with(attribute, entity, value string) slots {
	s['A'-'A'], s['E'-'A'], s['V'-'A'] = attribute, entity, value
	return s
}

// filled is an expanded frame: its text and where each placeholder's first
// occurrence lies; end is 0 for those that did not occur.
type filled struct {
	text []byte
	at   [26]span
}

func (f *filled) span(name byte) span { return f.at[name-'A'] }

// expand writes out a frame. "[a|b|]" picks one alternative, nested ones too;
// "{A}" stands for a slot, "{^A}" for the slot with a capital; a backslash
// takes the next byte literally.
func expand(r *rand.Rand, frame string, s *slots) *filled {
	f := &filled{text: make([]byte, 0, 2*len(frame))}
	f.write(r, frame, s)
	return f
}

// expandString is expand for callers that need no spans.
func expandString(r *rand.Rand, frame string, s *slots) string {
	return string(expand(r, frame, s).text)
}

func (f *filled) write(r *rand.Rand, frame string, s *slots) {
	for i := 0; i < len(frame); i++ {
		switch c := frame[i]; c {
		case '\\':
			i++
			f.text = append(f.text, frame[i])
		case '{':
			name, capital, n := placeholder(frame[i:])
			if n == 0 { // a brace of the text
				f.text = append(f.text, c)
				continue
			}
			i += n - 1
			f.put(name, s[name-'A'], capital)
		case '[':
			end, cuts := alternatives(frame, i)
			k := r.IntN(len(cuts) - 1)
			f.write(r, frame[cuts[k]+1:cuts[k+1]], s)
			i = end
		case '.':
			// A value that ends a sentence by itself needs no second stop.
			if n := len(f.text); n == 0 || !strings.ContainsRune(".!?", rune(f.text[n-1])) || (i > 0 && frame[i-1] != '}') {
				f.text = append(f.text, c)
			}
		default:
			f.text = append(f.text, c)
		}
	}
}

// placeholder reads "{A}" or "{^A}" at the start of a text; n is its length, 0
// for anything else.
func placeholder(text string) (name byte, capital bool, n int) {
	i := 1
	if len(text) > 2 && text[1] == '^' {
		capital, i = true, 2
	}
	if len(text) < i+2 || text[i] < 'A' || text[i] > 'Z' || text[i+1] != '}' {
		return 0, false, 0
	}
	return text[i], capital, i + 2
}

// alternatives returns the index of the bracket that closes the one at start,
// and the indices of the opening bracket, its bars and the closing bracket.
func alternatives(frame string, start int) (end int, cuts []int) {
	cuts = append(make([]int, 0, 12), start)
	depth := 0
	for i := start; ; i++ {
		switch frame[i] {
		case '\\':
			i++
		case '[':
			depth++
		case '|':
			if depth == 1 {
				cuts = append(cuts, i)
			}
		case ']':
			depth--
			if depth == 0 {
				return i, append(cuts, i)
			}
		}
	}
}

func (f *filled) put(name byte, value string, capital bool) {
	start := len(f.text)
	if capital {
		value = capitalise(value)
	}
	f.text = append(f.text, value...)
	if at := &f.at[name-'A']; at.end == 0 {
		*at = span{start, len(f.text)}
	}
}

// capitalise raises the first letter of ordinary words; identifiers keep
// their case.
func capitalise(s string) string {
	for _, c := range s {
		if unicode.IsDigit(c) || c == '_' || c == '-' || c == '.' || c == '/' {
			return s
		}
		if c == ' ' {
			break
		}
	}
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:]
}

func pick[T any](r *rand.Rand, xs []T) T { return xs[r.IntN(len(xs))] }

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// between returns a number of [lo, hi].
func between(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }
