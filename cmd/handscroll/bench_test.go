package main

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// seeded is a fixed source of random numbers.
func seeded() *rand.Rand { return rand.New(rand.NewPCG(11, 11)) }

func TestBenchMeasures(t *testing.T) {
	h := newHouse(t)
	args := []string{"bench", "--model", h.model, "--lengths", "300,1k", "--single", "500", "--repeat", "2"}
	h.want(exitOK, args, "tokens/s", "answering", "bytes a token", "seed 1")
	var r benchReport
	if err := json.Unmarshal([]byte(h.want(exitOK, append(args, "--json"))), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Answering) != 2 || r.Answering[0].ContextTokens <= 300 || r.Answering[1].ContextTokens <= 1000 {
		t.Errorf("answering %+v", r.Answering)
	}
	last := r.Reading[len(r.Reading)-1]
	if last.Tokens < 1000 || last.TokensPerS <= 0 || r.Memory.BytesPerToken <= 0 || r.Memory.ResidentBytes <= 0 {
		t.Errorf("reading %+v, memory %+v", last, r.Memory)
	}
	h.want(exitUsage, []string{"bench", "--lengths", "all"}, "--lengths all")
	h.want(exitUsage, []string{"bench", "--repeat", "0"}, "--repeat 0")
}
