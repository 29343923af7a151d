package task

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/eval"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// hay is a text whose every sentence begins differently.
func hay() eval.Text {
	var b strings.Builder
	_ = eval.Generate(&b, rng(3), 60_000)
	text := []byte(b.String())
	return eval.Text{Length: len(text) / 4, Bytes: func() ([]byte, error) { return text, nil }}
}

var grid = eval.Grid{Depths: []float64{0, 50, 100}, Trials: 4, Needles: 1}

func all() []eval.Task {
	return []eval.Task{NIAH{"gemini"}, NIAH{"mixed"}, HeldOut{}, Lookalike{"mixed"}, Absent{}, &Quote{}}
}

func play(t *testing.T, task eval.Task, g eval.Grid, seed uint64, i int) eval.Scene {
	t.Helper()
	s, err := task.Scene(rng(seed), g, i, hay())
	if err != nil {
		t.Fatalf("%s: %v", task.Name(), err)
	}
	return s
}

func TestScenesAreDeterministicAndDiffer(t *testing.T) {
	for _, task := range all() {
		a, b, c := play(t, task, grid, 1, 2), play(t, task, grid, 1, 2), play(t, task, grid, 2, 2)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: equal seeds, different scenes", task.Name())
		}
		if reflect.DeepEqual(a, c) {
			t.Errorf("%s: different seeds, equal scenes", task.Name())
		}
	}
}

// TestAnswersStandOnlyInTheirNeedles is what makes exact-string scoring fair.
func TestAnswersStandOnlyInTheirNeedles(t *testing.T) {
	g := grid
	for _, needles := range []int{1, 40} {
		g.Needles = needles
		for _, task := range []eval.Task{NIAH{"gemini"}, NIAH{"mixed"}, HeldOut{}, Lookalike{"gemini"}} {
			for i := range 30 {
				s := play(t, task, g, uint64(i), i)
				for _, p := range s.Ask {
					if !strings.Contains(p.Needle, p.Expected) || p.Expected == "" {
						t.Fatalf("%s: %q is not in %q", task.Name(), p.Expected, p.Needle)
					}
					if strings.ContainsAny(p.Needle+p.Question, "{}") {
						t.Fatalf("%s: unfilled %q, %q", task.Name(), p.Needle, p.Question)
					}
					if strings.Contains(p.Question, p.Expected) {
						t.Fatalf("%s: %q gives the answer away", task.Name(), p.Question)
					}
					if lo, hi := g.Band(p.Row); p.Depth < lo || p.Depth > hi {
						t.Fatalf("%s: depth %v in row %d", task.Name(), p.Depth, p.Row)
					}
				}
			}
		}
	}
}

func TestGeminiWording(t *testing.T) {
	s := play(t, NIAH{"gemini"}, grid, 1, 1)
	p := s.Ask[0]
	city, number, ok := strings.Cut(strings.TrimPrefix(p.Needle, "The special magic "), " number is: ")
	if !ok || !slices.Contains(cities, city) || len(number) != 7 || number != p.Expected {
		t.Errorf("needle %q, expected %q", p.Needle, p.Expected)
	}
	if want := "What is the special magic " + city + " number? Here is the magic number from the context:"; p.Question != want {
		t.Errorf("question %q, want %q", p.Question, want)
	}
}

func TestListsAreLongEnoughAndDistinct(t *testing.T) {
	distinct := make(map[string]bool)
	for _, w := range heldOutWordings {
		for _, s := range []string{w.say, w.ask} {
			if !strings.Contains(s, "{key}") || !strings.Contains(s, "{kind}") {
				t.Errorf("%q lacks a placeholder", s)
			}
		}
		if strings.Count(w.say, "{value}") != 1 {
			t.Errorf("%q does not say the value once", w.say)
		}
		distinct[w.say] = true
	}
	if len(distinct) < 60 || len(heldOutValues) < 20 || len(heldOutKeys) < 5 {
		t.Errorf("%d wordings, %d kinds of value, %d of key", len(distinct), len(heldOutValues), len(heldOutKeys))
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(cities)))
	if len(sorted) < 200 || len(sorted) != len(cities) {
		t.Errorf("%d cities, %d of them distinct", len(cities), len(sorted))
	}
}

func TestSeveralNeedlesCoverAllRows(t *testing.T) {
	g := grid
	g.Needles = 30
	rows := make(map[int]int)
	for _, p := range play(t, NIAH{"mixed"}, g, 1, 0).Ask {
		rows[p.Row]++
	}
	if rows[0] != 10 || rows[1] != 10 || rows[2] != 10 {
		t.Errorf("needles by row: %v, want 10 each", rows)
	}
	g.Needles = 10_000
	if _, err := (NIAH{"mixed"}).Scene(rng(1), g, 0, hay()); err == nil {
		t.Error("more needles than cities were hidden")
	}
	if _, err := (NIAH{"nonsense"}).Scene(rng(1), grid, 0, hay()); err == nil {
		t.Error("an unknown wording was taken")
	}
}

func TestLookalikesDifferInOnePlace(t *testing.T) {
	r := rng(5)
	seen := make(map[string]bool)
	for range 500 {
		key, alike := newKeys(r, seen)
		a, b := strings.Fields(key), strings.Fields(alike)
		if len(a) != len(b) {
			t.Fatalf("%q and %q", key, alike)
		}
		words := 0
		for i := range a {
			if a[i] != b[i] {
				words++
			}
		}
		if words != 1 {
			t.Errorf("%q and %q differ in %d words", key, alike, words)
		}
	}
	g := grid
	g.Needles = 100
	s := play(t, Lookalike{"gemini"}, g, 1, 0)
	if len(s.Hide) != 200 || len(s.Ask) != 100 {
		t.Errorf("%d hidden, %d asked, want 200 and 100", len(s.Hide), len(s.Ask))
	}
}

func TestAbsentAnswersAreAbsent(t *testing.T) {
	g := grid
	for i := range 60 {
		s := play(t, Absent{}, g, uint64(i), i)
		if len(s.Ask) != 2 || s.Ask[0].Absent || !s.Ask[1].Absent || s.Ask[0].Row != s.Ask[1].Row {
			t.Fatalf("scene %d asks %+v", i, s.Ask)
		}
		if s.Ask[0].Question == s.Ask[1].Question {
			t.Errorf("scene %d asks one question twice: %q", i, s.Ask[0].Question)
		}
		// No needle may answer the absent question: every wording that asks it
		// would, with the key it asks about, say another needle.
		for _, n := range s.Hide {
			for _, w := range append(slices.Clone(Wordings["mixed"]), facts()...) {
				for _, key := range keysOf(w.say, n.Text) {
					if fill(w.ask, "{key}", key) == s.Ask[1].Question {
						t.Errorf("%q is answered by %q", s.Ask[1].Question, n.Text)
					}
				}
			}
		}
	}
}

func facts() []Wording {
	var out []Wording
	for _, a := range attributes {
		out = append(out, fact(a))
	}
	return out
}

// keysOf returns the words of text that stand where a wording has {key}, if
// the wording says text.
func keysOf(say, text string) []string {
	before, after, _ := strings.Cut(say, "{key}")
	var out []string
	for from := range text {
		for to := from + 1; to <= len(text); to++ {
			key := text[from:to]
			filled := strings.ReplaceAll(before, "{value}", "0000000") + key + strings.ReplaceAll(after, "{value}", "0000000")
			if len(filled) == len(text) && filled == maskDigits(text, from, to) {
				out = append(out, key)
			}
		}
	}
	return out
}

// maskDigits makes seven-digit numbers outside [from, to) zeros.
func maskDigits(text string, from, to int) string {
	b := []byte(text)
	for i := 0; i+7 <= len(b); i++ {
		if (i+7 <= from || i >= to) && allDigits(b[i:i+7]) {
			copy(b[i:], "0000000")
			break
		}
	}
	return string(b)
}

func allDigits(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < '0' || c > '9' })
}

func TestQuotesStandInTheText(t *testing.T) {
	h := hay()
	text, _ := h.Bytes()
	flat := strings.Join(strings.Fields(string(text)), " ")
	q := &Quote{}
	for i := range 60 {
		s, err := q.Scene(rng(uint64(i)), grid, i, h)
		if err != nil {
			t.Fatal(err)
		}
		p := s.Ask[0]
		if len(s.Hide) != 0 || !strings.Contains(flat, p.Needle) {
			t.Fatalf("scene %d hides %v, quotes %q", i, s.Hide, p.Needle)
		}
		head := strings.TrimSuffix(p.Needle, " "+p.Expected)
		if len(strings.Fields(head)) != headWords || strings.Count(flat, head) != 1 || !strings.Contains(p.Question, head) {
			t.Errorf("%q is asked for with %q", p.Needle, p.Question)
		}
		if p.Row != i%3 {
			t.Errorf("scene %d is in row %d", i, p.Row)
		}
		if at := 100 * float64(strings.Index(flat, p.Needle)) / float64(len(flat)); at < p.Depth-2 || at > p.Depth+2 {
			t.Errorf("%q stands at %.1f %%, not at %.1f %%", p.Needle, at, p.Depth)
		}
	}
	empty := eval.Text{Length: 9, Bytes: func() ([]byte, error) { return []byte("x = 1\ny = 2\n"), nil }}
	if _, err := q.Scene(rng(1), grid, 0, empty); err == nil {
		t.Error("sentences were found where there are none")
	}
}

func TestSentences(t *testing.T) {
	text := "CHAPTER I\r\n\r\n“Well, Prince,” said\r\nMr. J. Brown. He left.\n\nIs it? “No!” she cried and 3.5 more. and so"
	var got []string
	for _, s := range sentences([]byte(text)) {
		got = append(got, strings.Join(s.words, " "))
	}
	want := []string{"“Well, Prince,” said Mr. J. Brown.", "He left.", "Is it?"}
	if !slices.Equal(got, want) {
		t.Errorf("sentences %q, want %q", got, want)
	}
}
