package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

func TestCite(t *testing.T) {
	film := handscroll.Medium("films/f.mp4", "1", handscroll.Film, time.Minute, nil)
	files := []handscroll.Part{
		{Source: "a.txt", Text: []byte("first line\nThe port of the server\nis 8080, says the \"manual\".\nlast\n")},
		{Source: "b.go", Text: []byte("const Port = 9090\n")},
		film,
	}
	for name, c := range map[string]struct {
		answer  string
		claims  []Claim
		text    string
		places  string
		missing []string
	}{
		"a quote":            {answer: "8080\n\n> The port of the server\n", text: "8080", places: "a.txt:2"},
		"over lines":         {answer: "8080\n> port of the server is 8080", text: "8080", places: "a.txt:2"},
		"in marks":           {answer: "8080\n> \"is 8080, says the\"\n", text: "8080", places: "a.txt:3"},
		"with its place":     {answer: "9090\n> const Port = 9090 (b.go)\n", text: "9090", places: "b.go:1"},
		"with a dash":        {answer: "9090\n> const Port = 9090 — b.go:1\n", text: "9090", places: "b.go:1"},
		"left out":           {answer: "8080\n> … port of the server ... manual\n", text: "8080", places: "a.txt:2"},
		"made up":            {answer: "8081\n> The port is 8081\n", text: "8081", missing: []string{"The port is 8081"}},
		"one of two":         {answer: "x\n> last\n> lost\n> last\n", text: "x", places: "a.txt:4", missing: []string{"lost"}},
		"running text":       {answer: `It says "The port of the server", and "something else entirely".`, text: `It says "The port of the server", and "something else entirely".`, places: "a.txt:2"},
		"quotes alone":       {answer: "> last", text: "> last", places: "a.txt:4"},
		"too short":          {answer: "x\n> a\n", text: "x\n> a"},
		"other case":         {answer: "x\n> LAST\n", text: "x", missing: []string{"LAST"}},
		"the server's":       {answer: "x", claims: []Claim{{Source: "part 1", Quote: "const Port"}}, text: "x", places: "b.go:1"},
		"the server's fancy": {answer: "x", claims: []Claim{{Source: "a.txt", Quote: "no such thing"}}, text: "x", missing: []string{"no such thing"}},
		"seen":               {answer: "x", claims: []Claim{{Source: "f.mp4", Quote: "read there", Time: 31 * time.Second, Timed: true}}, text: "x", places: "films/f.mp4@00:31"},
		"after its end":      {answer: "x", claims: []Claim{{Source: "f.mp4", Quote: "read there", Time: time.Hour, Timed: true}}, text: "x", missing: []string{"read there"}},
		"an unknown film":    {answer: "x", claims: []Claim{{Source: "g.mp4", Quote: "read there", Timed: true}}, text: "x", missing: []string{"read there"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Cite(files, &Answer{Text: c.answer, Claims: c.claims})
			var places []string
			for _, e := range got.Evidence {
				places = append(places, e.Place())
				if e.Source == "a.txt" && !strings.HasPrefix(string(files[0].Text[e.Offset:]), e.Quote) {
					t.Errorf("%q is not at %d", e.Quote, e.Offset)
				}
			}
			if got.Text != c.text || strings.Join(places, " ") != c.places || !slices.Equal(got.Missing, c.missing) {
				t.Errorf("%+v at %v", got, places)
			}
		})
	}
}

func TestCiteBounds(t *testing.T) {
	var text strings.Builder
	var answer strings.Builder
	for i := range 9 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("ä", 200))
		text.WriteString(line + "\n")
		answer.WriteString("> " + line + "\n")
	}
	got := Cite([]handscroll.Part{{Source: "x", Text: []byte(text.String())}}, &Answer{Text: "a\n" + answer.String()})
	if len(got.Evidence) != maxEvidence || len(got.Evidence[0].Quote) != maxQuote || strings.ContainsRune(got.Evidence[0].Quote, '�') {
		t.Errorf("%+v", got.Evidence)
	}
}

func FuzzCite(f *testing.F) {
	f.Add("8080\n> The port \"x\" (a.go) … b\n", "The port\n\"x\" (a.go)")
	f.Add("> \xff\xfe. [", "\xff\xfe")
	f.Fuzz(func(t *testing.T, answer, text string) {
		p := handscroll.Part{Source: "x", Text: []byte(text)}
		for _, e := range Cite([]handscroll.Part{p}, &Answer{Text: answer}).Evidence {
			if !strings.HasPrefix(text[e.Offset:], e.Quote) || e.Line < 1 {
				t.Errorf("%+v", e)
			}
		}
	})
}

func TestParseTime(t *testing.T) {
	for s, want := range map[string]time.Duration{"61.5": 61500 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "12:34": 754 * time.Second, "1:00:00": time.Hour,
		"": -1, "null": -1, "-3": -1, "1:2:3:4": -1, "x:1": -1, "1e30": -1, "NaN": -1} {
		got, ok := parseTime(s)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %s, %v", s, got, ok)
		}
	}
}
