package sample

import "unicode/utf8"

// A rune of a JSON string that has been read in part: what it is, and its bits
// so far. The zero value stands between runes.
type partial uint32

const partialBits = 27

const (
	utf8of2 partial = 1 + iota // one byte of two is read; the next is one further
	utf8of3
	_
	utf8of4
	_
	_
	escaped  // a backslash
	unit     // \u and no digit; with one digit it is one further, up to three
	_        //
	_        //
	_        //
	paired   // a high surrogate, which another must follow
	paired2  // and the backslash of that
	lowUnit  // \u of it, with its digits like unit
	partials = lowUnit + 4
)

// utf8Bytes has the length of the sequence and what is left of it.
var utf8Bytes = [...]struct{ length, left int }{
	utf8of2: {2, 1}, utf8of3: {3, 2}, utf8of3 + 1: {3, 1}, utf8of4: {4, 3}, utf8of4 + 1: {4, 2}, utf8of4 + 2: {4, 1},
}

// least is the first rune that UTF-8 writes with so many bytes.
var least = [...]rune{2: 0x80, 3: 0x800, 4: 0x10000}

// stepString reads a byte of a string's inside or its closing quote. A rune is
// begun only if its first bits leave one that the automaton takes.
func stepString(dst []config, c config, b byte) []config {
	kind, bits := partial(c.x>>partialBits), rune(c.x&(1<<partialBits-1))
	switch {
	case kind == 0:
		return stepRune(dst, c, b)
	case kind < escaped:
		if b&0xC0 != 0x80 {
			return dst
		}
		bits = bits<<6 | rune(b&0x3F)
		if utf8Bytes[kind].left == 1 {
			return c.take(dst, bits)
		}
		return c.hold(dst, kind+1, bits)
	case kind == escaped:
		return c.escape(dst, b)
	case kind == paired && b == '\\':
		return c.hold(dst, paired2, bits)
	case kind == paired2 && b == 'u':
		return c.hold(dst, lowUnit, bits<<16)
	case kind >= unit && kind < paired, kind >= lowUnit:
		digit, ok := hexDigit(b)
		if !ok {
			return dst
		}
		return c.digit(dst, kind+1, bits, digit)
	}
	return dst
}

// stepRune reads a byte between runes.
func stepRune(dst []config, c config, b byte) []config {
	switch {
	case b == '"':
		if c.n.d.states[c.at].accept {
			return append(dst, pop(c.up))
		}
	case b == '\\':
		if len(c.n.d.states[c.at].edges) > 0 { // every rune has an escape
			return c.hold(dst, escaped, 0)
		}
	case b < ' ':
	case b < utf8.RuneSelf:
		return c.take(dst, rune(b))
	case b >= 0xC2 && b < 0xE0:
		return c.hold(dst, utf8of2, rune(b&0x1F))
	case b >= 0xE0 && b < 0xF0:
		return c.hold(dst, utf8of3, rune(b&0x0F))
	case b >= 0xF0 && b < 0xF5:
		return c.hold(dst, utf8of4, rune(b&0x07))
	}
	return dst
}

// take goes on by a whole rune.
func (c config) take(dst []config, r rune) []config {
	if c.at = c.n.d.next(c.at, r); c.at < 0 {
		return dst
	}
	c.x = 0
	return append(dst, c)
}

// hold goes on with a rune read in part, if one is left that the automaton takes.
func (c config) hold(dst []config, kind partial, bits rune) []config {
	if kind < escaped {
		u := utf8Bytes[kind]
		shift := 6 * u.left
		lo, hi := max(bits<<shift, least[u.length]), min((bits+1)<<shift-1, utf8.MaxRune)
		if lo > hi || !c.n.d.meets(c.at, lo, hi) {
			return dst
		}
	}
	c.x = uint32(kind)<<partialBits | uint32(bits)
	return append(dst, c)
}

func (c config) escape(dst []config, b byte) []config {
	switch b {
	case 'u':
		return c.hold(dst, unit, 0)
	case '"', '\\', '/':
		return c.take(dst, rune(b))
	case 'b':
		return c.take(dst, '\b')
	case 'f':
		return c.take(dst, '\f')
	case 'n':
		return c.take(dst, '\n')
	case 'r':
		return c.take(dst, '\r')
	case 't':
		return c.take(dst, '\t')
	}
	return dst
}

const lowSurrogate = 0xDC00

// digit adds a hexadecimal digit to a UTF-16 unit; kind counts it already.
func (c config) digit(dst []config, kind partial, bits, digit rune) []config {
	d := c.n.d
	if kind >= lowUnit {
		high, low := bits>>16, bits&0xFFFF<<4|digit
		shift := 4 * (partials - kind)
		lo, hi := max(low<<shift, lowSurrogate), min((low+1)<<shift-1, surrogateMax)
		base := 0x10000 + high<<10 - lowSurrogate
		switch {
		case lo > hi || !d.meets(c.at, base+lo, base+hi):
			return dst
		case kind == partials:
			return c.take(dst, base+low)
		}
		return c.hold(dst, kind, high<<16|low)
	}
	bits = bits<<4 | digit
	shift := 4 * (paired - kind)
	lo, hi := bits<<shift, (bits+1)<<shift-1
	high := [2]rune{max(lo, surrogateMin), min(hi, lowSurrogate-1)}
	pairs := high[0] <= high[1] &&
		d.meets(c.at, 0x10000+(high[0]-surrogateMin)<<10, 0x10000+(high[1]-surrogateMin)<<10+0x3FF)
	switch {
	case !pairs && !d.meets(c.at, lo, hi):
		return dst
	case kind == paired && pairs:
		return c.hold(dst, paired, bits-surrogateMin)
	case kind == paired:
		return c.take(dst, bits)
	}
	return c.hold(dst, kind, bits)
}

func hexDigit(b byte) (rune, bool) {
	switch {
	case '0' <= b && b <= '9':
		return rune(b - '0'), true
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return rune(b|0x20-'a') + 10, true
	}
	return 0, false
}
