package data

import (
	"bytes"
	"strings"
	"unicode"
)

// finding is something real source code says about a name.
type finding struct {
	name   string
	answer span // bytes of the segment's text
	frames []string
}

// sources asks about the real code in the context: definitions, values and
// comments.
func (w *world) sources(n int) {
	for range 2 {
		s := &w.segments[w.r.IntN(len(w.segments))]
		if s.kind != Code || n <= 0 {
			continue
		}
		text := w.g.tok.Decode(nil, s.filler)
		found := w.findings(text)
		w.r.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		for _, f := range found {
			if n <= 0 {
				break
			}
			q := w.phrase(expandString(w.r, pick(w.r, f.frames), &slots{'N' - 'A': f.name, 'A' - 'A': "answer"}), &slots{'A' - 'A': "answer"})
			at := w.tokenSpan(s.filler, f.answer)
			if at.end-at.start > 60 || at.start < 0 {
				continue
			}
			if w.ask(TaskCode, q, source{block: -1, raw: span{s.start + 1 + at.start, s.start + 1 + at.end}}) {
				n--
			}
		}
	}
}

// findings reads the lines of Go source. The first and the last may be cut.
func (w *world) findings(text []byte) []finding {
	var out []finding
	t := &w.g.tables
	start := bytes.IndexByte(text, '\n') + 1
	for start < len(text) {
		n := bytes.IndexByte(text[start:], '\n')
		if n < 0 {
			break
		}
		end := start + n
		line := string(text[start:end])
		body := strings.TrimSpace(line)
		from := end - len(strings.TrimLeft(line, " \t"))
		until := from + len(body)
		if name := definedName(body); name != "" {
			out = append(out, finding{name, span{from, until}, t.where})
		} else if name, at := assignedName(body); name != "" {
			value := strings.TrimSpace(body[at:])
			if i := strings.Index(value, " //"); i > 0 {
				value = strings.TrimSpace(value[:i])
			}
			begin := from + at + strings.Index(body[at:], value)
			out = append(out, finding{name, span{begin, begin + len(value)}, t.constant})
		} else if name, at := commentedName(body); name != "" {
			out = append(out, finding{name, span{from + at, until}, t.comment})
		}
		start = end + 1
	}
	return w.unambiguous(out)
}

// unambiguous drops names of which more is found, or which occur in other
// files of the context too.
func (w *world) unambiguous(list []finding) []finding {
	count := map[string]int{}
	for _, f := range list {
		count[f.name+f.frames[0]]++
	}
	var out []finding
	for _, f := range list {
		if count[f.name+f.frames[0]] == 1 && !w.names[strings.ToLower(f.name)] && f.answer.end-f.answer.start < 200 {
			out = append(out, f)
			w.names[strings.ToLower(f.name)] = true
		}
	}
	return out
}

// definedName returns the function or type that a line defines.
func definedName(line string) string {
	rest, ok := strings.CutPrefix(line, "func ")
	if ok {
		if strings.HasPrefix(rest, "(") {
			_, rest, ok = strings.Cut(rest, ") ")
		}
		return identifierOf(rest)
	}
	if rest, ok = strings.CutPrefix(line, "type "); ok {
		return identifierOf(rest)
	}
	return ""
}

// assignedName returns the constant, variable or field a line gives a value,
// and where the value begins.
func assignedName(line string) (name string, at int) {
	rest := strings.TrimPrefix(strings.TrimPrefix(line, "const "), "var ")
	name = identifierOf(rest)
	if len(name) < 4 {
		return "", 0
	}
	after := strings.TrimLeft(rest[len(name):], " \t")
	if !strings.HasPrefix(after, "= ") || strings.HasSuffix(line, "{") || strings.HasSuffix(line, "(") {
		return "", 0
	}
	return name, len(line) - len(after) + 2
}

// commentedName returns the name a doc comment begins with, and where what it
// says begins.
func commentedName(line string) (name string, at int) {
	rest, ok := strings.CutPrefix(line, "// ")
	if !ok {
		return "", 0
	}
	name = identifierOf(rest)
	after := rest[len(name):]
	// Only names with a capital inside or a verb behind are surely symbols.
	if len(name) < 4 || len(after) < 12 || after[0] != ' ' || !unicode.IsLower(rune(after[1])) || strings.ToLower(name[1:]) == name[1:] {
		return "", 0
	}
	return name, 3 + len(name) + 1
}

func identifierOf(s string) string {
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
			return s[:i]
		}
	}
	return s
}
