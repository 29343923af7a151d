package task

import (
	"fmt"
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/eval"
)

// A Wording says a needle and asks for it. {key} and {value} are filled in.
type Wording struct{ say, ask string }

// gemini is the wording of the Gemini 1.5 technical report (2024), section
// 5.2.1.1. Its question ends with the prefix that the report forces the answer
// to begin with.
var gemini = Wording{
	say: "The special magic {key} number is: {value}",
	ask: "What is the special magic {key} number? Here is the magic number from the context:",
}

// Wordings are the sets of wordings that a task can draw from, by name.
var Wordings = map[string][]Wording{
	"gemini": {gemini},
	"mixed": {
		gemini,
		{"The access code for {key} is {value}.", "What is the access code for {key}?"},
		{"Note: {key} was given the number {value}.", "Which number was {key} given?"},
		{"Remember that the {key} counter stands at {value}.", "Where does the {key} counter stand?"},
		{"In the ledger, {key} appears under {value}.", "Under what number does {key} appear in the ledger?"},
		{"Anyone asking for {key} should be told {value}.", "What should someone asking for {key} be told?"},
		{"The parcel to {key} carries the label {value}.", "What label does the parcel to {key} carry?"},
		{"{key} reported a total of {value} this year.", "What total did {key} report this year?"},
		{"They agreed on {value} as the signal for {key}.", "What signal was agreed on for {key}?"},
		{"Dial {value} to reach the office in {key}.", "What do I dial to reach the office in {key}?"},
		{"{value} is the secret number of {key}.", "What is the secret number of {key}?"},
		{"By order of the council, {value} is assigned to {key}.", "What did the council assign to {key}?"},
	},
}

// NIAH hides numbers under the names of cities: the needle in a haystack of the
// Gemini 1.5 report.
type NIAH struct {
	Wording string // a key of Wordings
}

// Name implements [eval.Task].
func (t NIAH) Name() string { return "niah/" + t.Wording }

// Scenes implements [eval.Task].
func (t NIAH) Scenes(g eval.Grid) int { return scenes(g) }

// Scene implements [eval.Task].
func (t NIAH) Scene(rng *rand.Rand, g eval.Grid, i int, _ eval.Text) (eval.Scene, error) {
	if g.Needles > len(cities) {
		return eval.Scene{}, fmt.Errorf("%d needles, but only %d cities", g.Needles, len(cities))
	}
	wordings, err := wordingsOf(t.Wording)
	if err != nil {
		return eval.Scene{}, err
	}
	var s eval.Scene
	order := rng.Perm(len(cities))
	for k, at := range spread(rng, g, i) {
		add(&s, at, pick(rng, wordings), cities[order[k]], digits(rng, 7))
	}
	return s, nil
}

// wordingsOf is the set of wordings called name.
func wordingsOf(name string) ([]Wording, error) {
	if w := Wordings[name]; w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("no wording is called %q", name)
}

// add hides a value under a key and asks for it.
func add(s *eval.Scene, at spot, w Wording, key, value string) {
	needle := fill(w.say, "{key}", key, "{value}", value)
	s.Hide = append(s.Hide, eval.Needle{Text: needle, Depth: at.depth})
	s.Ask = append(s.Ask, eval.Probe{Row: at.row, Depth: at.depth, Needle: needle,
		Question: fill(w.ask, "{key}", key), Expected: value})
}
