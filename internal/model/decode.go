package model

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Hit is an entry and the attention weight the pointer gives it.
type Hit struct {
	Pos    int
	Weight float32
}

// Step is one token of an answer.
type Step struct {
	ID      int32
	LogProb float32 // natural logarithm of its probability
	Copied  bool    // by the pointer, from Source
	Source  int     // position the pointer is on, −1 for the sink
	Weight  float32 // of Source
	Hits    []Hit   // strongest first, at most maxHits
}

const maxHits = 8

// Decoder answers one question over a view, greedily, token by token.
// It belongs to one goroutine.
type Decoder struct {
	m       *Native
	att     *attender
	scratch nn.Scratch
	ids     []int32 // the question's segment so far
	asked   int     // length of ids before the answer
	words   lexis   // of the question, for the lexical prior
	prev    int     // position the last step pointed at, −1 none
	given   []int   // positions that were copied from
	quotes  bool    // the answer goes on where a quotation of the question ends
}

// NewDecoder prepares the answer to a question, given as ids without specials.
func (m *Native) NewDecoder(view kvcache.View, question []int32) *Decoder {
	ids := append([]int32{tokenizer.Question}, question...)
	ids = append(ids, tokenizer.Answer)
	c := &m.Config
	d := &Decoder{m: m, att: newAttender(view, c.CrossHeads, c.ValueDim), ids: ids, asked: len(ids), prev: -1}
	if m.Lexical.Weight != 0 && len(question) > 0 {
		d.words = newLexis(view, m.Tokens, question)
	}
	return d
}

// Next decodes one token; after tokenizer.End it must not be called again.
func (d *Decoder) Next(ctx context.Context) (Step, error) {
	if d.att.len() == 0 {
		return Step{}, fmt.Errorf("model: the context is empty")
	}
	x, hits, sink, err := d.crossDecoder(ctx)
	if err != nil {
		return Step{}, err
	}
	if n := kernel.SumSquares(x); n-n != 0 {
		return Step{}, fmt.Errorf("model: step %d has no finite activations: the weights are damaged", len(d.ids)-d.asked)
	}
	m, w := d.m, d.m.Params.Data
	logits := d.scratch.Floats(m.Config.Vocab)
	m.pointer.Head.Mul(&d.scratch, logits, x, 1, false)
	follow, must := d.onward()
	d.restrict(logits, must)
	kernel.Softmax(logits, 1)
	gate := m.pointer.GateOf(w, x)
	st := d.choose(logits, gate, sink, hits, follow, must)
	d.ids = append(d.ids, st.ID)
	return st, nil
}

// crossDecoder returns the output row for the last id, and the last layer's
// pointer: its hits, strongest first, and the sink's weight.
func (d *Decoder) crossDecoder(ctx context.Context) (x []float32, hits []Hit, sink float32, err error) {
	m, s, w, n := d.m, &d.scratch, d.m.Params.Data, d.att.len()
	s.Reset()
	s.Keep = false
	h := m.tail(s, d.ids)
	dim := m.Config.Width
	x = s.Floats(dim)
	copy(x, h)
	norm, ctxv := s.Floats(dim), s.Floats(m.Config.CrossHeads*m.Config.ValueDim)
	follow := -1
	if d.prev >= 0 && d.prev+1 < n {
		follow = d.prev + 1
	}
	for _, l := range m.cross {
		l.normAttn.Forward(s, w, norm, x)
		qu := l.query(s, w, norm, n, follow)
		d.prior(qu)
		sinks, hs, err := d.att.attend(ctx, ctxv, qu)
		if err != nil {
			return nil, nil, 0, err
		}
		for j, a := range sinks {
			dv := m.Config.ValueDim
			kernel.Axpy(ctxv[j*dv:(j+1)*dv], a, l.attn.SinkValue.Of(w))
		}
		l.attn.Out.Mul(s, x, ctxv, 1, true)
		l.normFF.Forward(s, w, norm, x)
		l.ff.Forward(s, w, x, norm, 1, &nn.FeedForwardAct{})
		hits, sink = hs, sinks[0]
	}
	out := s.Floats(dim)
	m.normOut.Forward(s, w, out, x)
	sortHits(hits)
	return out, hits, sink, nil
}

// prior puts the lexical prior on the pointer head of a query that looks for the
// beginning of a value; what follows is found by where the pointer was.
func (d *Decoder) prior(qu *query) {
	if !d.begins() {
		return
	}
	unit := d.m.Lexical.Weight * float32(nn.LogN(d.att.len()))
	for _, list := range [][]boost{d.words.boosts, d.words.next} {
		scaled := make([]boost, len(list))
		for i, b := range list {
			scaled[i] = boost{b.from, b.to, b.value * unit}
		}
		qu.boosts = append(qu.boosts, scaled)
	}
	if d.words.named {
		qu.sink[0] += d.m.Lexical.Sink * unit
	}
}

// begins says whether the next token is the first of a value.
func (d *Decoder) begins() bool {
	return len(d.ids) == d.asked || d.ids[len(d.ids)-1] == tokenizer.Sep
}

// piece returns the bytes at a position, nil outside the context.
func (d *Decoder) piece(pos int) []byte {
	if pos < 0 || pos >= d.att.len() || d.m.Tokens == nil {
		return nil
	}
	return d.m.Tokens.Piece(d.att.id(pos))
}

// text returns at least n bytes from a position on, fewer at the segment's end.
func (d *Decoder) text(pos, n int) (text []byte) {
	for p := pos; len(text) < n && d.piece(p) != nil; p++ {
		text = append(text, d.piece(p)...)
	}
	return text
}

// within says whether the text goes on unbroken from the entry before pos to
// pos: inside a word, or over a joint as in 18:0e, 3.14 or a/b.
func (d *Decoder) within(pos int) bool {
	var before, after [2]byte // the last two bytes before pos, the first two from pos on
	n := 0
	for p := pos - 1; n < 2; p-- {
		b := d.piece(p)
		if len(b) == 0 {
			break
		}
		for i := len(b) - 1; i >= 0 && n < 2; i-- {
			before[n] = b[i]
			n++
		}
	}
	n = 0
	for p := pos; n < 2; p++ {
		b := d.piece(p)
		if len(b) == 0 {
			break
		}
		n += copy(after[n:], b)
	}
	joint := func(c byte) bool { return c != 0 && strings.IndexByte(":-_/@.+#", c) >= 0 }
	switch {
	case inWord(before[0]) && joint(after[0]):
		return inWord(after[1])
	case joint(before[0]):
		return inWord(before[1]) && inWord(after[0])
	}
	return inWord(before[0]) && inWord(after[0])
}

// tail runs the self-decoder over the end of ids and returns the last row.
func (m *Native) tail(s *nn.Scratch, ids []int32) []float32 {
	from := max(0, len(ids)-1-m.Lead()) / nn.Block * nn.Block
	t := &nn.Tokens{T: len(ids) - from, Spans: []nn.Span{{Start: 0, End: len(ids) - from, Pos: from}}}
	h := m.selfDecoder(s, ids[from:], t, make([]nn.SelfAct, len(m.layers)))
	return h[len(h)-m.Config.Width:]
}

// Questions runs the self-decoder over questions and returns its rows [T, D] and
// the span of each question. The model must have been refreshed.
func (m *Native) Questions(s *nn.Scratch, questions []string) (rows []float32, spans []nn.Span) {
	var ids []int32
	for _, q := range questions {
		start := len(ids)
		ids = m.Tokens.Encode(append(ids, tokenizer.Question), []byte(q))
		ids = append(ids, tokenizer.Answer)
		spans = append(spans, nn.Span{Start: start, End: len(ids)})
	}
	t := &nn.Tokens{T: len(ids), Spans: spans}
	return m.selfDecoder(s, ids, t, make([]nn.SelfAct, len(m.layers))), spans
}

// restrict takes from the generator the tokens that cannot stand here; must says
// that the answer cannot end.
func (d *Decoder) restrict(logits []float32, must bool) {
	first := len(d.ids) == d.asked
	last := d.ids[len(d.ids)-1]
	for id := range int32(tokenizer.NumSpecial) {
		ok := !must && (id == tokenizer.End || id == tokenizer.Sep && last != tokenizer.Absent && last != tokenizer.Sep)
		if first {
			ok = id == tokenizer.Absent
		}
		if !ok {
			logits[id] = float32(math.Inf(-1))
		}
	}
}

// onward returns the position that the answer goes on with if it does not end,
// −1 if that is open, and whether it must not end: in the middle of a word, and,
// continuing a quotation, where a small letter follows in the same line.
func (d *Decoder) onward() (pos int, must bool) {
	next := d.prev + 1
	switch {
	case d.prev < 0 || next >= d.att.len():
		return -1, false
	case d.within(next), !d.quotes && d.nameGoesOn(next):
		return next, true
	case d.quotes && d.piece(next) != nil: // not another segment's first token
		return next, d.smallLetter(next)
	}
	return -1, false
}

// nameGoesOn says whether a capitalised word ends before pos and another follows
// with nothing but a space between: a name or a title, which is not cut.
func (d *Decoder) nameGoesOn(pos int) bool {
	after := d.text(pos, 8)
	if len(after) < 3 || after[0] != ' ' || !startsCapital(after[1:]) {
		return false
	}
	var word []byte // that ends before pos
	for p := pos - 1; p >= 0 && d.piece(p) != nil && len(word) < 32; p-- {
		piece := d.piece(p)
		word = append(slices.Clone(piece), word...)
		if !inWord(piece[0]) {
			break
		}
	}
	word = bytes.TrimLeft(word, " \n\"'([")
	return startsCapital(word) && inWord(word[len(word)-1])
}

// startsCapital says whether a text begins with a capital and a small letter.
func startsCapital(text []byte) bool {
	first, n := utf8.DecodeRune(text)
	second, _ := utf8.DecodeRune(text[n:])
	return unicode.IsUpper(first) && unicode.IsLower(second)
}

// smallLetter says whether the text goes on from pos with a small letter, but for
// spaces and punctuation.
func (d *Decoder) smallLetter(pos int) bool {
	for _, r := range string(d.text(pos, 16)) {
		switch {
		case r == '\n' || unicode.IsDigit(r) || r == utf8.RuneError:
			return false
		case unicode.IsLetter(r):
			return unicode.IsLower(r)
		}
	}
	return false
}

// lean adds bias to the log-odds of a probability p: it returns the new one, and
// the factor of all others'.
func lean(p, bias float32) (q, rest float32) {
	o := min(max(float64(p), 1e-30), 1-1e-7)
	n := 1 / (1 + (1-o)/o*math.Exp(-float64(bias)))
	return float32(n), float32((1 - n) / (1 - o))
}

// beginnings returns the hits at which a value can begin, strongest first: not
// in the middle of a word; not with a sign that stands alone, which passes its
// weight on, nor behind a joint, which passes it back to where the text is whole;
// hardly with a word of the question, or its article, or with a connective.
func (d *Decoder) beginnings(hits []Hit) []Hit {
	weight := map[int]float32{}
	before, after := float32(0), float32(0)
	for _, h := range hits {
		pos := h.Pos
		before += h.Weight
		a, b, c := d.piece(pos-1), d.piece(pos), d.piece(pos+1)
		switch {
		case len(a) > 0 && len(b) > 0 && inWord(a[len(a)-1]) && inWord(b[0]):
			continue
		case isSign(b) && len(c) > 0 && c[0] == ' ':
			pos++
		case d.within(pos):
			pos = d.unbroken(pos)
		}
		if slices.Contains(d.given, pos) { // no value is given twice
			continue
		}
		word := string(bytes.TrimSpace(d.piece(pos)))
		if d.words.echo(pos) || d.words.echo(pos+1) && articles[strings.ToLower(word)] || connectives[word] && !d.words.goesOn(pos) {
			h.Weight *= lexicalEcho
		}
		weight[pos] += h.Weight
		after += h.Weight
	}
	// That a value begins elsewhere does not say that there is none: the
	// pointer keeps its weight, as far as anything is left to bear it.
	scale := min(before/max(after, 1e-20), 1/lexicalEcho)
	out := make([]Hit, 0, len(weight))
	for pos, w := range weight {
		out = append(out, Hit{pos, w * scale})
	}
	sortHits(out)
	return out
}

// unbroken returns where the text begins that is unbroken up to pos but for
// joints within a name or number: leocadia.bexley, 10.0.0.1, a/b; not key:value.
func (d *Decoder) unbroken(pos int) int {
	for p := pos; pos-p < 64 && d.within(p); p-- {
		a, b := d.piece(p-1), d.piece(p)
		if last := a[len(a)-1]; last == ':' || last == '#' || last == '+' || b[0] == ':' || b[0] == '#' || b[0] == '+' {
			return pos
		}
		if !d.within(p - 1) {
			return p - 1
		}
	}
	return pos
}

// connectives join what is told of a value to what is told of something else;
// written small, none begins a value.
var connectives = map[string]bool{"that": true, "which": true, "who": true, "whom": true, "whose": true, "because": true,
	"although": true, "while": true, "whether": true, "but": true, "and": true, "or": true}

// articles stand before a word without meaning anything by themselves.
var articles = map[string]bool{"the": true, "a": true, "an": true, "its": true, "his": true, "her": true, "their": true}

// isSign says whether a piece is of punctuation alone.
func isSign(piece []byte) bool {
	piece = bytes.TrimLeft(piece, " ")
	return len(piece) > 0 && !slices.ContainsFunc(piece, func(c byte) bool { return c <= ' ' || inWord(c) })
}

// sortHits puts the strongest first.
func sortHits(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Pos, b.Pos))
	})
}

// choose takes the likeliest token of the mixture and moves the pointer; follow
// and must are what onward says.
func (d *Decoder) choose(gen []float32, gate, sink float32, hits []Hit, follow int, must bool) Step {
	share := 1 - gate*(1-sink)
	copied := map[int32]float32{}
	if d.begins() {
		hits = d.beginnings(hits)
	}
	for _, h := range hits {
		if id := d.att.id(h.Pos); id >= tokenizer.NumSpecial {
			copied[id] += gate * h.Weight
		}
	}
	absent, rest := share*gen[tokenizer.Absent], float32(1)
	if len(d.ids) == d.asked {
		absent, rest = lean(absent, d.m.AbsentBias)
	}
	best, p := int32(0), float32(-1)
	for id, g := range gen {
		if follow >= 0 && int32(id) != d.att.id(follow) && (must || int32(id) != tokenizer.End) {
			continue
		}
		q := rest * (share*g + copied[int32(id)])
		if id == int(tokenizer.Absent) {
			q = absent
		}
		if q > p {
			best, p = int32(id), q
		}
	}
	st := Step{ID: best, LogProb: float32(math.Log(float64(max(p, 1e-30)))), Source: -1, Weight: sink}
	if best == tokenizer.End {
		follow = -1
	}
	st.Copied = follow >= 0 || rest*copied[best] > p/2
	d.prev = -1
	if h, ok := d.pointed(&st, hits, follow, sink); ok {
		st.Source, st.Weight, d.prev = h.Pos, h.Weight, h.Pos
	}
	if st.Copied {
		if d.begins() {
			d.quotes = d.words.goesOn(d.prev)
		}
		d.given = append(d.given, d.prev)
	}
	st.Hits = append(st.Hits, hits[:min(len(hits), maxHits)]...)
	return st
}

// pointed returns the entry that a step points to: the one it has to follow, the
// strongest that holds its token, or, if it is not copied, the strongest of all
// unless that is the sink.
func (d *Decoder) pointed(st *Step, hits []Hit, follow int, sink float32) (Hit, bool) {
	if follow >= 0 {
		for _, h := range hits {
			if h.Pos == follow {
				return h, true
			}
		}
		return Hit{Pos: follow}, true // the pointer is elsewhere altogether
	}
	for _, h := range hits {
		if !st.Copied {
			return h, h.Weight > sink
		}
		if d.att.id(h.Pos) == st.ID {
			return h, true
		}
	}
	return Hit{}, false
}
