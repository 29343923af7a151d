package model

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Lexical is a prior on where an answer stands, from words alone: entries near
// the question's rare words get a bonus on their logits, the sink one for what
// it takes to beat "not there". It costs one pass over the entries' ids a
// question and is worth the more the longer the context. The zero value is off.
type Lexical struct {
	Weight float32 `yaml:"weight"` // of the share of words that stand near, in units of ln(n)
	Sink   float32 `yaml:"sink"`   // share of words at which an entry and the sink gain the same
}

const (
	// lexicalCommon is the frequency from which a word says nothing.
	lexicalCommon = 0.01
	// lexicalName is what a name, number or identifier weighs beside a common
	// word as rare: with it, what is told of a look-alike stays below the sink.
	lexicalName = 3
	// lexicalWindow is the length in tokens that words are counted in.
	lexicalWindow = 40
	// lexicalEcho is what is left of the weight of an entry that only repeats
	// a word of the question, where an answer begins.
	lexicalEcho = 0.001
	// lexicalNext is the share that the entry after a quotation gains, where the
	// text holds it word for word: an answer that goes on, goes on there.
	lexicalNext = 0.1
	// lexicalGap is how many tokens, of punctuation and white space, may stand
	// between two words of a quotation.
	lexicalGap = 3
	// lexicalBeside is the share that a sentence loses which is near the words
	// but has none of them.
	lexicalBeside = 0.05
	// lexicalMargin tokens beside a window share in its bonus.
	lexicalMargin = 24
)

// boost is a bonus on the entries [from, to).
type boost struct {
	from, to int
	value    float32
}

// stretch is the entries [from, to).
type stretch struct{ from, to int }

// word is a word of the question: the ways it may be written as tokens.
type word struct {
	forms  [][]int32
	named  bool // a name, number or identifier: what tells one thing from its like
	count  int  // in the context
	weight float64
	seen   int // in the window
	term   *term
}

// term is a few words of a question that follow one another, such as "serial
// number" or "old north gate": what is told of part of it is told of another.
type term struct {
	words       int
	total, name float64 // weight of all, of those that are names
	seen, names int     // words in the window, names among them
	have        float64 // their weight
	haveName    float64 // that of the names
}

// lexicalTerm is how many words a term has at most: more are a sentence.
const lexicalTerm = 7

// missing is the weight of the words that a window lacks of a term that it has
// words of. Where it has a name of the term, only other names count: "max_retries
// set" is told of max_retries without "set".
func (t *term) missing() float64 {
	switch {
	case t == nil || t.words > lexicalTerm || t.seen == 0 || t.seen == t.words:
		return 0
	case t.names > 0:
		return t.name - t.haveName
	}
	return t.total - t.have
}

// event is a word's place.
type event struct {
	pos, n int // tokens [pos, pos+n)
	w      *word
}

// lexis is what a question's words say about the entries of a context.
type lexis struct {
	boosts []boost // where words stand together, in order and apart, each with the share of their weight
	echoes []event // where each of the words stands, in order, if they ask rather than quote
	next   []boost // entries after the quotation, in order
	named  bool    // the question has words that say something
}

// newLexis looks for a question's words. A word weighs the logarithm of its
// rarity in the context, a name several times that; what is missing of a term
// counts against a place that has the rest of it.
func newLexis(view kvcache.View, tok tokenizer.Tokenizer, question []int32) (l lexis) {
	text := string(tok.Decode(nil, question))
	words, quote := questionWords(tok, text)
	events := places(view, tok, words)
	total := weigh(words, float64(view.Len()))
	switch {
	case quote == nil:
		l.echoes = events
	case !asksBesides(text):
		l.next = continuations(view, tok, events, quote)
	}
	if l.named = total > 0; l.named {
		l.boosts = besides(view, tok, sweep(events, total), events)
	}
	return l
}

// weigh gives the words their weights in a context of n entries and returns the
// sum.
func weigh(words []*word, n float64) (total float64) {
	for _, w := range words {
		if float64(w.count) <= lexicalCommon*n {
			w.weight = math.Log((n + 1) / float64(w.count+1))
			if w.named {
				w.weight *= lexicalName
			}
		}
		total += w.weight
		if w.term != nil {
			w.term.words++
			w.term.total += w.weight
			if w.named {
				w.term.name += w.weight
			}
		}
	}
	return total
}

// besides cuts boosts into sentences and takes a little from those without any
// of the words.
func besides(view kvcache.View, tok tokenizer.Tokenizer, boosts []boost, events []event) []boost {
	var out []boost
	for len(boosts) > 0 {
		n := 1 // boosts that touch
		for n < len(boosts) && boosts[n].from == boosts[n-1].to {
			n++
		}
		for _, s := range sentences(view, tok, boosts[0].from, boosts[n-1].to) {
			loss := float32(0)
			at, _ := slices.BinarySearchFunc(events, s.from, func(e event, pos int) int { return cmp.Compare(e.pos, pos) })
			if at == len(events) || events[at].pos >= s.to {
				loss = lexicalBeside
			}
			for _, b := range boosts[:n] {
				if c := (boost{max(b.from, s.from), min(b.to, s.to), b.value - loss}); c.from < c.to && c.value > 0 {
					out = append(out, c)
				}
			}
		}
		boosts = boosts[n:]
	}
	return out
}

// sentences cuts [from, to) after stops.
func sentences(view kvcache.View, tok tokenizer.Tokenizer, from, to int) []stretch {
	to = min(to, view.Len())
	var out []stretch
	stopped := false
	for pos := from; pos < to; pos++ {
		p := pieceAt(view, tok, pos)
		if stopped && opensWord(p) {
			out = append(out, stretch{from, pos})
			from = pos
		}
		// A quotation mark or a bracket that closes belongs to the stop.
		if t := bytes.TrimRight(p, "\"')”’»"); len(t) > 0 {
			stopped = strings.IndexByte(".!?", t[len(t)-1]) >= 0
		}
	}
	return append(out, stretch{from, to})
}

func pieceAt(view kvcache.View, tok tokenizer.Tokenizer, pos int) []byte {
	r, i := view.At(pos)
	return tok.Piece(int32(r.ID[i]))
}

// opensWord says whether a piece begins with the space before a word.
func opensWord(piece []byte) bool { return len(piece) > 0 && (piece[0] == ' ' || piece[0] == '\n') }

// continuations returns the entries at which the text goes on after a quotation
// that stands in it word for word: the first of each that begins a word.
func continuations(view kvcache.View, tok tokenizer.Tokenizer, events []event, quote []*word) []boost {
	var out []boost
	last := quote[len(quote)-1]
	for i, e := range events {
		if e.w != last {
			continue
		}
		k, j := len(quote)-1, i
		for k > 0 && j > 0 && events[j-1].w == quote[k-1] && events[j].pos-events[j-1].pos-events[j-1].n <= lexicalGap {
			k--
			j--
		}
		if k > 0 {
			continue
		}
		for pos := e.pos + e.n; pos < min(view.Len(), e.pos+e.n+1+lexicalGap); pos++ {
			if opensWord(pieceAt(view, tok, pos)) {
				out = append(out, boost{pos, pos + 1, lexicalNext})
				break
			}
		}
	}
	return out
}

// goesOn says whether a quotation of the question goes on at pos.
func (l *lexis) goesOn(pos int) bool {
	_, ok := slices.BinarySearchFunc(l.next, pos, func(b boost, at int) int { return cmp.Compare(b.from, at) })
	return ok
}

// echo says whether the entry at pos is of a word of the question, where an
// answer hardly begins.
func (l *lexis) echo(pos int) bool {
	i, _ := slices.BinarySearchFunc(l.echoes, pos+1, func(e event, at int) int { return cmp.Compare(e.pos, at) })
	return i > 0 && pos < l.echoes[i-1].pos+l.echoes[i-1].n
}

// asking are the words of questions rather than of what is asked about.
var asking = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`what which who whom whose where when why how is are was were be been do does did
		has have had can could will would should may the a an of for to in on at by from with and or that this it its as
		please tell give find look up get show state answer text context document according above here there me i you we my set
		your our word words exactly only just quote go goes continue complete`) {
		m[w] = true
	}
	return m
}()

// quoted returns the longest quotation of at least three words in a question,
// or else all of it: who quotes, says what to look for. A quotation that itself
// begins or ends with a quotation reaches from the first mark to the last.
func quoted(s string) string {
	best := ""
	if n := strings.Count(s, `"`); n > 2 && (n%2 == 1 || strings.Contains(s, `""`)) {
		inner := s[strings.IndexByte(s, '"')+1 : strings.LastIndexByte(s, '"')]
		if len(strings.Fields(inner)) >= 3 {
			return inner
		}
	}
	for _, q := range []string{`""`, "“”"} {
		open, size := utf8.DecodeRuneInString(q)
		end, _ := utf8.DecodeRuneInString(q[size:])
		for rest := s; ; {
			_, after, ok := strings.Cut(rest, string(open))
			if !ok {
				break
			}
			i := strings.IndexRune(after, end)
			if i < 0 {
				break
			}
			if inner := after[:i]; len(strings.Fields(inner)) >= 3 && len(inner) > len(best) {
				best = inner
			}
			rest = after[i+utf8.RuneLen(end):]
		}
	}
	if best == "" {
		return s
	}
	return best
}

// asksBesides says whether a question with a quotation asks for something else
// than how it goes on: who said it, when or where.
func asksBesides(question string) bool {
	outside := strings.Replace(question, quoted(question), " ", 1)
	for _, f := range strings.Fields(strings.ToLower(outside)) {
		switch strings.Trim(f, `"“”.,?!:`) {
		case "who", "whom", "whose", "when", "where", "time":
			return true
		}
	}
	return false
}

// questionWords splits a question, or the quotation in it, at white space,
// without punctuation around words and without the possessive. quote is the
// quotation's words as they follow one another, nil if there is none.
func questionWords(tok tokenizer.Tokenizer, question string) (words, quote []*word) {
	seen := map[string]*word{}
	text := quoted(question)
	quotes := len(text) < len(question)
	begins := true // a sentence, where a capital says nothing
	var now *term
	for _, f := range strings.Fields(text) {
		ends := strings.ContainsAny(f[len(f)-1:], ".?!:")
		last := ends || strings.ContainsAny(f[len(f)-1:], ",;)")
		f = strings.TrimFunc(f, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, suffix := range []string{"'s", "’s"} {
			f = strings.TrimSuffix(f, suffix)
		}
		low := strings.ToLower(f)
		if f != "" && seen[low] == nil && (quotes || !asking[low]) {
			if now == nil {
				now = &term{}
			}
			w := &word{named: nameLike(f, begins)}
			if !quotes {
				w.term = now
			}
			seen[low] = w
			first, size := utf8.DecodeRuneInString(f)
			for _, form := range append(inflections(f), f, low, string(unicode.ToUpper(first))+f[size:]) {
				bare, spaced := tok.Encode(nil, []byte(form)), tok.Encode(nil, []byte(" "+form))
				w.addForm(bare)
				if !slices.Equal(spaced[1:], bare) { // a space of its own changes nothing
					w.addForm(spaced)
				}
			}
			words = append(words, w)
		}
		if w := seen[low]; quotes && w != nil {
			quote = append(quote, w)
		}
		if last || asking[low] {
			now = nil
		}
		begins = ends
	}
	return words, quote
}

// inflections are other forms of an ordinary English word: a question reports
// what a text reported.
func inflections(w string) []string {
	for _, c := range w {
		if c < 'a' || c > 'z' {
			return nil
		}
	}
	switch {
	case len(w) < 4:
		return nil
	case strings.HasSuffix(w, "s"):
		return []string{w[:len(w)-1]}
	case strings.HasSuffix(w, "e"):
		return []string{w + "s", w + "d"}
	}
	return []string{w + "s", w + "ed"}
}

func (w *word) addForm(ids []int32) {
	for _, f := range w.forms {
		if slices.Equal(f, ids) {
			return
		}
	}
	w.forms = append(w.forms, ids)
}

// nameLike says whether a word looks like a name, a number or an identifier.
func nameLike(s string, begins bool) bool {
	for i, r := range s {
		switch {
		case unicode.IsDigit(r), r == '_', unicode.IsUpper(r) && (i > 0 || !begins):
			return true
		}
	}
	return false
}

// places lists the words' places in order and counts them.
func places(view kvcache.View, tok tokenizer.Tokenizer, words []*word) []event {
	type form struct {
		w   *word
		ids []int32
	}
	starts := make([][]form, tok.Size())
	for _, w := range words {
		for _, f := range w.forms {
			starts[f[0]] = append(starts[f[0]], form{w, f})
		}
	}
	var events []event
	pos, before := 0, byte(' ')
	for ri, r := range view {
		for i, id := range r.ID {
			for _, f := range starts[id] {
				// A word is not a part of another.
				if inWord(before) && inWord(tok.Piece(int32(id))[0]) || !follows(view[ri:], tok, i, f.ids) {
					continue
				}
				f.w.count++
				events = append(events, event{pos, len(f.ids), f.w})
			}
			if p := tok.Piece(int32(id)); len(p) > 0 {
				before = p[len(p)-1]
			} else {
				before = ' '
			}
			pos++
		}
	}
	return events
}

// follows says whether ids stand at index i of the view's first run, and the
// word ends with them.
func follows(view kvcache.View, tok tokenizer.Tokenizer, i int, ids []int32) bool {
	for j := 0; ; j++ {
		for i >= view[0].N {
			i -= view[0].N
			if view = view[1:]; len(view) == 0 {
				return j == len(ids)
			}
		}
		id := int32(view[0].ID[i])
		if j == len(ids) {
			p := tok.Piece(id)
			return len(p) == 0 || !inWord(p[0])
		}
		if id != ids[j] {
			return false
		}
		i++
	}
}

// inWord says whether a byte is of a letter or digit; bytes outside ASCII are
// taken for letters.
func inWord(c byte) bool {
	return c >= 0x80 || c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// sweep slides a window over the words' places.
func sweep(events []event, total float64) []boost {
	const rounding = 1e-6 // of shares
	const worth = 0.5 - rounding
	var out []boost
	sum, missing, best, first := 0.0, 0.0, 0.0, 0
	count := func(w *word, sign int) {
		missing -= w.term.missing()
		sum += float64(sign) * w.weight
		if t := w.term; t != nil {
			t.seen += sign
			t.have += float64(sign) * w.weight
			if w.named {
				t.names += sign
				t.haveName += float64(sign) * w.weight
			}
		}
		missing += w.term.missing()
	}
	for i, e := range events {
		for ; events[first].pos <= e.pos-lexicalWindow; first++ {
			old := events[first].w
			if old.seen--; old.seen == 0 {
				count(old, -1)
			}
		}
		if e.w.seen++; e.w.seen == 1 {
			count(e.w, 1)
		}
		// Less than half of the best so far is not worth keeping.
		value := sum - missing
		if best = max(best, value); value >= worth*best && value > rounding*total {
			out = addBoost(out, boost{max(0, events[first].pos-lexicalMargin), events[i].pos + 1 + lexicalMargin, float32(value / total)})
		}
	}
	kept := out[:0]
	for _, b := range out {
		if float64(b.value)*total >= worth*best {
			kept = append(kept, b)
		}
	}
	return kept
}

// addBoost adds b, which does not begin before the last one but by a margin, so
// that boosts stay apart and each entry has its highest.
func addBoost(out []boost, b boost) []boost {
	for len(out) > 0 {
		last := &out[len(out)-1]
		if b.from >= last.to {
			break
		}
		if b.value < last.value {
			b.from = last.to
			break
		}
		if last.to = b.from; last.from < last.to {
			break
		}
		out = out[:len(out)-1]
	}
	if b.from < b.to {
		out = append(out, b)
	}
	return out
}
