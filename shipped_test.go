package handscroll_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/handscroll/handscroll"
)

// TestShippedModel asks the embedded model about a note in a long context: the
// answer, the place, and that what is not there is said to be absent.
func TestShippedModel(t *testing.T) {
	m, err := handscroll.Open("")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	words := strings.Fields("the old river ran past a quiet mill where seven brown geese slept under one broken oar and nobody asked why it was so")
	var text strings.Builder
	line, lines := 1, map[string]int{}
	put := func(name, s string) {
		lines[name] = line
		text.WriteString(s + "\n")
		line++
	}
	for i := range 3000 {
		switch i {
		case 400:
			put("gate", "The gate code for the north entrance is 4471.")
		case 1500:
			put("config", "max_retries = 17")
		case 2400:
			put("city", "The favourite colour of Verrania is teal.")
		}
		n := 6 + r.IntN(10)
		for range n {
			text.WriteString(words[r.IntN(len(words))] + " ")
		}
		text.WriteString("\n")
		line++
	}
	c := m.NewContext(handscroll.ContextOptions{})
	ctx := context.Background()
	if err := c.Read(ctx, []handscroll.Part{{Source: "notes.txt", Text: []byte(text.String())}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct{ question, want, place string }{
		{"What is the gate code for the north entrance?", "4471", "gate"},
		{"What is max_retries set to?", "17", "config"},
		{"What is the favourite colour of Verrania?", "teal", "city"},
	} {
		a, err := c.Ask(ctx, q.question)
		if err != nil {
			t.Fatal(err)
		}
		if !a.Found || !strings.Contains(a.Text, q.want) {
			t.Errorf("%s %q, found %v, want %s", q.question, a.Text, a.Found, q.want)
			continue
		}
		if e := a.Evidence[0]; e.Source != "notes.txt" || e.Line != lines[q.place] || !strings.Contains(e.Quote, q.want) {
			t.Errorf("%s evidence %s, want line %d", q.question, fmt.Sprintf("%+v", e), lines[q.place])
		}
	}
	if a, err := c.Ask(ctx, "What is the serial number of the compressor?"); err != nil || a.Found {
		t.Errorf("a question without an answer: %+v, %v", a, err)
	}
}
