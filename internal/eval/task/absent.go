package task

import (
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/eval"
)

// Absent asks two questions of each context: one whose answer stands there and
// one whose answer does not. The latter resembles what does stand there, in
// four ways in turn: its key is one character, digit or word off; its key is
// there, but with another attribute; two keys are each a little off; nothing
// is like it. The figures that matter are in the summary's absence.
type Absent struct{}

// Name implements [eval.Task].
func (Absent) Name() string { return "absent" }

// Scenes implements [eval.Task].
func (Absent) Scenes(g eval.Grid) int { return len(g.Depths) * g.Trials }

// attributes are what a key can have; fact says and asks for one.
var attributes = []string{"access code", "invoice number", "serial number", "phone extension", "case number",
	"postal code", "batch number", "weight in grams", "budget line", "top score"}

func fact(attribute string) Wording {
	return Wording{"The " + attribute + " of {key} is {value}.", "What is the " + attribute + " of {key}?"}
}

// Scene implements [eval.Task].
func (Absent) Scene(rng *rand.Rand, g eval.Grid, i int, _ eval.Text) (eval.Scene, error) {
	var s eval.Scene
	row := i % len(g.Depths)
	at := spot{row, g.Depths[row]}
	seen := make(map[string]bool)
	key, alike := newKeys(rng, seen)
	w := pick(rng, Wordings["mixed"])
	missing := eval.Probe{Row: row, Depth: at.depth, Absent: true}
	hide := func(w Wording, key string) {
		needle := fill(w.say, "{key}", key, "{value}", digits(rng, 7))
		s.Hide = append(s.Hide, eval.Needle{Text: needle, Depth: 100 * rng.Float64()})
	}
	// The row turns with every scene and the kind with every round of rows, so
	// that each row sees each kind.
	switch (i / len(g.Depths)) % 4 {
	case 0:
		missing.Question = fill(w.ask, "{key}", alike)
	case 1:
		order := rng.Perm(len(attributes))
		w = fact(attributes[order[0]])
		missing.Question = fill(fact(attributes[order[1]]).ask, "{key}", key)
	case 2:
		second := respell(rng, key)
		for second == alike {
			second = respell(rng, key)
		}
		hide(w, second)
		missing.Question = fill(w.ask, "{key}", alike)
	case 3:
		strange, _ := newKeys(rng, seen)
		missing.Question = fill(w.ask, "{key}", strange)
	}
	add(&s, at, w, key, digits(rng, 7))
	for range g.Needles - 1 {
		another, _ := newKeys(rng, seen)
		hide(pick(rng, Wordings["mixed"]), another)
	}
	s.Ask = append(s.Ask, missing)
	return s, nil
}

// respell changes the last letter or digit of a key.
func respell(rng *rand.Rand, key string) string {
	last := len(key) - 1
	if c := key[last]; c >= '0' && c <= '9' {
		return key[:last] + string('0'+(c-'0'+byte(1+rng.IntN(9)))%10)
	}
	return key[:last] + alter(rng, key[last:], 'a', 26)
}
