package speech

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

var helperDir string

// installHelper builds the helper into a folder that it puts on the path.
var installHelper = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "speak")
	if err != nil {
		return err
	}
	helperDir = dir
	root, ok := checkout()
	if !ok {
		return errors.New("not in a checkout")
	}
	if err := os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		return err
	}
	_, err = build(context.Background(), root, dir, "handscroll-speak"+executable)
	return err
})

func removeHelper() {
	if helperDir != "" {
		os.RemoveAll(helperDir)
	}
}

// espeak starts the real synthesiser, or skips the test.
func espeak(t *testing.T) *Speaker {
	t.Helper()
	if err := installHelper(); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context())
	if errors.Is(err, ErrMissing) {
		t.Skip("needs espeak-ng: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEveryVariantAndAccentSpeaks(t *testing.T) {
	s := espeak(t)
	const text = "The keyword is lamp."
	for i, variant := range variants {
		voice := Accents[i%len(Accents)] + "+" + variant
		said, err := s.Say(Utterance{voice, 350, 50, 50, text})
		if err != nil {
			t.Fatal(err)
		}
		var spoken []string
		for i, w := range said.Words {
			spoken = append(spoken, w.Text)
			if w.Start >= w.End || i > 0 && w.Start < said.Words[i-1].End {
				t.Errorf("%s: %q lasts from %v to %v", voice, w.Text, w.Start, w.End)
			}
		}
		if got := strings.Join(spoken, " ") + "."; got != text {
			t.Errorf("%s: said %q", voice, got)
		}
		for i, p := range said.Phones {
			if _, ok := PhoneID(p.Name); !ok {
				t.Errorf("%s: phone %q is not in the inventory", voice, p.Name)
			}
			if p.End < p.Start || i > 0 && p.Start != said.Phones[i-1].End {
				t.Errorf("%s: phone %v after %v", voice, p, said.Phones[i-1])
			}
		}
		if end := said.Phones[len(said.Phones)-1].End; end < said.Words[3].End || said.Words[3].End < end*2/3 {
			t.Errorf("%s: the last word ends at %v of %v", voice, said.Words[3].End, end)
		}
	}
}

func TestWrongUtterances(t *testing.T) {
	s := espeak(t)
	for want, u := range map[string]Utterance{
		"does not know": {"xx-nowhere", 170, 50, 50, "hello"},
		"rate 10":       {"en", 10, 50, 50, "hello"},
		"pitch 100":     {"en", 170, 100, 50, "hello"},
		"range -1":      {"en", 170, 50, -1, "hello"},
		"is zero":       {"en", 170, 50, 50, "hel\x00lo"},
	} {
		if _, err := s.Say(u); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", u, err, want)
		}
	}
	if said, err := s.Say(Utterance{"en", 170, 50, 50, ""}); err != nil || len(said.Words) > 0 {
		t.Errorf("nothing to say: %+v, %v", said, err)
	}
}

func TestSilentAsSpoken(t *testing.T) {
	s := espeak(t)
	for _, accent := range Accents {
		for _, text := range []string{"water", "the lieutenant's schedule", "out of an hour, all in all"} {
			want, err := s.Pronounce(accent, text)
			if err != nil {
				t.Fatal(err)
			}
			said, err := s.Say(Utterance{accent, 300, 50, 50, text})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range said.Phones {
				if p.Name != Pause {
					got = append(got, p.Name)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q is spoken %q and pronounced %q", accent, text, got, want)
			}
		}
	}
}

func TestLexicon(t *testing.T) {
	s := espeak(t)
	l, err := BuildLexicon(s, []string{"water", "their", "there", "cat", "the", "red", "read"}, Accents)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := BuildLexicon(s, []string{"cat", "-"}, Accents); err == nil || !strings.Contains(err.Error(), "nothing is said") {
		t.Errorf("a dash: %v", err)
	}
	if _, err := BuildLexicon(s, []string{"cat", "cat"}, Accents); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a word twice: %v", err)
	}
	data, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseLexicon(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, l) {
		t.Errorf("read %+v, wrote %+v", again, l)
	}
	if !again.Homophones("their", "there") || again.Homophones("cat", "there") || again.Homophones("cat", "dog") {
		t.Error("homophones are wrong")
	}
	var forms []string
	for _, f := range again.Forms("water") {
		forms = append(forms, Pronunciation(f.Phones))
	}
	for _, want := range []string{"w O: t 3", "w O: t# 3"} {
		if !slices.Contains(forms, want) {
			t.Errorf("water is %q, without %q", forms, want)
		}
	}
}

func TestBuild(t *testing.T) {
	espeak(t)
	training, _ := Voices()
	rng := rand.New(rand.NewPCG(1, 2))
	p := Plan{
		Lines:   append([]Line{{Text: "out of the way, said he"}}, Statements(rng, []string{"lamp", "river", "garden"}, 12, true)...),
		Voices:  training,
		Seed:    5,
		Augment: 0.5,
		Features: func(pcm []float32) []uint8 {
			mels := make([]uint8, (len(pcm)+159)/160*Mels)
			for i, v := range pcm {
				mels[i/160*Mels+i%Mels] += uint8(int(1000 * v))
			}
			return mels
		},
	}
	var done []int
	p.Progress = func(n int) { done = append(done, n) }
	b, err := Build(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(done, []int{len(p.Lines)}) {
		t.Errorf("progress %v", done)
	}
	for i := range b.Samples {
		s := &b.Samples[i]
		from, to, ok := s.ValueFrames()
		if s.Text != p.Lines[i].Text || ok != (i > 0) || ok && (to-from < 5 || to > s.Frames()) {
			t.Errorf("%q: value in frames %d to %d of %d", s.Text, from, to, s.Frames())
		}
		if s.Phones[0].Start != 0 || len(s.Words) < 3 {
			t.Errorf("%q: phones %v, words %v", s.Text, s.Phones, s.Words)
		}
	}
	again, err := Build(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b, again) {
		t.Error("the same plan gives another bank")
	}
	p.Features = func([]float32) []uint8 { return make([]uint8, Mels-1) }
	if _, err := Build(t.Context(), p); err == nil || !strings.Contains(err.Error(), "63 features") {
		t.Errorf("half a frame: %v", err)
	}
	p.Voices = nil
	if _, err := Build(t.Context(), p); err == nil {
		t.Error("no voices: no error")
	}
}
