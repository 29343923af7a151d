package data

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
)

// world is one example in the making.
type world struct {
	g         *Generator
	r         *rand.Rand
	segments  []segment
	blocks    []block
	asks      []ask
	facts     factBook
	spare     []fact          // not asked for yet
	asked     map[string]bool // questions in lower case
	names     map[string]bool // keys that blocks other than facts have taken
	codeNames [][]string      // names of generated functions, types and constants
	want      int
	plain     []byte // the context's text with single spaces, made on demand
}

// segment is a context segment before assembly.
type segment struct {
	kind   Kind
	length int // tokens, BOS included
	budget int // tokens that generated blocks may still take
	filler []int32
	start  int // of the segment in the example
	starts []int32
}

// block is a piece of generated text, placed as a whole.
type block struct {
	segment int
	inline  bool // after a sentence rather than on a line of its own
	loose   bool // anywhere between two words
	ids     []int32
	spans   []span // answers, as token ranges of ids
	at      int    // index into the example's tokens, after assembly
}

// source names an answer's span; block -1 means tokens of the example itself.
type source struct {
	block int
	span  int
	raw   span
}

// ask is one question. No sources: the answer is not in the context.
type ask struct {
	text    string
	sources []source
	task    uint8
}

func (g *Generator) newWorld(r *rand.Rand, contextLen int) *world {
	w := &world{g: g, r: r, asked: map[string]bool{}, names: map[string]bool{}}
	w.facts.init()
	w.want = g.questionCount(r, contextLen)
	n := 1
	if contextLen >= 256 && chance(r, g.opts.ManySegments) {
		n = between(r, 2, min(6, contextLen/100))
	}
	density := g.opts.MinDensity + (g.opts.MaxDensity-g.opts.MinDensity)*r.Float64()*r.Float64()
	if chance(r, 0.2) {
		density = g.opts.MaxDensity
	}
	left := contextLen
	for i := range n {
		length := left
		if i < n-1 {
			length = max(48, int(float64(left)/float64(n-i)*(0.5+r.Float64())))
			length = min(length, left-48*(n-1-i))
		}
		left -= length
		kind := Prose
		if g.corpus.size(Prose) == 0 || (g.corpus.size(Code) > 0 && chance(r, g.opts.CodeShare)) {
			kind = Code
		}
		w.segments = append(w.segments, segment{kind: kind, length: length, budget: int(density * float64(length))})
	}
	// A few needles must fit, however thin the mixture.
	need := 36 * w.want
	total := 0
	for _, s := range w.segments {
		total += s.budget
	}
	if total < need {
		for i := range w.segments {
			s := &w.segments[i]
			s.budget = min(s.length*6/10, max(s.budget, need*s.length/contextLen))
		}
	}
	return w
}

// plan draws the tasks and lets each make its blocks and questions.
func (w *world) plan() {
	// Few tasks an example: hundreds of needles of one kind are the hard case.
	active := between(w.r, 1, 4)
	var share [NumTasks]int
	var chosen []uint8
	for len(chosen) < active {
		if t := w.drawTask(); !slices.Contains(chosen, t) || chance(w.r, 0.5) {
			chosen = append(chosen, t)
		}
	}
	for range w.want {
		share[pick(w.r, chosen)]++
	}
	// Quotations come last: they need the assembled context.
	for _, t := range []uint8{TaskTable, TaskConfig, TaskCode, TaskStory, TaskSeveral, TaskKeyValue} {
		if share[t] > 0 {
			w.make(t, share[t])
		}
	}
	w.sprinkle()
	w.fill()
	if share[TaskCode] > 0 {
		w.sources(max(1, share[TaskCode]/2))
	}
	if n := share[TaskQuotation]; n > 0 {
		w.quote(n)
	}
	// Where a task fell short for want of room, there may be facts left, and
	// there is always something to quote.
	for _, f := range w.spare {
		if len(w.asks) < w.want {
			w.askFact(f)
		}
	}
	if short := w.want - len(w.asks); short > 0 {
		w.quote(min(short, 1+w.want/6))
	}
	for len(w.asks) == 0 { // a context too short for anything
		th := w.newTheme()
		w.askAbsent(&th)
	}
	w.r.Shuffle(len(w.asks), func(i, j int) { w.asks[i], w.asks[j] = w.asks[j], w.asks[i] })
	if len(w.asks) > w.want {
		w.asks = w.asks[:w.want]
	}
}

func (w *world) make(task uint8, n int) {
	switch task {
	case TaskKeyValue:
		w.keyValues(n)
	case TaskSeveral:
		w.several(n)
	case TaskTable:
		w.tabular(n)
	case TaskConfig:
		w.configs(n)
	case TaskCode:
		w.snippets(n)
	case TaskStory:
		w.stories(n)
	}
}

func (w *world) drawTask() uint8 {
	total := 0.0
	for t, weight := range w.g.weights {
		if uint8(t) != TaskAbsent {
			total += weight
		}
	}
	x := w.r.Float64() * total
	for t, weight := range w.g.weights {
		if uint8(t) == TaskAbsent {
			continue
		}
		if x -= weight; x < 0 {
			return uint8(t)
		}
	}
	return TaskKeyValue
}

// add places a text with its answer spans and returns the block's number, or
// -1 where no segment has room. Sentences may stand inside a paragraph; other
// texts have lines of their own.
func (w *world) add(text []byte, spans []span, sentence bool) int {
	at := w.r.IntN(len(w.segments))
	need := len(text)/3 + 3
	for i := range w.segments {
		if w.segments[at].budget >= need {
			break
		}
		if i == len(w.segments)-1 {
			return -1
		}
		at = (at + 1) % len(w.segments)
	}
	b := block{segment: at}
	before, after := w.glue(&b, text, sentence)
	if w.segments[at].kind == Code && sentence && bytes.IndexByte(text, '\n') < 0 {
		before += pick(w.r, []string{"// ", "// ", "# ", "//", "/* ", "\t// ", "    # ", "\t// NOTE: ", "// TODO: "})
		if strings.Contains(before, "/*") {
			after = " */" + after
		}
	}
	full := make([]byte, 0, len(before)+len(text)+len(after))
	full = append(append(append(full, before...), text...), after...)
	b.ids = w.g.tok.Encode(nil, full)
	if len(b.ids) > w.segments[at].budget {
		return -1
	}
	b.spans = make([]span, len(spans))
	for i, s := range spans {
		b.spans[i] = w.tokenSpan(b.ids, span{s.start + len(before), s.end + len(before)})
	}
	w.segments[at].budget -= len(b.ids)
	w.blocks = append(w.blocks, b)
	return len(w.blocks) - 1
}

// glue chooses what stands before and after a block. A line block goes before
// a token that begins with a newline, so it brings its own newline in front.
func (w *world) glue(b *block, text []byte, sentence bool) (before, after string) {
	r := w.r
	if !sentence || w.segments[b.segment].kind == Code {
		if !sentence && chance(r, 0.6) {
			return "\n\n", "\n"
		}
		return "\n", ""
	}
	switch x := r.Float64(); {
	case x < 0.3:
		b.inline = true
		return " ", ""
	case x < 0.33:
		b.inline, b.loose = true, true
		return " ", ""
	case x < 0.6:
		return "\n", ""
	case x < 0.82:
		return "\n\n", "\n"
	case x < 0.88:
		return pick(r, []string{"\n- ", "\n* ", "\n• ", "\n  - ", "\n-- ", "\n> ", "\n+ "}), ""
	case x < 0.92:
		return "\n" + pick(r, []string{"1. ", "2. ", "3) ", "(4) ", "7. ", "a) ", "§ "}), ""
	case x < 0.96:
		return "\n\"", "\""
	default:
		return pick(r, []string{"\n[", "\n(", "\n\n(", "\n*", "\n_", "\n** "}), pick(r, []string{"]", ")", ")\n", "*", "_", ""})
	}
}

// tokenSpan returns the tokens that overlap a byte range of their text.
func (w *world) tokenSpan(ids []int32, s span) span {
	out := span{-1, len(ids)}
	at := 0
	for i, id := range ids {
		if at >= s.end {
			out.end = i
			break
		}
		at += len(w.g.tok.Piece(id))
		if at > s.start && out.start < 0 {
			out.start = i
		}
	}
	return out
}

// ask adds a question unless the same words have been asked before.
func (w *world) ask(task uint8, text string, sources ...source) bool {
	key := strings.ToLower(text)
	if w.asked[key] {
		return false
	}
	w.asked[key] = true
	if len(sources) == 0 {
		task = TaskAbsent
	}
	w.asks = append(w.asks, ask{text: text, sources: sources, task: task})
	return true
}

// sprinkle adds stray values that look like those of the needles.
func (w *world) sprinkle() {
	if len(w.facts.list) == 0 || !chance(w.r, w.g.opts.LookAlike) {
		return
	}
	for range between(w.r, 1, max(2, w.want/2)) {
		v := mutate(w.r, pick(w.r, w.facts.list).value)
		if w.facts.values[v] > 0 {
			continue
		}
		w.add([]byte(expandString(w.r, pick(w.r, strayFrames), &slots{'V' - 'A': v})), nil, true)
	}
}

var strayFrames = []string{
	"{V}", "{V}", "{V}.", "({V})", "See [also |]{V}.", "[ref|cf|No|see]. {V}", "[Page|Item|Entry|Lot] {V}.",
	"[Not|Never|Certainly not] {V}.", "{V}?", "[And|Then|So|But] {V}[, too|, perhaps|][.|;|...]", "[old|void|n/a]: {V}",
}
