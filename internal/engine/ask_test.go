package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

func ask(t *testing.T, c *Context, question string) *Answer {
	t.Helper()
	a, err := c.Ask(context.Background(), question)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// needleParts hides "port = VALUE" in line 40 of the second of three files.
func needleParts() []media.Part {
	filler := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "line %d of the city\n", i)
		}
		return b.String()
	}
	return []media.Part{
		{Source: "a.txt", Text: []byte(filler(30))},
		{Source: "b.conf", Text: []byte(filler(39) + "  the port = 48151 \n" + filler(50))},
		{Source: "c.txt", Text: []byte(filler(10))},
	}
}

func TestAnswerWithEvidence(t *testing.T) {
	m, _ := newFake()
	for _, chunk := range []int{64, 128, 4096} {
		c := NewContext(m, Options{chunk: chunk})
		parts := needleParts()
		mustRead(t, c, parts...)
		a := ask(t, c, "the port =")
		if !a.Found || a.Text != "48151" || a.Cut {
			t.Fatalf("%+v", a)
		}
		e := a.Evidence[0]
		if e.Source != "b.conf" || e.Line != 40 || e.Quote != "the port = 48151" {
			t.Errorf("chunk %d: %+v", chunk, e)
		}
		if got := string(parts[1].Text[e.Offset:][:len(e.Quote)]); got != e.Quote {
			t.Errorf("at the offset stands %q", got)
		}
		// The stand-in weighs two positions of the line, 0.75 and 0.2.
		if e.Weight < 0.9 || e.Weight > 1 || len(a.Evidence) != 1 {
			t.Errorf("%+v", a.Evidence)
		}
		if a.Prompt <= c.Tokens() || a.Cached != 0 || a.Tokens < 5 || a.Tokens > 7 {
			t.Errorf("usage %+v", a)
		}
	}
}

func TestAbsentAnswer(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, needleParts()...)
	a := ask(t, c, "the gate =")
	if a.Found || a.Text != NotFound || len(a.Evidence) != 0 {
		t.Errorf("%+v", a)
	}
}

func TestSeveralValues(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, media.Part{Source: "x", Text: []byte("the port = 1\nno\nthe port = \"two\"\n")}, media.Part{Source: "y", Text: []byte("and the port = it's\n")})
	a := ask(t, c, "the port =")
	if a.Text != "1; two; it's" || len(a.Evidence) != 3 {
		t.Errorf("%+v", a)
	}
	for _, e := range a.Evidence {
		if e.Source == "x" && e.Line != 1 && e.Line != 3 || e.Source == "y" && e.Line != 1 {
			t.Errorf("%+v", e)
		}
	}
}

func TestEmptyQuestion(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, needleParts()...)
	for _, q := range []string{"", "  \n\t "} {
		if _, err := c.Ask(context.Background(), q); err == nil || !strings.Contains(err.Error(), "question is empty") {
			t.Errorf("%q: %v", q, err)
		}
	}
}

func TestEmptyContext(t *testing.T) {
	m, _ := newFake()
	if _, err := NewContext(m, Options{}).Ask(context.Background(), "what?"); err == nil || !strings.Contains(err.Error(), "context is empty") {
		t.Error(err)
	}
}

func TestAnswerCap(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{MaxAnswer: 3})
	mustRead(t, c, media.Part{Source: "x", Text: []byte("pi = 3.14159265358979\n")})
	if a := ask(t, c, "pi ="); !a.Cut || a.Tokens != 3 {
		t.Errorf("%+v", a)
	}
	c.opts.MaxAnswer = 0
	if a := ask(t, c, "pi ="); a.Cut || a.Text != "3.14159265358979" {
		t.Errorf("%+v", a)
	}
}

func TestLongQuestionBecomesContext(t *testing.T) {
	m, net := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, media.Part{Source: "x", Text: []byte("nothing here\n")})
	before := c.Tokens()
	question := strings.Repeat("I was in the city and saw much.\n", 20) + "The code = 4711\n" + strings.Repeat("More of the city.\n", 20) + "The code ="
	n := len(testTokens.Encode(nil, []byte(question)))
	if n <= maxQuestion {
		t.Fatal("the question is too short for this test")
	}
	net.made.Store(0)
	a := ask(t, c, question)
	if a.Text != "4711" && !strings.HasPrefix(a.Text, "4711") {
		t.Errorf("%+v", a)
	}
	if e := a.Evidence[0]; e.Source != "question" || e.Line != 21 {
		t.Errorf("%+v", e)
	}
	if c.Tokens() != before {
		t.Error("the question stays in the context")
	}
	head, tail := splitQuestion(m, testTokens.Encode(nil, []byte(question)))
	if len(tail) > maxQuestion || len(head)+len(tail) != n || net.made.Load() != int64(len(head)+1) {
		t.Errorf("%d + %d of %d tokens, %d made", len(head), len(tail), n, net.made.Load())
	}
}

func TestAnswerTextKeepsOddQuotes(t *testing.T) {
	m, _ := newFake()
	for in, want := range map[string]string{
		` "quoted" `: "quoted", `"open`: `"open`, `"a" and "b"`: `"a" and "b"`, "`x`": "x", `""`: "", `'`: `'`,
	} {
		var steps []model.Step
		for _, id := range testTokens.Encode(nil, []byte(in)) {
			steps = append(steps, model.Step{ID: id})
		}
		if got := m.answerText(steps); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestQuoteProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	long := strings.Repeat("A sentence of the city with enough words in it to be of use. ", 30)
	unbroken := strings.Repeat("é", 2000)
	texts := []string{long, unbroken, "short\nlines\n\nhere\n", strings.Repeat(" ", 1000), "x", "\n", string(randomText(rng, 3000)), strings.ReplaceAll(string(randomText(rng, 3000)), "\n", " ")}
	for _, s := range texts {
		text := []byte(s)
		for range 400 {
			at := int64(rng.IntN(len(text)))
			from, to := quote(text, at)
			q := text[from:to]
			if from < 0 || to > int64(len(text)) || to-from > maxQuote {
				t.Fatalf("quote [%d, %d) of %d bytes around %d", from, to, len(text), at)
			}
			if !isSpace(text[at]) && (at < from || at >= to) {
				t.Fatalf("byte %d is not in its quote [%d, %d)", at, from, to)
			}
			if strings.Contains(string(q), "\n") {
				t.Fatalf("a quote over lines: %q", q)
			}
			if utf8.ValidString(s) && utf8.RuneStart(text[at]) && !utf8.Valid(q) {
				t.Fatalf("a quote inside a character: %q", q)
			}
		}
	}
	at := int64(strings.Index(long, "enough"))
	if from, to := quote([]byte(long), at); long[from:to] != "A sentence of the city with enough words in it to be of use." {
		t.Errorf("sentence %q", long[from:to])
	}
}

// The lines of every token, against counting from the beginning.
func TestEvidenceLineOfEveryToken(t *testing.T) {
	m, _ := newFake()
	rng := rand.New(rand.NewPCG(12, 1))
	for range 5 {
		text := randomText(rng, 3000)
		c := NewContext(m, Options{chunk: 64})
		mustRead(t, c, media.Part{Source: "before", Text: []byte("x\ny\n")}, media.Part{Source: "f", Text: text})
		base := c.starts[1]
		at := int64(0)
		for p := base; p < c.Tokens(); p++ {
			seg, index, token := c.locate(p)
			if index != 1 || token != p-base {
				t.Fatalf("position %d is token %d of part %d", p, token, index)
			}
			if got := m.byteOffset(seg, token); got != at {
				t.Fatalf("token %d at byte %d, want %d", token, got, at)
			}
			if got, want := lineOf(seg, at), 1+strings.Count(string(text[:at]), "\n"); got != want {
				t.Fatalf("byte %d in line %d, want %d", at, got, want)
			}
			r, i := c.view.At(p)
			at += int64(len(testTokens.Piece(int32(r.ID[i]))))
		}
		if at != int64(len(text)) {
			t.Fatalf("tokens cover %d of %d bytes", at, len(text))
		}
	}
}

func TestAskIsConcurrent(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, needleParts()...)
	done := make(chan string)
	for range 8 {
		go func() {
			a, err := c.Ask(context.Background(), "the port =")
			if err != nil {
				done <- err.Error()
				return
			}
			done <- a.Text
		}()
	}
	for range 8 {
		if got := <-done; got != "48151" {
			t.Error(got)
		}
	}
}

func TestForkKeepsTheOriginal(t *testing.T) {
	m, _ := newFake()
	dir := t.TempDir()
	c, err := OpenContext(m, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, c, needleParts()[:2]...)
	c.Close()
	if c, err = OpenContext(m, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := c.Fork()
	mustRead(t, f, media.Part{Source: "extra", Text: []byte("the gate = 5\n")})
	if a := ask(t, f, "the gate ="); a.Text != "5" || a.Cached != c.Tokens() || a.Evidence[0].Source != "extra" {
		t.Errorf("%+v", a)
	}
	if a := ask(t, c, "the gate ="); a.Found {
		t.Errorf("the original found %+v", a)
	}
}

func TestScore(t *testing.T) {
	m, _ := newFake()
	got, err := m.Score(context.Background(), []byte("the city"))
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for i, s := range got {
		text += s.Text
		if s.LogProb != -float32(i+1) {
			t.Errorf("token %d has %g", i, s.LogProb)
		}
	}
	if text != "the city" {
		t.Errorf("tokens of %q", text)
	}
}

func TestSpecialTokensDoNotCount(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, media.Part{Source: "x", Text: []byte("a b c\n")})
	steps := []model.Step{{ID: tokenizer.NumSpecial + 'a', Source: 1, Weight: 0.5}, {ID: tokenizer.Sep, Source: 1, Weight: 1}}
	if e := c.evidence(steps); len(e) != 1 || e[0].Weight != 0.5 {
		t.Errorf("%+v", e)
	}
}
