package data

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// passage is a sentence or line of the filler in token terms.
type passage struct {
	start, split, end int // prompt [start, split), answer [split, end)
}

// contextText is the whole context with single spaces, for uniqueness checks.
func (w *world) contextText() []byte {
	if w.plain == nil {
		for _, s := range w.segments {
			w.plain = append(w.plain, ' ')
			w.plain = append(w.plain, w.g.tok.Decode(nil, s.filler)...)
		}
		w.plain = oneSpace(w.plain)
	}
	return w.plain
}

// oneSpace makes every run of white space one space, in place.
func oneSpace(text []byte) []byte {
	out := text[:0]
	space := false
	for _, c := range text {
		if c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			space = true
			continue
		}
		if space {
			out = append(out, ' ')
			space = false
		}
		out = append(out, c)
	}
	return out
}

// quote asks how n sentences or lines of the context go on.
func (w *world) quote(n int) {
	r, t := w.r, &w.g.tables
	done := map[span]bool{}
	for made, tries := 0, 0; made < n && tries < 12*n+40; tries++ {
		if chance(r, w.g.opts.AbsentShare*0.7) {
			if w.quoteAbsent() {
				made++
			}
			continue
		}
		s := &w.segments[r.IntN(len(w.segments))]
		p, ok := w.passage(s)
		answer := span{s.start + 1 + p.split, s.start + 1 + p.end}
		if !ok || done[answer] {
			continue
		}
		done[answer] = true
		prompt := w.g.tok.Decode(nil, s.filler[p.start:p.split])
		flat := string(bytes.TrimSpace(oneSpace(bytes.Clone(prompt))))
		if len(flat) < 12 || bytes.Count(w.contextText(), []byte(flat)) != 1 {
			continue
		}
		written := flat
		if chance(r, 0.15) {
			written = strings.TrimSpace(string(prompt))
		}
		if w.ask(TaskQuotation, w.quoteQuestion(written, pick(r, t.quote)), source{block: -1, raw: answer}) {
			made++
		}
	}
}

func (w *world) quoteQuestion(prompt, frame string) string {
	q := expandString(w.r, frame, &slots{'Q' - 'A': prompt})
	if chance(w.r, 0.1) {
		q = expandString(w.r, pick(w.r, w.g.tables.before), &slots{'A' - 'A': "continuation"}) + q
	}
	return q
}

// quoteAbsent asks for a sentence of another part of the corpus, or one of
// this context with its words changed.
func (w *world) quoteAbsent() bool {
	kind := w.segments[w.r.IntN(len(w.segments))].kind
	other := segment{kind: kind, filler: w.draw(kind, 200)}
	if chance(w.r, 0.4) {
		other = w.segments[w.r.IntN(len(w.segments))]
	}
	p, ok := w.passage(&other)
	if !ok {
		return false
	}
	fields := strings.Fields(string(w.g.tok.Decode(nil, other.filler[p.start:p.split])))
	if other.length > 0 && len(fields) > 2 {
		// The first words decide where the pointer goes: change one of them too.
		for range between(w.r, 1, 3) {
			fields[w.r.IntN(len(fields))] = pick(w.r, words)
		}
	}
	flat := strings.Join(fields, " ")
	if len(flat) < 16 || bytes.Contains(w.contextText(), []byte(flat)) {
		return false
	}
	return w.ask(TaskAbsent, w.quoteQuestion(flat, pick(w.r, w.g.tables.quote)))
}

// sentence draws a sentence of the corpus's prose on one line, or makes one up
// where that has none of a good length.
func (w *world) sentence() string {
	if w.g.corpus.size(Prose) == 0 {
		return remark(w.r)
	}
	s := segment{kind: Prose, filler: w.draw(Prose, 120)}
	for i := 1; i < len(s.filler)-8; i++ {
		if !w.starts(s.filler, i, false) {
			continue
		}
		for end := i + 3; end < min(len(s.filler), i+50); end++ {
			if !w.endsAt(s.filler, end, false) {
				continue
			}
			text := string(bytes.TrimSpace(oneSpace(w.g.tok.Decode(nil, s.filler[i:end+1]))))
			if len(text) >= 15 && len(text) <= 180 && !strings.ContainsAny(text, "\"“”_[]|") && !namesFamous(text) {
				return text
			}
			break
		}
	}
	return remark(w.r)
}

// passage picks a sentence (in code mostly a line) of a segment at random and
// splits it after its first words.
func (w *world) passage(s *segment) (p passage, ok bool) {
	ids := s.filler
	if len(ids) < 40 {
		return p, false
	}
	lines := s.kind == Code || chance(w.r, 0.1)
	p.start = -1
	at := w.r.IntN(len(ids) - 20)
	for i := at; i < min(at+120, len(ids)-8); i++ {
		if w.starts(ids, i, lines) {
			p.start = i
			break
		}
	}
	if p.start < 0 {
		return p, false
	}
	// The prompt: whole words, four to twelve of them, mostly six.
	want := pick(w.r, []int{4, 5, 6, 6, 6, 6, 6, 7, 8, 9, 12})
	if lines {
		want = between(w.r, 2, 4)
	}
	limit := min(len(ids), p.start+between(w.r, 40, 90))
	count := 0
	i := p.start
	for ; i < limit; i++ {
		if w.endsAt(ids, i, lines) {
			break
		}
		if !lines && i+1 < len(ids) && w.g.edges[ids[i]]&w.g.edges[ids[i+1]]&startsLine != 0 {
			return p, false // a paragraph that ends without a stop
		}
		if p.split == 0 && i > p.start && w.g.edges[ids[i]]&(startsSpace|startsLine) != 0 && w.hasLetter(ids[i], ids, i) {
			if count++; count >= want {
				p.split = i
			}
		}
	}
	p.end = i
	if !lines && i < limit {
		p.end = i + 1 // the stop belongs to the sentence
	}
	n := p.end - p.split
	return p, p.split > 0 && n >= 3 && n <= 70 && i < limit
}

// hasLetter tells whether a token with a space or newline in front begins a word.
func (w *world) hasLetter(id int32, ids []int32, i int) bool {
	piece := w.g.tok.Piece(id)
	if len(bytes.TrimSpace(piece)) == 0 && i+1 < len(ids) {
		piece = w.g.tok.Piece(ids[i+1])
	}
	c, _ := utf8.DecodeRune(bytes.TrimLeft(piece, " \n\t\"'(“‘"))
	return unicode.IsLetter(c) || unicode.IsDigit(c)
}

// starts tells whether a sentence or a line begins at token i.
func (w *world) starts(ids []int32, i int, line bool) bool {
	if i == 0 {
		return false
	}
	before := w.g.edges[ids[i-1]]
	piece := w.g.tok.Piece(ids[i])
	text := bytes.TrimLeft(piece, " ")
	if len(text) == 0 || text[0] == '\n' || text[0] == '\t' {
		return false
	}
	if line {
		return before&(startsLine|endsLine) != 0 && blank(w.g.tok.Piece(ids[i-1]))
	}
	c, _ := utf8.DecodeRune(bytes.TrimLeft(text, "\"'(“‘_"))
	if !unicode.IsUpper(c) {
		return false
	}
	if before&(startsLine|endsLine) != 0 {
		return i > 1 && w.g.edges[ids[i-2]]&(endsSentence|endsLine|startsLine) != 0
	}
	return w.stops(ids, i-1) && w.g.edges[ids[i]]&startsSpace != 0
}

// endsAt tells whether token i is the last of a sentence, or the newline after
// a line.
func (w *world) endsAt(ids []int32, i int, line bool) bool {
	e := w.g.edges[ids[i]]
	if line {
		return e&startsLine != 0
	}
	if i+1 >= len(ids) || !w.stops(ids, i) {
		return false
	}
	return w.g.edges[ids[i+1]]&(startsSpace|startsLine) != 0
}

// stops tells whether token i ends a sentence: a stop that is not part of "Mr."
// and the like.
func (w *world) stops(ids []int32, i int) bool {
	return w.g.edges[ids[i]]&endsSentence != 0 &&
		(i == 0 || !abbreviations[string(bytes.TrimSpace(w.g.tok.Piece(ids[i-1])))])
}

var abbreviations = map[string]bool{"Mr": true, "Mrs": true, "Dr": true, "St": true, "Ms": true, "e": true, "i": true, "No": true, "vs": true, "Esq": true, "M": true, "J": true}

func blank(piece []byte) bool { return len(bytes.TrimSpace(piece)) == 0 }

var quoteQuestions = []string{
	"How does the sentence \"{Q}\" go on?", "How does the sentence \"{Q}[...|…]\" continue?", "How does \"{Q}\" go on?", "How does \"{Q}[...|…|]\" continue?", "How does the [line|passage|text|quotation|quote] \"{Q}\" [go on|continue|end]?",
	"Continue: {Q}", "Continue: \"{Q}\"", "Continue the [sentence|text|quotation|passage|line]: {Q}", "Continue the [sentence|text|quotation|passage|line]: \"{Q}[...|…|]\"", "Continue [word for word|verbatim|exactly]: {Q}",
	"Complete the [quotation|sentence|quote|line|passage]: {Q}", "Complete the [quotation|sentence|quote|line]: \"{Q}[...|…|]\"", "Complete: {Q}", "Complete \"{Q}\"", "Complete this [sentence|line] from the text: {Q}[...|]",
	"What follows \"{Q}\"?", "What follows after \"{Q}\"?", "What comes [after|right after|next after|directly after] \"{Q}\"?", "What comes next: {Q}", "What is the rest of \"{Q}\"?", "What is the rest of the sentence [that begins|beginning|starting] [with |]\"{Q}\"?",
	"{Q}", "{Q}...", "{Q} …", "\"{Q}", "“{Q}…” — how does it go on?", "{Q} [what?|...?|___]", "Finish: {Q}", "Finish the sentence [that starts with |]\"{Q}\".", "Finish this quotation: {Q}", "Quote the rest of: {Q}", "Quote the rest of the sentence \"{Q}\".",
	"The text says \"{Q}\". [And then?|What then?|How does it go on?|What are the next words?]", "In the text it says: {Q}", "Which words follow \"{Q}\"?", "Which words come after \"{Q}\" in the text?", "I remember that it starts with \"{Q}\". How does it end?",
	"Somewhere it reads \"{Q}\". Give the rest[ of the sentence|].", "Recite from: {Q}", "Find the sentence that begins \"{Q}\" and give its [remainder|end|rest].", "Write out the rest of the sentence: {Q}", "After the words \"{Q}\" the text [goes on|continues] [with|]", "One sentence starts \"{Q}\". Please complete it.", "quote: {Q}", "rest of \"{Q}\"", "next words: {Q}", "Read on from \"{Q}\".", "Go on from here: {Q}", "Pick up the text at \"{Q}\".", "Repeat the end of the sentence that opens with \"{Q}\".", "How does this end: {Q}", "How did the sentence \"{Q}\" end?", "What did it say after \"{Q}\"?", "What are the words after \"{Q}\"?", "Give me the words following \"{Q}\".", "Supply the missing end: {Q} ____",
}
