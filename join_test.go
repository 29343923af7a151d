package handscroll_test

import (
	"strings"
	"testing"

	"github.com/handscroll/handscroll"
)

// TestJoin asks parts of two contexts as if one had read them.
func TestJoin(t *testing.T) {
	m, err := handscroll.Open("")
	if err != nil {
		t.Fatal(err)
	}
	opts := handscroll.ContextOptions{}
	part := func(source, text string) handscroll.Part {
		return handscroll.Part{Source: source, Text: []byte(text)}
	}
	gate, port := part("gate", "The gate code is 4471.\n"), part("port", "The default port is 8080.\n")
	city := part("city", "The favourite colour of Verrania is teal.\n")
	first, second, alone := m.NewContext(opts), m.NewContext(opts), m.NewContext(opts)
	for c, parts := range map[*handscroll.Context][]handscroll.Part{first: {gate, port}, second: {city}, alone: {city, port}} {
		if err := c.Read(t.Context(), parts, nil); err != nil {
			t.Fatal(err)
		}
	}
	joined := m.Join(opts, handscroll.Selection{Context: second}, handscroll.Selection{Context: first, Sources: []string{"port"}})
	if got, want := joined.Tokens(), alone.Tokens(); got != want {
		t.Errorf("%d tokens, want %d", got, want)
	}
	for _, q := range []string{"What is the default port?", "What is the favourite colour of Verrania?", "What is the gate code?"} {
		got, err := joined.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := alone.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if got.Text != want.Text || got.Found != want.Found {
			t.Errorf("%s: %q, as one context %q", q, got.Text, want.Text)
		}
		if strings.Contains(got.Text, "4471") {
			t.Errorf("%s: %q, of a part that was not selected", q, got.Text)
		}
	}
}
