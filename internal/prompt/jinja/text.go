package jinja

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// Text is a string of the template language: code points, each of which may carry
// marks above the range of Unicode.
type Text []rune

const (
	dataMark rune = 1 << 24 // the character comes from the data, not the template
	byteMark rune = 1 << 25 // the low eight bits are a byte that is not UTF-8
	charMask rune = dataMark - 1 | byteMark
)

// Written is text of the template's author.
func Written(s string) Text { return decode(s, 0) }

// Data is text that did not come with the template.
func Data(s string) Text { return decode(s, dataMark) }

func decode(s string, mark rune) Text {
	t := make(Text, 0, len(s))
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		if c == utf8.RuneError && n == 1 {
			c = rune(s[i]) | byteMark
		}
		t = append(t, c|mark)
		i += n
	}
	return t
}

// String is the text without its marks.
func (t Text) String() string {
	out := make([]byte, 0, len(t))
	for _, c := range t {
		if c&byteMark != 0 {
			out = append(out, byte(c))
		} else {
			out = utf8.AppendRune(out, c&charMask)
		}
	}
	return string(out)
}

// HasWritten reports whether t begins with s, all of it written by the template's
// author.
func (t Text) HasWritten(s Text) bool { return len(t) >= len(s) && slices.Equal(t[:len(s)], s) }

func (t Text) equal(u Text) bool { return len(t) == len(u) && t.hasPrefix(u) }

func (t Text) hasPrefix(u Text) bool {
	if len(u) > len(t) {
		return false
	}
	for i, c := range u {
		if (c^t[i])&charMask != 0 {
			return false
		}
	}
	return true
}

func (t Text) hasSuffix(u Text) bool { return len(u) <= len(t) && t[len(t)-len(u):].equal(u) }

func (t Text) compare(u Text) int {
	return slices.CompareFunc(t, u, func(a, b rune) int { return int(a&charMask - b&charMask) })
}

// index returns where u first stands in t, −1 if nowhere, in time that grows with
// their sum (Knuth, Morris and Pratt 1977).
func (t Text) index(u Text) int {
	if len(u) == 0 {
		return 0
	}
	border := make([]int, len(u)) // of each prefix, the longest that also ends it
	n := 0
	match := func(c rune) {
		for n > 0 && (c^u[n])&charMask != 0 {
			n = border[n-1]
		}
		if (c^u[n])&charMask == 0 {
			n++
		}
	}
	for i := 1; i < len(u); i++ {
		match(u[i])
		border[i] = n
	}
	n = 0
	for i, c := range t {
		if match(c); n == len(u) {
			return i + 1 - n
		}
	}
	return -1
}

func (t Text) reversed() Text {
	t = slices.Clone(t)
	slices.Reverse(t)
	return t
}

// each maps the characters; marks stay.
func (t Text) each(f func(i int, c rune) rune) Text {
	out := make(Text, len(t))
	for i, c := range t {
		out[i] = c
		if c&byteMark == 0 {
			out[i] = f(i, c&charMask) | c&dataMark
		}
	}
	return out
}

func (t Text) upper() Text { return t.each(func(_ int, c rune) rune { return unicode.ToUpper(c) }) }
func (t Text) lower() Text { return t.each(func(_ int, c rune) rune { return unicode.ToLower(c) }) }

func (t Text) capitalize() Text {
	return t.each(func(i int, c rune) rune {
		if i == 0 {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	})
}

// title begins each word with a capital; starts tells whether one begins after c.
func (t Text) title(starts func(c rune) bool) Text {
	return t.each(func(i int, c rune) rune {
		if i == 0 || starts(t[i-1]&charMask) {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	})
}

func isSpace(c rune) bool {
	return unicode.IsSpace(c&charMask) || c&charMask >= 0x1c && c&charMask <= 0x1f
}

// strip drops the characters of set, white space if set is nil, from the sides.
func (t Text) strip(set Text, left, right bool) Text {
	drop := isSpace
	if set != nil {
		in := make(map[rune]bool, len(set))
		for _, c := range set {
			in[c&charMask] = true
		}
		drop = func(c rune) bool { return in[c&charMask] }
	}
	for left && len(t) > 0 && drop(t[0]) {
		t = t[1:]
	}
	for right && len(t) > 0 && drop(t[len(t)-1]) {
		t = t[:len(t)-1]
	}
	return t
}

// split cuts at sep, at most limit times if limit is not negative.
func (t Text) split(sep Text, limit int) (list []Text) {
	for limit != 0 {
		i := t.index(sep)
		if i < 0 {
			break
		}
		list, t = append(list, t[:i]), t[i+len(sep):]
		limit--
	}
	return append(list, t)
}

// splitRight is split from the end.
func (t Text) splitRight(sep Text, limit int) []Text {
	list := t.reversed().split(sep.reversed(), limit)
	for i, piece := range list {
		list[i] = piece.reversed()
	}
	slices.Reverse(list)
	return list
}

// words cuts at runs of white space.
func (t Text) words(limit int) (list []Text) {
	for t = t.strip(nil, true, false); len(t) > 0; t = t.strip(nil, true, false) {
		i := slices.IndexFunc(t, isSpace)
		if i < 0 || limit == 0 {
			i = len(t)
		}
		list, t = append(list, t[:i]), t[i:]
		limit--
	}
	return list
}

func (t Text) wordsRight(limit int) []Text {
	list := t.reversed().words(limit)
	for i, word := range list {
		list[i] = word.reversed()
	}
	slices.Reverse(list)
	return list
}

// lines cuts after line feeds, which are dropped.
func (t Text) lines() (list []Text) {
	for len(t) > 0 {
		i := slices.IndexFunc(t, func(c rune) bool { return c&charMask == '\n' })
		if i < 0 {
			return append(list, t)
		}
		list, t = append(list, t[:i]), t[i+1:]
	}
	return list
}
