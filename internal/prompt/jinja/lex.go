package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with a template and where.
type Error struct {
	Line    int // from 1
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

type tokenKind int

const (
	tokenEnd       tokenKind = iota // of the template
	tokenText                       // outside tags
	tokenOutput                     // {{
	tokenOutputEnd                  // }}
	tokenTag                        // {%
	tokenTagEnd                     // %}
	tokenName
	tokenString
	tokenInt
	tokenFloat
	tokenOperator
)

type token struct {
	kind tokenKind
	text string // of strings the value
	line int
}

func (t token) String() string {
	if t.kind == tokenEnd {
		return "end of template"
	}
	return strconv.Quote(t.text)
}

// lexer cuts a template into tokens. White space around tags is gone then.
type lexer struct {
	src    string
	at     int
	line   int
	tokens []token
	open   []byte // closing brackets that are due
	fresh  bool   // what was read last ended a line
}

func (l *lexer) fail(format string, args ...any) {
	panic(&Error{l.line, fmt.Sprintf(format, args...)})
}

// lex follows Jinja's rules with trim_blocks and lstrip_blocks: white space of
// the line before a tag or comment and one line feed after it are dropped, "-"
// drops all white space on its side, "+" none, and {{ }} only heeds "-".
func lex(source string) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &lexer{src: strings.TrimSuffix(source, "\n"), line: 1, fresh: true}
	for l.at < len(l.src) {
		l.text()
	}
	l.emit(tokenEnd, "")
	return l.tokens
}

func (l *lexer) emit(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind, text, l.line})
}

// take reads n bytes.
func (l *lexer) take(n int) string {
	s := l.src[l.at : l.at+n]
	l.at += n
	l.line += strings.Count(s, "\n")
	if n > 0 {
		l.fresh = s[n-1] == '\n'
	}
	return s
}

func (l *lexer) skipSpace() {
	rest := l.src[l.at:]
	l.take(len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace)))
}

// text reads up to the next tag and that tag.
func (l *lexer) text() {
	rest := l.src[l.at:]
	n := tagStart(rest)
	if n == len(rest) {
		l.emit(tokenText, l.take(n))
		return
	}
	kind, sign := rest[n+1], byte(0)
	if n+2 < len(rest) && (rest[n+2] == '-' || rest[n+2] == '+') {
		sign = rest[n+2]
	}
	l.data(n, sign, kind != '{')
	l.take(2)
	if sign != 0 {
		l.take(1)
	}
	switch kind {
	case '#':
		n := strings.Index(l.src[l.at:], "#}")
		if n < 0 {
			l.fail("comment without end: #} is missing")
		}
		l.close(n, "#}")
	case '{':
		l.emit(tokenOutput, "{{")
		l.inside("}}", tokenOutputEnd)
	default:
		if !l.raw() {
			l.emit(tokenTag, "{%")
			l.inside("%}", tokenTagEnd)
		}
	}
}

// data emits n bytes of text before a tag with that sign.
func (l *lexer) data(n int, sign byte, lstrip bool) {
	fresh, line := l.fresh, l.line
	s := l.take(n)
	switch {
	case sign == '-':
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	case sign != '+' && lstrip:
		from := strings.LastIndexByte(s, '\n') + 1
		if (from > 0 || fresh) && strings.TrimSpace(s[from:]) == "" {
			s = s[:from]
		}
	}
	if s != "" {
		l.tokens = append(l.tokens, token{tokenText, s, line})
	}
}

// tagStart returns where the first tag begins, len(s) if there is none.
func tagStart(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return len(s)
}

// close reads n bytes and the end of a tag, whose sign is the last of them, with
// the white space after it that is dropped.
func (l *lexer) close(n int, end string) {
	sign := byte(0)
	if n > 0 {
		sign = l.src[l.at+n-1]
	}
	l.take(n + len(end))
	rest := l.src[l.at:]
	switch {
	case sign == '-':
		l.skipSpace()
	case sign != '+' && end != "}}" && strings.HasPrefix(rest, "\n"):
		l.take(1)
	}
}

// raw reads a raw block, if the tag that was begun is one.
func (l *lexer) raw() bool {
	n, sign, ok := tagNamed(l.src[l.at:], "raw")
	if !ok {
		return false
	}
	l.take(n)
	if sign == '-' {
		l.skipSpace()
	}
	for i := l.at; i+1 < len(l.src); i++ {
		if l.src[i:i+2] != "{%" {
			continue
		}
		inner, sign := i+2, byte(0)
		if inner < len(l.src) && (l.src[inner] == '-' || l.src[inner] == '+') {
			sign = l.src[inner]
			inner++
		}
		if n, _, ok := tagNamed(l.src[inner:], "endraw"); ok {
			l.data(i-l.at, sign, true)
			l.close(inner+n-2-l.at, "%}")
			return true
		}
	}
	l.fail("raw block without end: {%% endraw %%} is missing")
	return false
}

// tagNamed reports whether s, which follows {%, is the rest of a tag of that name
// alone; n bytes with its end, before which stands sign.
func tagNamed(s, name string) (n int, sign byte, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(s, unicode.IsSpace), name)
	rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	if ok && rest != "" && (rest[0] == '-' || rest[0] == '+') {
		sign, rest = rest[0], rest[1:]
	}
	return len(s) - len(rest) + 2, sign, ok && strings.HasPrefix(rest, "%}")
}

// operators, longest first.
var operators = []string{
	"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", "(", ")", "[", "]", "{", "}", ";",
}

var closing = map[byte]byte{'(': ')', '[': ']', '{': '}'}

// inside reads a tag up to its end.
func (l *lexer) inside(end string, kind tokenKind) {
	for {
		l.skipSpace()
		rest := l.src[l.at:]
		if rest == "" {
			l.fail("tag without end: %s is missing", end)
		}
		if len(l.open) == 0 {
			n := 0
			if rest[0] == '-' || rest[0] == '+' && kind == tokenTagEnd {
				n = 1
			}
			if strings.HasPrefix(rest[n:], end) {
				l.emit(kind, end)
				l.close(n, end)
				return
			}
		}
		c, _ := utf8.DecodeRuneInString(rest)
		switch {
		case c == '\'' || c == '"':
			l.quoted(rest)
		case c >= '0' && c <= '9':
			l.number(rest)
		case c == '_' || unicode.IsLetter(c):
			n := len(rest) - len(strings.TrimLeftFunc(rest, func(c rune) bool {
				return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c)
			}))
			if n > maxName {
				l.fail("name of %d bytes, want at most %d", n, maxName)
			}
			l.emit(tokenName, l.take(n))
		default:
			l.operator(rest)
		}
	}
}

func (l *lexer) operator(rest string) {
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch c := op[0]; c {
		case '(', '[', '{':
			l.open = append(l.open, closing[c])
		case ')', ']', '}':
			if len(l.open) == 0 || l.open[len(l.open)-1] != c {
				l.fail("unexpected %q", op)
			}
			l.open = l.open[:len(l.open)-1]
		}
		l.emit(tokenOperator, l.take(len(op)))
		return
	}
	c, _ := utf8.DecodeRuneInString(rest)
	l.fail("unexpected character %q", c)
}

// number reads an integer, a float, or what stands before the dots of neither.
func (l *lexer) number(rest string) {
	digits := func(s string) int {
		n := 0
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '_' && n > 0) {
			n++
		}
		return n
	}
	n, kind := digits(rest), tokenInt
	if n < len(rest) && rest[n] == '.' && digits(rest[n+1:]) > 0 {
		n += 1 + digits(rest[n+1:])
		kind = tokenFloat
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
		exp := n + 1
		if exp < len(rest) && (rest[exp] == '+' || rest[exp] == '-') {
			exp++
		}
		if d := digits(rest[exp:]); d > 0 {
			n, kind = exp+d, tokenFloat
		}
	}
	l.emit(kind, strings.ReplaceAll(l.take(n), "_", ""))
}

// quoted reads a string with Python's escapes.
func (l *lexer) quoted(rest string) {
	end := 1
	for end < len(rest) && rest[end] != rest[0] {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		l.fail("string without end")
	}
	line, body := l.line, l.take(end + 1)[1:end]
	var b strings.Builder
	for body != "" {
		i := strings.IndexByte(body, '\\')
		if i < 0 {
			break
		}
		b.WriteString(body[:i])
		c, n, ok := unescape(body[i:])
		if !ok {
			l.fail("malformed escape %q in a string", body[i:i+n])
		}
		b.WriteString(c)
		body = body[i+n:]
	}
	b.WriteString(body)
	l.tokens = append(l.tokens, token{tokenString, b.String(), line})
}

var escapes = map[byte]string{
	'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// unescape returns what the escape at the beginning of s stands for, and its
// length. An unknown escape stands for itself.
func unescape(s string) (c string, n int, ok bool) {
	if len(s) < 2 {
		return "", len(s), false
	}
	if e, ok := escapes[s[1]]; ok {
		return e, 2, true
	}
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	if width == 0 {
		return s[:2], 2, true
	}
	n = min(2+width, len(s))
	v, err := strconv.ParseUint(s[2:n], 16, 32)
	if err != nil || n < 2+width || !utf8.ValidRune(rune(v)) {
		return "", n, false
	}
	return string(rune(v)), n, true
}
