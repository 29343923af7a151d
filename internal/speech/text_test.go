package speech

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestVoices(t *testing.T) {
	training, heldOut := Voices()
	if n, want := len(training)+len(heldOut), len(Accents)*len(variants); n != want {
		t.Errorf("%d voices, want %d", n, want)
	}
	for _, v := range heldOut {
		if slices.Contains(training, v) {
			t.Errorf("%s is trained on and held out", v)
		}
	}
	for _, v := range heldOutVariants {
		if !slices.Contains(variants, v) {
			t.Errorf("no variant %s", v)
		}
	}
	for voice, held := range map[string]bool{"en-us+f3": false, "en-us+f4": true, "en+m2": true, "en+m1": false, heldOutAccent + "+f3": true} {
		if slices.Contains(heldOut, voice) != held || slices.Contains(training, voice) == held {
			t.Errorf("%s: held out should be %v", voice, held)
		}
	}
}

func TestHeldOut(t *testing.T) {
	for word, want := range map[string]bool{"ancient": true, "private": true, "lost": true, "down": true, "secret": false, "five": false, "a": false} {
		if HeldOut(word) != want {
			t.Errorf("%s: held out %v", word, !want)
		}
	}
}

func TestInventory(t *testing.T) {
	if n := len(Inventory); n >= 96 || n != len(phoneIDs) {
		t.Errorf("%d phones, %d of them different; want fewer than 96", n, len(phoneIDs))
	}
	if id, ok := PhoneID(Pause); !ok || id != 0 {
		t.Errorf("pause is %d", id)
	}
	if _, ok := PhoneID("click"); ok {
		t.Error("click is a phone")
	}
	for name, want := range map[string]string{"'aI": "aI", ",I2": "I2", "_:": "_", "_": "_", "t#": "t#", "r-": "r-", "|": "", "": ""} {
		got, ok := clean(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q cleaned is %q, %v", name, got, ok)
		}
	}
	for _, name := range Inventory {
		if got, ok := clean(name); !ok || got != name {
			t.Errorf("%q cleaned is %q", name, got)
		}
	}
}

func TestSentences(t *testing.T) {
	text := "It was the best of times; it was the worst of times, he said—but never before! " +
		"In 1859 there were some who knew. The CAPITALS are out. Short one. " +
		"“I don’t know,” she said. They came down the hill. They came down the hill. " + strings.Repeat("far too long ", 12) + "."
	want := []string{"It was the best of times;", "it was the worst of times,", "but never before!", "They came down the hill.", "I don't know,"}
	got := func(training bool) (out []string) {
		for _, l := range Sentences([]string{text}, rng(), 100, training) {
			if l.Needle.Kind != Prose {
				t.Errorf("%+v is no prose", l)
			}
			out = append(out, l.Text)
		}
		slices.Sort(out)
		return out
	}
	without := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.Contains(s, "down") })
	slices.Sort(want)
	slices.Sort(without)
	if all := got(false); !slices.Equal(all, want) {
		t.Errorf("%q, want %q", all, want)
	}
	if training := got(true); !slices.Equal(training, without) {
		t.Errorf("training: %q, want %q", training, without)
	}
	if n := len(Sentences([]string{text}, rng(), 2, false)); n != 2 {
		t.Errorf("%d of 2 sentences", n)
	}
}

func TestFrequencies(t *testing.T) {
	if got, want := Frequencies([]string{"The end. The 'beginning' of", "the end, don’t"}), []string{"the", "end", "beginning", "don't", "of"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestStatements(t *testing.T) {
	words := strings.Fields("lamp river garden orange of lost ancient it's")
	for _, training := range []bool{true, false} {
		lines := Statements(rng(), words, 3000, training)
		if again := Statements(rng(), words, 3000, training); !reflect.DeepEqual(lines, again) {
			t.Error("the same generator gives other lines")
		}
		count, values := map[Kind]int{}, map[string]int{}
		for _, l := range lines {
			count[l.Needle.Kind]++
			values[strings.ToLower(l.Value())]++
			if !strings.Contains(" "+strings.ToLower(l.Text), " "+strings.ToLower(l.Value())) || strings.ContainsAny(l.Text, "{}[]|0123456789") || strings.Contains(l.Text, "  ") {
				t.Errorf("%q: value %q", l.Text, l.Value())
			}
			if training && slices.ContainsFunc(Words(l.Text), HeldOut) {
				t.Errorf("%q has a held-out word", l.Text)
			}
			for _, w := range strings.Fields(l.Needle.Key) {
				if l.Needle.Kind == Statement && w != "of" && !strings.Contains(l.Text, w) {
					t.Errorf("%q: key %q", l.Text, l.Needle.Key)
				}
			}
		}
		if len(lines) != 3000 || count[Prose] > 0 || count[Decoy] < 300 || count[Decoy] > 450 {
			t.Errorf("%d lines: %v", len(lines), count)
		}
		if (values["lamp"] > 0) != training || (values["lost"] > 0) == training || values["of"] > 0 || values["it's"] > 0 {
			t.Errorf("training %v: values %v", training, values)
		}
	}
	if n := len(Statements(rng(), nil, 5, true)); n != 0 {
		t.Errorf("%d lines without words", n)
	}
}

// A frame with a held-out word would never be trained on.
func TestFramesHoldNothingOut(t *testing.T) {
	for _, list := range [][]string{keywordFrames, plainFrames, factFrames, decoyFrames, adjectives, nouns, attributes, entities, people, digits, tens} {
		for _, s := range list {
			for _, w := range Words(s) {
				if HeldOut(w) {
					t.Errorf("%q has the held-out word %q", s, w)
				}
			}
		}
	}
}
