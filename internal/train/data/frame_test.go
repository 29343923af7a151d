package data

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := slots{'A' - 'A': "gate", 'E' - 'A': "the ferry", 'V' - 'A': "It is late."}
	for _, c := range []struct{ frame, want string }{
		{"The {A} of {E}: {V}", "The gate of the ferry: It is late."},
		{"{^E} has {A}.", "The ferry has gate."},
		{"{^E}. {V}.", "The ferry. It is late."}, // no second stop
		{"{ \"{A}\": {x} }", "{ \"gate\": {x} }"},
		{"\\[{A}\\]", "[gate]"},
		{"[x|x] [[y|y]|[y]]", "x y"},
		{"a[|]b", "ab"},
	} {
		f := expand(r, c.frame, &s)
		if string(f.text) != c.want {
			t.Errorf("%q: %q, want %q", c.frame, f.text, c.want)
		}
		if v := f.span('V'); v.end > 0 && string(f.text[v.start:v.end]) != s['V'-'A'] {
			t.Errorf("%q: the value's span holds %q", c.frame, f.text[v.start:v.end])
		}
	}
}

func TestEveryFrameExpands(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	var s slots
	for i := range s {
		s[i] = "<" + string(rune('A'+i)) + ">"
	}
	check := func(list []string, need string) {
		for _, frame := range list {
			for range 5 {
				text := expandString(r, frame, &s)
				for _, slot := range strings.Fields(need) {
					if !strings.Contains(text, slot) {
						t.Errorf("%q: no %s in %q", frame, slot, text)
					}
				}
			}
		}
	}
	check(forwardFrames, "<A> <E> <V>")
	check(backwardFrames, "<A> <E> <V>")
	check(fullQuestions, "<A> <E>")
	check(entityQuestions, "<E>")
	check(attributeQuestions, "<A>")
	check(reverseQuestions, "<A> <V>")
	check(severalQuestions, "<A> <E>")
	check(togetherQuestions, "<A> <E>")
	check(quoteQuestions, "<Q>")
	check(cellQuestions, "<A> <E>")
	check(settingQuestions, "<K>")
	check(sectionQuestions, "<K> <S>")
	for _, rel := range parseRelations() {
		check(rel.say, "<E> <V>")
		check(rel.ask, "<E>")
	}
}

func TestMutateAndVary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	same := 0
	for range 500 {
		v := pick(r, valueTypes).make(r)
		if v == "" || strings.TrimSpace(v) != v {
			t.Errorf("value %q", v)
		}
		if m := mutate(r, v); m == v {
			same++
		} else if len(m) != len(v) && !strings.Contains(v, " ") {
			t.Errorf("%q became %q", v, m)
		}
		e := pick(r, entityKinds).make(r)
		if e == "" || strings.TrimSpace(e) != e || vary(r, e) == "" {
			t.Errorf("entity %q", e)
		}
	}
	if same > 100 {
		t.Errorf("%d of 500 values were not changed", same)
	}
}
