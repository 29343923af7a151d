package endpoint

import (
	"bytes"
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/handscroll/handscroll"
)

const (
	maxEvidence = 5   // passages
	maxQuote    = 300 // bytes of a passage that are shown
	maxWords    = 200 // of a quote that are looked for where lines are broken differently
	minQuote    = 3   // bytes of a line that is marked as a quote
	minInline   = 16  // bytes of a quotation in running text
)

// Cited is an answer that was checked against the files.
type Cited struct {
	Text     string // without the lines that are quotes
	Evidence []handscroll.Evidence
	Missing  []string // quotes that stand in none of the files
}

// Cite looks in the files for what an answer quotes, in lines that begin with ">" or
// between quotation marks, and for what the server names as evidence. White space
// aside, only what stands there word for word is evidence. Of films, recordings and
// pictures, whose words nobody can look up, the server's word is taken if it names
// one that was sent.
func Cite(parts []handscroll.Part, a *Answer) *Cited {
	out := &Cited{}
	var quotes []string
	out.Text, quotes = split(a.Text)
	for _, c := range a.Claims {
		e, ok := find(parts, c.Quote)
		if !ok {
			e, ok = claimed(parts, c)
		}
		if ok {
			out.add(e)
		} else if q := strings.TrimSpace(c.Quote); q != "" {
			out.Missing = append(out.Missing, q)
		}
	}
	for _, q := range quotes {
		if e, ok := find(parts, q); ok {
			out.add(e)
		} else {
			out.Missing = append(out.Missing, q)
		}
	}
	// What stands between quotation marks need not be a quotation: nothing is amiss
	// if it is not found.
	for _, q := range quoted(out.Text) {
		if e, ok := find(parts, q); ok {
			out.add(e)
		}
	}
	return out
}

// add adds a passage that is not there yet.
func (c *Cited) add(e handscroll.Evidence) {
	same := func(o handscroll.Evidence) bool {
		return o.Source == e.Source && o.Offset == e.Offset && o.Time == e.Time && o.Page == e.Page
	}
	if len(c.Evidence) < maxEvidence && !slices.ContainsFunc(c.Evidence, same) {
		c.Evidence = append(c.Evidence, e)
	}
}

// split takes the lines that are quotes out of an answer.
func split(answer string) (rest string, quotes []string) {
	var lines []string
	for line := range strings.Lines(answer) {
		q, ok := strings.CutPrefix(strings.TrimSpace(line), ">")
		if q = strings.TrimSpace(q); ok && len(q) >= minQuote {
			quotes = append(quotes, q)
			continue
		}
		lines = append(lines, line)
	}
	rest = strings.TrimSpace(strings.Join(lines, ""))
	if rest == "" {
		rest = strings.TrimSpace(answer) // nothing but quotes: they are the answer
	}
	return rest, quotes
}

var inline = regexp.MustCompile(`"([^"\n]+)"|“([^”\n]+)”|„([^“\n]+)“|«([^»\n]+)»`)

// quoted lists what stands between quotation marks and is long enough to be told.
func quoted(text string) (out []string) {
	for _, m := range inline.FindAllStringSubmatch(text, -1) {
		if q := cmp.Or(m[1:]...); len(q) >= minInline {
			out = append(out, q)
		}
	}
	return out
}

var (
	// What models put behind a quote: where it is from.
	behind = regexp.MustCompile(`\s*(?:\([^()]*\)|\[[^\[\]]*\]|[—–-]\s*\S+)\s*$`)
	marks  = "\"'“”„‘’«»*_` "
)

// find looks for a quote in the texts, then for what is left of it without marks
// around it and a place behind it, and last for the longest piece between dots that
// stand for something left out.
func find(parts []handscroll.Part, quote string) (handscroll.Evidence, bool) {
	bare := strings.Trim(quote, marks)
	tries := []string{quote, bare, strings.Trim(behind.ReplaceAllString(quote, ""), marks)}
	pieces := strings.FieldsFunc(strings.ReplaceAll(bare, "...", "…"), func(r rune) bool { return r == '…' })
	longest := ""
	for _, p := range pieces {
		if p = strings.Trim(p, marks); len(p) > len(longest) {
			longest = p
		}
	}
	if len(longest) >= minInline {
		tries = append(tries, longest)
	}
	for i, t := range tries {
		if len(strings.TrimSpace(t)) < minQuote || slices.Contains(tries[:i], t) {
			continue
		}
		for j := range parts {
			if at, n := locate(parts[j].Text, t); at >= 0 {
				return evidence(&parts[j], at, n), true
			}
		}
	}
	return handscroll.Evidence{}, false
}

// locate returns where a quote stands in a text, its line breaks and spaces aside,
// and how long it is there; −1 if it is not there.
func locate(text []byte, quote string) (at, n int) {
	if i := bytes.Index(text, []byte(quote)); i >= 0 {
		return i, len(quote)
	}
	words := strings.Fields(quote)
	words = words[:min(len(words), maxWords)]
	if len(words) < 2 || !utf8.ValidString(quote) {
		return -1, 0
	}
	for i := range words {
		words[i] = regexp.QuoteMeta(words[i])
	}
	m := regexp.MustCompile(strings.Join(words, `\s+`)).FindIndex(text)
	if m == nil {
		return -1, 0
	}
	return m[0], m[1] - m[0]
}

// evidence describes a passage of a part.
func evidence(p *handscroll.Part, at, n int) handscroll.Evidence {
	quote := p.Text[at : at+n]
	for len(quote) > maxQuote {
		cut := maxQuote
		for cut > 0 && !utf8.RuneStart(quote[cut]) {
			cut--
		}
		quote = quote[:cut]
	}
	e := handscroll.Evidence{
		Source: p.Source, Line: 1 + bytes.Count(p.Text[:at], []byte("\n")), Offset: int64(at), Quote: string(quote),
	}
	e.Page, e.Time, e.Timed = p.Place(int64(at))
	return e
}

// claimed is a server's word for a place in what has no text.
func claimed(parts []handscroll.Part, c Claim) (handscroll.Evidence, bool) {
	for i := range parts {
		p := &parts[i]
		if p.Kind() == handscroll.Text || c.Source == "" || p.Source != c.Source && filepath.Base(p.Source) != filepath.Base(c.Source) {
			continue
		}
		timed := c.Timed && p.Kind() != handscroll.Picture
		if timed && p.Length() > 0 && c.Time > p.Length() {
			return handscroll.Evidence{}, false
		}
		return handscroll.Evidence{Source: p.Source, Line: 1, Quote: c.Quote, Page: c.Page, Time: c.Time, Timed: timed}, true
	}
	return handscroll.Evidence{}, false
}
