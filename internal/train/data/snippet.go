package data

import (
	"bytes"
	"math/rand/v2"
	"strings"
)

// snippet is a generated piece of code; {N} its name, unique in the example,
// {P} a parameter or member, {V} a value, {T} a type, {X} another name, {W} the
// words of a comment, {D} a whole definition line.
type snippet struct {
	text      string
	style     int // of {N}
	questions []storyQuestion
}

var (
	askDefault = storyQuestion{'V', []string{"What is the default [value |]of {P} in {N}?", "What does {P} default to in {N}?", "Which default has {N}'s [argument|parameter] {P}?", "Default of {P} of {N}?", "If {P} is not given to {N}, what is it?", "{N} {P} default", "default {P} {N}"}}
	askMember  = storyQuestion{'V', []string{"What is {P} of {N}?", "What is {N}.{P}?", "{N}.{P}", "What value has {N}'s {P}?", "What is {P} in [class |struct |]{N}?", "Which {P} does {N} have?", "To what does {N} set {P}?", "value of {P} in {N}"}}
	askReturn  = storyQuestion{'V', []string{"What does {N} return?", "What is returned by {N}?", "What does the function {N} [return|give back]?", "Return value of {N}?", "{N} returns", "What comes out of {N}()?", "What result does {N} give?"}}
	askConst   = storyQuestion{'V', []string{"What is [the value of |]{N}?", "What is {N} defined as?", "How is {N} defined?", "Which value does the constant {N} have?", "{N} =", "{N}?", "value of {N}", "What does {N} equal?"}}
	askType    = storyQuestion{'T', []string{"What is the type of {P} in {N}?", "Which type has {P} of {N}?", "What type is {N}'s {P}?", "type of {P} in {N}", "Of what type is {P} in {N}?"}}
	askComment = storyQuestion{'W', []string{"What does the comment [on|above|about|of] {N} say?", "What does the documentation say about {N}?", "What does {N} do?", "What is {N} for, according to its comment?", "comment of {N}", "How is {N} documented?"}}
	askWhere   = storyQuestion{'D', []string{"Where is {N} defined?", "Where is {N} declared?", "Show the definition of {N}.", "What is the signature of {N}?", "Which line defines {N}?", "definition of {N}", "signature of {N}", "How is {N} declared?"}}
)

// The {D} slot is written around a nested line: see tellSnippet.
var snippets = []snippet{
	{"{D}def {N}({X}, {P}={V}):\n    return {X}", snake, []storyQuestion{askDefault, askWhere}},
	{"# {W}\n{D}def {N}({P}={V}):\n    pass", snake, []storyQuestion{askDefault, askComment, askWhere}},
	{"{D}def {N}(self, {X}):\n    \"\"\"{W}\"\"\"\n    return {V}", snake, []storyQuestion{askReturn, askComment, askWhere}},
	{"class {N}:\n    {P} = {V}\n    {X} = None", pascal, []storyQuestion{askMember}},
	{"class {N}(Base):\n    \"\"\"{W}\"\"\"\n\n    def __init__(self):\n        self.{P} = {V}", pascal, []storyQuestion{askMember, askComment}},
	{"{N} = {V}  # {W}", upper, []storyQuestion{askConst, askComment}},
	{"{D}public static int {N}(int {X}) {\n    // {W}\n    return {V};\n}", camel, []storyQuestion{askReturn, askComment, askWhere}},
	{"public class {N} {\n    private {T} {P} = {V};\n}", pascal, []storyQuestion{askMember, askType}},
	{"/** {W} */\n{D}public {T} {N}() {\n    return {V};\n}", camel, []storyQuestion{askReturn, askComment, askWhere}},
	{"#define {N} {V}", upper, []storyQuestion{askConst}},
	{"#define {N} {V} /* {W} */", upper, []storyQuestion{askConst, askComment}},
	{"static const {T} {N} = {V};", camel, []storyQuestion{askConst}},
	{"/* {W} */\n{D}static {T} {N}(void)\n{\n\treturn {V};\n}", snake, []storyQuestion{askReturn, askComment, askWhere}},
	{"struct {N} {\n\t{T} {P}; /* {V} */\n\tint {X};\n};", snake, []storyQuestion{askType}},
	{"// {N} {W}\n{D}func {N}({X} int) {T} {\n\treturn {V}\n}", pascal, []storyQuestion{askReturn, askComment, askWhere}},
	{"// {N} is {W}\nconst {N} = {V}", camel, []storyQuestion{askConst, askComment}},
	{"const (\n\t{N} = {V}\n\t{X} = iota\n)", camel, []storyQuestion{askConst}},
	{"var {N} = {V} // {W}", camel, []storyQuestion{askConst, askComment}},
	{"type {N} struct {\n\t{P} {T} // {W}\n\t{X} int\n}", pascal, []storyQuestion{askType}},
	{"func new{N}() *{N} {\n\treturn &{N}{{P}: {V}}\n}", pascal, []storyQuestion{askMember}},
	{"const {N} = ({X}, {P} = {V}) => {X};", camel, []storyQuestion{askDefault}},
	{"export const {N} = {V};", camel, []storyQuestion{askConst}},
	{"{D}function {N}({P}) {\n  // {W}\n  return {V};\n}", camel, []storyQuestion{askReturn, askComment, askWhere}},
	{"pub const {N}: {T} = {V};", upper, []storyQuestion{askConst}},
	{"/// {W}\n{D}pub fn {N}({P}: {T}) -> {T} {\n    {V}\n}", snake, []storyQuestion{askReturn, askComment, askType, askWhere}},
	{"{N}() {\n  local {P}={V}\n  echo ${P}\n}", snake, []storyQuestion{askMember}},
	{"parser.add_argument(\"--{N}\", default={V}, help=\"{W}\")", kebab, []storyQuestion{askConst, askComment}},
	{"CREATE TABLE {N} (\n  {P} {T} DEFAULT {V},\n  {X} int\n);", snake, []storyQuestion{askDefault, askType}},
	{"enum {N} { {X}, {P} = {V} };", pascal, []storyQuestion{askMember}},
	{"@Value(\"${P}\")\n{T} {N} = {V};", camel, []storyQuestion{askConst}},
}

var typeNames = strings.Fields("int int64 uint32 float64 string bool byte double long char error size_t u8 i32 f64 usize String List Map Duration Reader Buffer varchar text []byte []string *Node Option Vec")

func codeValue(r *rand.Rand) string {
	return pick(r, []func() string{
		func() string { return integer(r, between(r, 1, 5)) },
		func() string { return integer(r, between(r, 1, 3)) },
		func() string { return "\"" + pick(r, words) + "\"" },
		func() string { return "'" + pick(r, words) + "-" + pick(r, techWords) + "'" },
		func() string { return pick(r, []string{"True", "False", "None", "null", "nil", "true", "false"}) },
		func() string { return "0x" + runOf(r, hexDigits, between(r, 2, 8)) },
		func() string { return integer(r, 1) + "." + runOf(r, digits, between(r, 1, 3)) },
		func() string {
			return integer(r, between(r, 1, 2)) + " * " + pick(r, []string{"1024", "60", "time.Second", "KB", "1000"})
		},
		func() string { return pick(r, techWords) + pick(r, []string{".", "_", "::"}) + pick(r, techWords) },
		func() string { return "[" + integer(r, 1) + ", " + integer(r, 2) + "]" },
		func() string { return "-" + integer(r, 2) },
		func() string {
			return joinKey(camel, []string{pick(r, verbs), pick(r, techWords)}) + "(" + pick(r, techWords) + ")"
		},
		func() string { return "1 << " + integer(r, 1) },
	})()
}

func comment(r *rand.Rand) string {
	return pick(r, []string{
		pick(r, []string{"returns", "holds", "checks", "moves", "counts", "merges", "skips", "resets"}) + " the " + pick(r, techWords) + " " + pick(r, prepositions) + " the " + pick(r, techWords) + pick(r, []string{"", "."}),
		"the " + pick(r, adjectives) + " " + pick(r, techWords) + " of " + article(pick(r, techWords)),
		"reports whether the " + pick(r, techWords) + " is " + pick(r, adjectives),
		"must not " + pick(r, verbs) + " the " + pick(r, techWords) + " twice",
		"counts " + pick(r, techWords) + "s per " + pick(r, techWords),
		"deprecated: use the " + pick(r, adjectives) + " " + pick(r, techWords) + " instead",
		"set by " + pick(r, firstNames) + " for the " + pick(r, techWords) + " " + pick(r, techWords),
	})
}

// snippets writes code until n questions are asked; a third of them are about
// the real sources in the context, once these are laid out.
func (w *world) snippets(n int) {
	for n > 0 {
		r := w.r
		k := &w.g.tables.snippets[r.IntN(len(w.g.tables.snippets))]
		s, ok := w.snippetSlots(k)
		if !ok {
			return
		}
		text, at := tellSnippet(r, k.text, &s)
		spans := append([]span(nil), at[:]...)
		for i := range spans {
			if spans[i].end == 0 {
				spans[i] = span{0, 1}
			}
		}
		block := w.add(text, spans, false)
		if block < 0 {
			return
		}
		for range min(n, between(r, 1, 2)) {
			w.askSnippet(k, &s, at, block)
			n--
		}
	}
}

func (w *world) snippetSlots(k *snippet) (s slots, ok bool) {
	r := w.r
	for range 100 {
		parts := []string{pick(r, append(techWords[:0:0], pick(r, verbs), pick(r, techWords))), pick(r, techWords)}
		if chance(r, 0.5) {
			parts = append(parts, pick(r, techWords))
		}
		if len(w.codeNames) > 0 && chance(r, w.g.opts.NearDuplicate) {
			parts = append([]string(nil), pick(r, w.codeNames)...)
			parts[r.IntN(len(parts))] = pick(r, techWords)
		}
		folded := strings.Join(parts, " ")
		if w.names[folded] || reserved(folded) != w.g.opts.HeldOut {
			continue
		}
		w.names[folded] = true
		w.codeNames = append(w.codeNames, parts)
		s['N'-'A'] = joinKey(k.style, parts)
		s['P'-'A'] = joinKey(pick(r, []int{snake, camel}), []string{pick(r, techWords), pick(r, techWords)}[:between(r, 1, 2)])
		s['X'-'A'] = pick(r, techWords)
		s['T'-'A'] = pick(r, typeNames)
		s['V'-'A'] = codeValue(r)
		s['W'-'A'] = comment(r)
		return s, s['P'-'A'] != s['X'-'A']
	}
	return s, false
}

// tellSnippet expands a snippet. "{D}" marks where a definition line begins;
// it ends with the line.
func tellSnippet(r *rand.Rand, text string, s *slots) ([]byte, [26]span) {
	f := expand(r, text, s)
	at := f.at
	d := strings.Index(text, "{D}")
	if d < 0 {
		return f.text, at
	}
	// The slot is empty, so its place is where the text before it ends.
	start := len(expand(r, text[:d], s).text)
	end := len(f.text)
	if n := bytes.IndexByte(f.text[start:], '\n'); n >= 0 {
		end = start + n
	}
	at['D'-'A'] = span{start, end}
	return f.text, at
}

func (w *world) askSnippet(k *snippet, s *slots, at [26]span, block int) {
	r := w.r
	q := pick(r, k.questions)
	if at[q.slot-'A'].end == 0 {
		return
	}
	t := *s
	absent := chance(r, w.g.opts.AbsentShare)
	if absent {
		fresh, ok := w.snippetSlots(k)
		if !ok {
			return
		}
		t['N'-'A'] = fresh['N'-'A']
	}
	text := w.phrase(expandString(r, pick(r, q.frames), &t), &t)
	if absent {
		w.ask(TaskAbsent, text)
		return
	}
	w.ask(TaskCode, text, source{block: block, span: int(q.slot - 'A')})
}
