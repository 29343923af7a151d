package speech

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Kind is what a line says about its value.
type Kind uint8

// Kinds of lines.
const (
	Prose     Kind = iota // a sentence of a text; no value
	Statement             // the key has the value
	Decoy                 // like a statement, but the key does not have the value
	kinds
)

// A Needle is what a generated line says.
type Needle struct {
	Kind     Kind
	Key      string // as a question would name it: "secret keyword", "code of the north gate"
	From, To int    // the value's bytes in the line's text
}

// Value returns the text of the line's value.
func (l *Line) Value() string { return l.Text[l.Needle.From:l.Needle.To] }

// The frames below have {A} for an adjective, {N} a noun, {E} an entity, {K} the key made
// of them, {V} the value; [a|b] is one of several.

// keywordFrames give the key "{A} {N}" its value.
var keywordFrames = []string{
	"[the|The] {K} is {V}[.||.]",
	"[the|The] {K} is {V}.",
	"[The|Our|My|Their|His|Her|Your] {K} [is|was|is now|will be|remains|is still|has always been] {V}.",
	"[The|Our|My] {K}[,|:] {V}.",
	"[The|Our] {K} for [today|tonight|this week|the journey]: {V}.",
	"[Remember|Note|Mark|Keep in mind|Do not forget] [that the|the] {K} is {V}.",
	"[Remember|Note|Write out|Do not forget] the {K}, {V}.",
	"{V} is the {K}.",
	"{V} [was|will be|remains|has become] [the|our|my] {K}.",
	"Use {V} as the {K}.",
	"[He|She|The captain|My uncle|The porter] [said|whispered|told me|swore|wrote] that the {K} [is|was] {V}.",
	"If anyone asks for the {K}, [say|answer] {V}.",
	"What is the {K}? [It is|It's||] {V}.",
	"For the {K}, [use|take|say|write] {V}.",
	"As everyone knows, the {K} is {V}.",
	"They changed the {K} to {V}.",
}

// plainFrames name no adjective; the key is the noun.
var plainFrames = []string{
	"[our|Our|The] {N} for [today|tonight]: {V}.",
	"[Remember|Note|Write] the {N} {V}.",
	"[The|Our|Today's] {N} is {V}.",
}

// factFrames give an entity's noun a value.
var factFrames = []string{
	"[The|the] {N} of {E} is {V}.",
	"The {N} [of|for] {E} [was|has been|will be|remains|is still] {V}.",
	"[Remember|Note|Please note] that the {N} of {E} is {V}.",
	"The {N} of {E}: {V}.",
	"For {E}, the {N} is {V}.",
	"As for {E}, the {N} is {V}.",
	"[He|She|The clerk|The guide] said that the {N} of {E} was {V}.",
	"The {N} of {E} [was set to|was changed to|is given as|turned out to be] {V}.",
}

// decoyFrames say something else with the same words.
var decoyFrames = []string{
	"[the|The|Our] {N} is {V}.",
	"The {K} was never {V}.",
	"The {K} is not {V}.",
	"{V} is not the {K}.",
	"{V} was never [the|our] {K}.",
	"The {A} {V} is a {N}.",
	"The {A} one is {V}.",
	"[He|She|Nobody] [forgot|has missed|knows] the {K}, said the {V}.",
	"[I|We] [forgot|missed|asked for] the {K} and the {V}.",
	"Is {V} the {K}?",
	"Who told you that the {K} is {V}?",
	"Don't say that the {K} is {V}.",
	"The {A} word is {V}.",
}

var (
	adjectives = strings.Fields("secret magic golden silver hidden final first second special royal sacred public red green blue")
	nouns      = []string{"keyword", "password", "code word", "word", "name", "number", "code", "pass phrase", "answer", "key"}
	attributes = []string{"code", "password", "name", "number", "keyword", "owner", "colour", "price"}
	entities   = []string{
		"the north gate", "the south gate", "the old mill", "the garden door", "the upper room", "the second train",
		"the blue boat", "the safe", "the tall house", "the night watch", "the royal library", "the third bridge",
		"the east tower", "the winter palace", "the small island", "the market", "the white horse", "the station",
	}
	people = strings.Fields(`Adam Alice Anna Arthur Charles Clara Daniel Edith Emma Frank George Grace Helen Henry
		Owen Jack James Joan John Kate Laura Lucy Mark Martin Mary Oliver Oscar Peter Philip Richard Rose Ruth Sarah
		Simon Thomas Victor Walter William`)
	digits = strings.Fields("zero one two three four five six seven eight nine")
	tens   = strings.Fields("twenty thirty forty fifty sixty seventy eighty ninety")
)

// Statements returns n generated lines, one in eight of them a decoy. Values are
// words out of the list, numbers and names. Training lines are without held-out
// words; in others the words that are values are held-out ones.
func Statements(rng *rand.Rand, words []string, n int, training bool) []Line {
	values := make([]string, 0, len(words))
	for _, w := range words {
		if len(w) >= 3 && HeldOut(w) != training && !strings.Contains(w, "'") {
			values = append(values, w)
		}
	}
	var out []Line
	for len(out) < n && len(values) > 0 {
		l := statement(rng, values)
		if !training || !slices.ContainsFunc(Words(l.Text), HeldOut) {
			out = append(out, l)
		}
	}
	return out
}

func statement(rng *rand.Rand, words []string) Line {
	value := pick(rng, words)
	kind, frames := Statement, keywordFrames
	adjective, noun, entity := pick(rng, adjectives), pick(rng, nouns), pick(rng, entities)
	key := adjective + " " + noun
	switch p := rng.IntN(40); {
	case p < 5:
		kind, frames = Decoy, decoyFrames
	case p < 7:
		frames, key = plainFrames, noun
	case p < 15:
		noun = pick(rng, attributes)
		frames, key = factFrames, noun+" of "+entity
	}
	// Numbers and names for a sixth of values.
	if p := rng.IntN(12); p == 0 {
		value = number(rng)
	} else if p == 1 {
		value = pick(rng, people)
	}
	frame := pick(rng, frames)
	if kind == Decoy && !strings.Contains(frame, "{K}") {
		key = noun
	}
	text := strings.NewReplacer("{K}", adjective+" "+noun, "{A}", adjective, "{N}", noun, "{E}", entity).Replace(choose(rng, frame))
	at := strings.Index(text, "{V}")
	if at == 0 && rng.IntN(2) == 0 {
		value = strings.ToUpper(value[:1]) + value[1:]
	}
	return Line{
		Text:   text[:at] + value + text[at+len("{V}"):],
		Needle: Needle{Kind: kind, Key: key, From: at, To: at + len(value)},
	}
}

// number is one as it is said: below a hundred, or digit by digit.
func number(rng *rand.Rand) string {
	if rng.IntN(3) == 0 {
		return pick(rng, tens) + " " + digits[1+rng.IntN(9)]
	}
	said := make([]string, 2+rng.IntN(4))
	for i := range said {
		said[i] = pick(rng, digits)
	}
	return strings.Join(said, " ")
}

// choose replaces each [a|b] of a frame by one of its choices.
func choose(rng *rand.Rand, frame string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(frame, "[")
		b.WriteString(before)
		if !ok {
			return strings.ReplaceAll(b.String(), "  ", " ")
		}
		choices, after, _ := strings.Cut(rest, "]")
		b.WriteString(pick(rng, strings.Split(choices, "|")))
		frame = after
	}
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
