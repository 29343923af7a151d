package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/engine/enginetest"
	"github.com/handscroll/handscroll/internal/media"
)

func openTiny(t *testing.T) *engine.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	enginetest.WriteModel(t, path, 3, false)
	m, err := engine.OpenModel(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sentences(rng *rand.Rand, n int) string {
	words := strings.Fields("the quick brown fox jumps over a lazy dog 17 times , and 4815 is its number")
	var b strings.Builder
	for range n {
		for range 4 + rng.IntN(9) {
			b.WriteString(words[rng.IntN(len(words))] + " ")
		}
		b.WriteString(".\n")
	}
	return b.String()
}

// The real model's entries are those of one direct read, whatever the workers.
func TestNativeReadingIsExact(t *testing.T) {
	m := openTiny(t)
	rng := rand.New(rand.NewPCG(1, 1))
	parts := []media.Part{{Source: "a", Text: []byte(sentences(rng, 700))}, {Source: "b", Text: []byte(sentences(rng, 9))}}
	if n := m.CountTokens(parts[0].Text); n < 9000 {
		t.Fatalf("%d tokens are too few chunks", n)
	}
	var want string
	for i, workers := range []int{1, 2, 3} {
		c := engine.NewContext(m, engine.Options{Workers: workers, MaxAnswer: 5})
		if err := c.Read(context.Background(), parts, nil); err != nil {
			t.Fatal(err)
		}
		a, err := c.Ask(context.Background(), "what is its number?")
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(a.Text, a.Evidence)
		if i == 0 {
			want = got
		} else if got != want {
			t.Errorf("%d workers: %s\nwant %s", workers, got, want)
		}
	}
}

// A splice of the real model differs from a direct read by rounding only.
func TestNativeSpliceIsCloseToADirectRead(t *testing.T) {
	m := openTiny(t)
	rng := rand.New(rand.NewPCG(2, 1))
	base := sentences(rng, 300)
	const needle = "The number of the gate is 1729.\n"
	c := engine.NewContext(m, engine.Options{})
	if err := c.Read(context.Background(), []media.Part{{Source: "a", Text: []byte(base)}}, nil); err != nil {
		t.Fatal(err)
	}
	at := c.Boundary(c.Tokens() / 2)
	s, err := c.Splice(context.Background(), c.Tokens(), engine.Insert{At: at, Text: needle})
	if err != nil {
		t.Fatal(err)
	}
	text := s.Text(0, s.Tokens())
	if !bytes.Contains(text, []byte("\n"+needle)) && !bytes.HasPrefix(text, []byte(needle)) {
		t.Fatal("the needle is not at a line's beginning")
	}
	d := engine.NewContext(m, engine.Options{})
	if err := d.Read(context.Background(), []media.Part{{Source: "a", Text: text}}, nil); err != nil {
		t.Fatal(err)
	}
	if d.Tokens() != s.Tokens() {
		t.Fatalf("%d tokens spliced, %d read", s.Tokens(), d.Tokens())
	}
	if n, worst := engine.Distance(s, d); worst > 2 || n > s.Tokens()/2 {
		t.Errorf("%d components of keys and values differ, by %d at most", n, worst)
	}
}
