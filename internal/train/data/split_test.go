package data

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

func TestSplitIsDisjoint(t *testing.T) {
	train, held := reflect.ValueOf(newTables(false)), reflect.ValueOf(newTables(true))
	for i := range train.NumField() {
		name := train.Type().Field(i).Name
		keys := func(v reflect.Value) map[string]bool {
			m := map[string]bool{}
			for j := range v.Len() {
				item := v.Index(j)
				for item.Kind() == reflect.Struct {
					item = item.Field(0)
				}
				m[fmt.Sprint(item, v.Index(j))] = true
			}
			return m
		}
		a, b := keys(train.Field(i)), keys(held.Field(i))
		if len(a) == 0 || len(b) == 0 {
			t.Errorf("%s: %d for training, %d held out", name, len(a), len(b))
		}
		t.Logf("%s: %d for training, %d held out", name, len(a), len(b))
		for item := range a {
			if b[item] {
				t.Errorf("%s: %q is on both sides", name, item)
			}
		}
	}
}

// worlds plans examples of every task and hands their insides to check.
func worlds(t *testing.T, heldOut bool, check func(w *world)) {
	t.Helper()
	opts := DefaultOptions()
	opts.HeldOut = heldOut
	g := newGenerator(t, opts)
	for i := range uint64(200) {
		r := rand.New(rand.NewPCG(9, i))
		w := g.newWorld(r, []int{300, 900, 2500}[i%3])
		w.plan()
		check(w)
	}
}

func TestKeysAreOfTheirSplit(t *testing.T) {
	for _, heldOut := range []bool{false, true} {
		seen := 0
		worlds(t, heldOut, func(w *world) {
			for _, f := range w.facts.list {
				seen++
				if reserved(strings.ToLower(f.entity)) != heldOut {
					t.Fatalf("held out %v: key %q is of the other split", heldOut, f.entity)
				}
			}
		})
		if seen < 200 {
			t.Errorf("held out %v: only %d facts", heldOut, seen)
		}
	}
}

// TestEvaluationStaysUnseen: no wording and no city of the usual benchmarks.
func TestEvaluationStaysUnseen(t *testing.T) {
	known := regexp.MustCompile(`(?i)special magic|magic[a-z ]{0,20} number|secret (key)?words? (is|are)\b`)
	worlds(t, false, func(w *world) {
		check := func(text string) {
			if s := known.FindString(text); s != "" || namesFamous(text) {
				t.Errorf("generated text is close to an evaluation: %q in %q", s, text)
			}
		}
		for _, b := range w.blocks {
			check(string(w.g.tok.Decode(nil, b.ids)))
		}
		for _, q := range w.asks {
			// Quotations of the corpus may name any city.
			if q.task != TaskQuotation && q.task != TaskAbsent {
				check(q.text)
			}
		}
	})
	for _, city := range []string{"London", "New York", "são paulo", "Tokyo", "Saint Petersburg", "Tel Aviv Hill"} {
		if !famous(city) {
			t.Errorf("%s passes for a small town", city)
		}
	}
	for _, p := range places {
		if famous(p) {
			t.Errorf("%s is in the list of places and excluded", p)
		}
	}
}

// TestFactsHaveOneAnswer: no two needles share a key, however it is written.
func TestFactsHaveOneAnswer(t *testing.T) {
	worlds(t, false, func(w *world) {
		seen := map[string]bool{}
		for _, f := range w.facts.list {
			key := factKey(f.attribute, f.entity)
			if seen[key] {
				t.Errorf("two facts of %s and %s", f.noun, f.entity)
			}
			seen[key] = true
		}
	})
}

// TestQuotationsHaveOneAnswer: the part of a question that stands before the
// answer in the context stands there once.
func TestQuotationsHaveOneAnswer(t *testing.T) {
	seen := 0
	worlds(t, false, func(w *world) {
		context := string(w.contextText())
		ex := w.assemble()
		for _, q := range w.asks {
			if q.task != TaskQuotation {
				continue
			}
			seen++
			at := q.sources[0].raw.start
			before := string(oneSpace(w.g.tok.Decode(nil, ex.Tokens[max(0, at-60):at])))
			question := string(oneSpace([]byte(q.text)))
			prompt := ""
			for i := len(before) - 1; i >= 0 && strings.Contains(question, strings.TrimSpace(before[i:])); i-- {
				prompt = strings.TrimSpace(before[i:])
			}
			if n := strings.Count(context, prompt); n != 1 || len(prompt) < 8 {
				t.Errorf("prompt %q of %q occurs %d times", prompt, q.text, n)
			}
		}
	})
	if seen < 200 {
		t.Errorf("only %d quotations", seen)
	}
}

// TestAnswersAreTheValues: the source span of a fact covers its value, with
// nothing but punctuation and a space around it.
func TestAnswersAreTheValues(t *testing.T) {
	worlds(t, false, func(w *world) {
		for _, f := range w.facts.list {
			b := w.blocks[f.at.block]
			s := b.spans[f.at.span]
			text := string(w.g.tok.Decode(nil, b.ids[s.start:s.end]))
			rest := strings.Replace(text, f.value, "", 1)
			if rest == text || strings.IndexFunc(rest, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) >= 0 {
				t.Errorf("answer %q, value %q", text, f.value)
			}
		}
	})
}

// TestSharesFollowTheWeights: the mixture is about what was asked for.
func TestSharesFollowTheWeights(t *testing.T) {
	var n [NumTasks]float64
	total := 0.0
	worlds(t, false, func(w *world) {
		for _, q := range w.asks {
			n[q.task]++
			total++
		}
	})
	for task, name := range TaskNames {
		// Several values need room, and fall short of their weight first.
		least := DefaultOptions().Weights[name] / 6
		if share := n[task] / total; share < least || share > 0.5 {
			t.Errorf("%s: %.3f of all questions, want at least %.3f", name, share, least)
		}
	}
	if share := n[TaskAbsent] / total; share < 0.1 || share > 0.25 {
		t.Errorf("%.3f of all questions have no answer", share)
	}
}
