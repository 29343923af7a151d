package eval

import "strings"

// A Result is one trial, one line of results.jsonl.
type Result struct {
	ID       string   `json:"id"`     // length/scene/question, unique in a run
	Length   int      `json:"length"` // tokens of the haystack
	Depth    float64  `json:"depth"`  // percent, where the needle really stands
	Row      int      `json:"row"`    // row of the heat map
	Seed     uint64   `json:"seed"`   // of this scene, drawn from the run's
	Needle   string   `json:"needle"`
	Question string   `json:"question"`
	Expected string   `json:"expected"`
	Absent   bool     `json:"absent"` // the right answer is "not in the context"
	Answer   string   `json:"answer"`
	OK       bool     `json:"ok"`       // the answer contains the expected string
	Strict   bool     `json:"strict"`   // the answer is the expected string
	Found    bool     `json:"found"`    // the model claims the context holds it
	Grounded bool     `json:"grounded"` // the evidence holds the expected string
	Tokens   int      `json:"tokens"`   // tokens of the whole context
	Seconds  float64  `json:"seconds"`
	Evidence Evidence `json:"evidence"`
}

// score fills in the verdicts for an answer to a probe.
func score(r *Result, p Probe, a Answer) {
	r.Answer, r.Found, r.Evidence = a.Text, a.Found, a.Evidence
	if p.Absent {
		r.OK, r.Strict, r.Grounded = !a.Found, !a.Found, !a.Found
		return
	}
	if !a.Found {
		return
	}
	got, want, quote := a.Text, p.Expected, a.Evidence.Quote
	if p.Wrapped {
		got, want, quote = unwrap(got), unwrap(want), unwrap(quote)
	}
	r.OK = strings.Contains(got, want)
	r.Strict = strings.TrimSpace(got) == want
	r.Grounded = strings.Contains(quote, want)
}

// unwrap makes every run of white space one space.
func unwrap(s string) string { return strings.Join(strings.Fields(s), " ") }
