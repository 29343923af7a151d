package sample

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPattern bounds a pattern's bytes, and with them what its parser makes.
const maxPattern = 1024

// What \s and \S mean in ECMA-262, as the inside of a class. They end in a range,
// so that a dash after them stands for itself.
const (
	spaces    = ` \x{a0}\x{1680}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}\x{2000}-\x{200a}\t-\r`
	nonSpaces = `\x00-\x08\x0e-\x1f!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}` +
		`\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
)

// pattern is the automaton of the strings in which the regular expression, in
// the dialect of JSON Schema, occurs.
func pattern(expr string, b *budget) (*dfa, error) {
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("a pattern of %d bytes, want at most %d", len(expr), maxPattern)
	}
	expr, err := translate(expr)
	if err != nil {
		return nil, err
	}
	return regex(expr, b)
}

// translate rewrites ECMA-262 as Go's syntax, and refuses what the two read
// differently or Go cannot do.
func translate(expr string) (string, error) {
	var out strings.Builder
	class, first := false, 0 // inside one, and where its first member stands
	for i := 0; i < len(expr); i++ {
		rest := expr[i:]
		switch {
		case rest[0] == '\\':
			ranges := class && i-1 > first && expr[i-1] == '-' && expr[i-2] != '\\'
			if ranges && (strings.HasPrefix(rest, `\s`) || strings.HasPrefix(rest, `\S`)) {
				return "", fmt.Errorf("%s does not end a range", rest[:2])
			}
			s, n, err := escape(rest, class)
			if err != nil {
				return "", err
			}
			out.WriteString(s)
			i += n - 1
			continue
		case class && strings.HasPrefix(rest, "[:"):
			return "", fmt.Errorf("%q inside a class is read differently by different engines", "[:")
		case class && rest[0] == ']':
			class = false
		case !class && rest[0] == '[':
			class, first = true, i+1
			if strings.HasPrefix(rest, "[^") {
				first++
			}
			if strings.HasPrefix(expr[first:], "]") {
				return "", fmt.Errorf("an empty class is not supported")
			}
		case !class && strings.HasPrefix(rest, "(?"):
			named := strings.HasPrefix(rest, "(?<") && !strings.HasPrefix(rest, "(?<=") && !strings.HasPrefix(rest, "(?<!")
			if !named && !strings.HasPrefix(rest, "(?:") {
				return "", fmt.Errorf("%q: lookaround and flags are not supported", rest[:min(len(rest), 3)])
			}
		}
		out.WriteByte(rest[0])
	}
	return out.String(), nil
}

// escape translates the escape that s begins with, n bytes long.
func escape(s string, class bool) (out string, n int, err error) {
	if len(s) < 2 {
		return "", 0, fmt.Errorf("a backslash at the end")
	}
	bad := fmt.Errorf("%q is not supported", s[:min(len(s), 2)])
	switch c := s[1]; {
	case c == 's' && class:
		return spaces, 2, nil
	case c == 's':
		return "[" + spaces + "]", 2, nil
	case c == 'S' && class:
		return nonSpaces, 2, nil
	case c == 'S':
		return "[" + nonSpaces + "]", 2, nil
	case c == 'b' && class:
		return `\x08`, 2, nil
	case c == 'u' && len(s) >= 6 && isHex(s[2:6]) && !isSurrogate(s[2:6]):
		return `\x{` + s[2:6] + `}`, 6, nil
	case c == 'x' && len(s) >= 4 && isHex(s[2:4]):
		return s[:4], 4, nil
	case strings.IndexByte("dDwWfnrtvpP", c) >= 0:
		return s[:2], 2, nil
	case c < utf8.RuneSelf && strings.IndexByte(`^$\.*+?()[]{}|/-`, c) >= 0:
		return s[:2], 2, nil
	case c < utf8.RuneSelf && c > ' ' && !isWord(c): // an identity escape
		return s[:2], 2, nil
	}
	return "", 0, bad
}

// isSurrogate is of four hexadecimal digits.
func isSurrogate(s string) bool {
	return (s[0] == 'd' || s[0] == 'D') && strings.IndexByte("89abcdefABCDEF", s[1]) >= 0
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// subsets determinises a compiled regular expression: a state is the set of
// instructions that read the next rune, as a string so that it can be compared.
type subsets struct {
	prog *syntax.Prog
	b    *budget
	err  error
}

// The first byte of a state says how it stands without further input.
const (
	stateOpen  = "o" // no match yet
	stateAtEnd = "e" // a match if the string ends here
	stateFound = "f" // a match whatever follows
)

// regex is the automaton of the strings in which expr, in Go's syntax, occurs.
func regex(expr string, b *budget) (*dfa, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	if err := b.spend(len(prog.Inst)); err != nil {
		return nil, err
	}
	for _, in := range prog.Inst {
		if in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			return nil, fmt.Errorf("word and line boundaries are not supported")
		}
	}
	m := &subsets{prog: prog, b: b}
	d, err := build(m.closure([]uint32{uint32(prog.Start)}, true), m.edges,
		func(s string) bool { return s[:1] != stateOpen }, b)
	if m.err != nil {
		return nil, m.err
	}
	return d, err
}

// closure follows what needs no rune from the given instructions.
func (m *subsets) closure(pcs []uint32, atStart bool) string {
	type visit struct {
		pc    uint32
		atEnd bool
	}
	var todo []visit
	for _, pc := range pcs {
		todo = append(todo, visit{pc, false})
	}
	seen := make(map[visit]bool)
	var reads []uint32
	status := stateOpen
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[v] {
			continue
		}
		seen[v] = true
		switch in := &m.prog.Inst[v.pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, visit{in.Out, v.atEnd}, visit{in.Arg, v.atEnd})
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, visit{in.Out, v.atEnd})
		case syntax.InstEmptyWidth:
			op := syntax.EmptyOp(in.Arg)
			if op&syntax.EmptyBeginText == 0 || atStart {
				todo = append(todo, visit{in.Out, v.atEnd || op&syntax.EmptyEndText != 0})
			}
		case syntax.InstMatch:
			if !v.atEnd {
				return stateFound
			}
			status = stateAtEnd
		case syntax.InstFail:
		default:
			if !v.atEnd {
				reads = append(reads, v.pc)
			}
		}
	}
	if err := m.b.spend(len(seen)); err != nil {
		m.err = err
		return stateOpen
	}
	slices.Sort(reads)
	key := []byte(status)
	for _, pc := range reads {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	return string(key)
}

func (m *subsets) edges(s string, emit func(lo, hi rune, to string)) {
	if m.err != nil {
		return
	}
	if s[:1] == stateFound {
		anyRune(emit, s)
		return
	}
	var insts []*syntax.Inst
	cuts := []rune{0, surrogateMin, surrogateMax + 1, utf8.MaxRune + 1}
	for k := 1; k < len(s); k += 4 {
		in := &m.prog.Inst[binary.LittleEndian.Uint32([]byte(s[k:k+4]))]
		insts = append(insts, in)
		switch {
		case in.Op == syntax.InstRuneAnyNotNL:
			for _, r := range lineEnds {
				cuts = append(cuts, r, r+1)
			}
		case in.Op != syntax.InstRuneAny && len(in.Rune) == 1:
			r := in.Rune[0]
			for f := r; ; { // [eE] is read as one letter in either case
				cuts = append(cuts, f, f+1)
				if f = unicode.SimpleFold(f); f == r {
					break
				}
			}
		case in.Op != syntax.InstRuneAny:
			for i := 0; i < len(in.Rune); i += 2 {
				cuts = append(cuts, in.Rune[i], in.Rune[i+1]+1)
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	if m.err = m.b.spend(len(cuts) * (1 + len(insts)/8)); m.err != nil {
		return
	}
	closures := make(map[string]string)
	for i, lo := range cuts[:len(cuts)-1] {
		if lo >= surrogateMin && lo <= surrogateMax {
			continue
		}
		to := []uint32{uint32(m.prog.Start)} // a match may begin anywhere
		var key []byte
		for _, in := range insts {
			if reads(in, lo) {
				to = append(to, in.Out)
				key = binary.LittleEndian.AppendUint32(key, in.Out)
			}
		}
		state, ok := closures[string(key)]
		if !ok {
			state = m.closure(to, false)
			closures[string(key)] = state
		}
		if state != stateOpen {
			emit(lo, cuts[i+1]-1, state)
		}
	}
}

// lineEnds are what "." does not match in ECMA-262.
var lineEnds = []rune{'\n', '\r', 0x2028, 0x2029}

func reads(in *syntax.Inst, r rune) bool {
	if in.Op == syntax.InstRuneAnyNotNL {
		return !slices.Contains(lineEnds, r)
	}
	return in.MatchRune(r)
}

// formats are the values of "format" that are enforced; the specification calls
// every other one an annotation (JSON Schema 2020-12, validation, 7.2.1).
var formats = func() map[string]string {
	const (
		date = `(?:(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29` +
			`|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])))`
		time   = `(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)`
		octet  = `(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
		ipv4   = octet + `(?:\.` + octet + `){3}`
		label  = `[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?`
		second = `\d{1,9}S`
		minute = `\d{1,9}M(?:` + second + `)?`
		hour   = `\d{1,9}H(?:` + minute + `)?`
		clock  = `T(?:` + hour + `|` + minute + `|` + second + `)`
		day    = `\d{1,9}D`
		month  = `\d{1,9}M(?:` + day + `)?`
		year   = `\d{1,9}Y(?:` + month + `)?`
		atom   = "[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]"
	)
	f := map[string]string{
		"date":      date,
		"time":      time,
		"date-time": date + "T" + time,
		"duration":  `P(?:(?:` + day + `|` + month + `|` + year + `)(?:` + clock + `)?|` + clock + `|\d{1,9}W)`,
		"uuid":      `[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`,
		"email":     atom + `(?:\.?` + atom + `){0,31}@` + label + `(?:\.` + label + `){1,2}`,
		"hostname":  label + `(?:\.` + label + `){0,2}`,
		"ipv4":      ipv4,
	}
	// RFC 4291, without the form that ends as IPv4: eight groups, or "::" for
	// one or more of them.
	const group = `[0-9A-Fa-f]{1,4}`
	v6 := []string{group + `(?::` + group + `){7}`}
	for before := range 8 {
		left := ""
		if before > 0 {
			left = fmt.Sprintf(`%s(?::%s){%d}`, group, group, before-1)
		}
		right := ""
		if after := 7 - before; after > 0 {
			right = fmt.Sprintf(`(?:%s(?::%s){0,%d})?`, group, group, after-1)
		}
		v6 = append(v6, left+"::"+right)
	}
	f["ipv6"] = strings.Join(v6, "|")
	for name, expr := range f {
		f[name] = `^(?:` + expr + `)$`
	}
	return f
}()
