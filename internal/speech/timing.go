package speech

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

// phones gives each phone its end, the beginning of the next, and joins pauses. Of
// the phone said[i], or what stands for it, places[i] is the place in list;
// places has one more, for the end.
func phones(said []frame.Phone, end time.Duration) (list []Phone, places []int) {
	places = make([]int, len(said)+1)
	for i, p := range said {
		places[i] = len(list)
		name, ok := clean(p.Name)
		n := len(list)
		if !ok || n > 0 && name == Pause && list[n-1].Name == Pause {
			continue
		}
		start := min(time.Duration(p.Start)*time.Millisecond, end)
		if n > 0 {
			start = max(start, list[n-1].Start)
			list[n-1].End = start
		}
		list = append(list, Phone{name, start, end})
	}
	places[len(said)] = len(list)
	lendToLiquids(list)
	return list, places
}

// lendToLiquids moves the beginnings of liquids that have next to no time: at the
// end of a syllable the synthesiser speaks them with the vowel and reports them
// after it.
func lendToLiquids(list []Phone) {
	const short, long = 25 * time.Millisecond, 60 * time.Millisecond
	for i := 1; i < len(list); i++ {
		p, before := &list[i], &list[i-1]
		if (p.Name == "l" || p.Name == "r" || p.Name == "r-") && p.End-p.Start < short && before.Name != Pause {
			p.Start -= min(long, (before.End-before.Start)/2)
			before.End = p.Start
		}
	}
}

// words gives each word of the text its time. The synthesiser has no event for a
// word that it joins to the one before, several for a number, and its places
// are a character off here and there; so what counts is in which word of the
// text, by white space, the place of an event lies. Each of said has a phone for
// which there is a place.
func words(text string, said []frame.Word, phones []Phone, places []int) []Word {
	var out []Word
	next, at := 0, 0
	for token := range strings.FieldsSeq(text) {
		at += strings.Index(text[at:], token)
		bare := strings.TrimLeftFunc(token, silent)
		w := Word{Offset: at + len(token) - len(bare), Text: strings.TrimRightFunc(bare, silent)}
		at += len(token)
		if w.Text == "" {
			continue // punctuation alone: its events are the next word's
		}
		from := next
		for next < len(said) && said[next].Offset < at {
			next++
		}
		var sounds bool
		if next > from {
			to := len(phones)
			if next < len(said) {
				to = places[said[next].Phone]
			}
			w.Start, w.End, sounds = span(phones[places[said[from].Phone]:max(to, places[said[from].Phone])])
		}
		if sounds {
			out = append(out, w)
		} else if len(out) > 0 {
			last := &out[len(out)-1]
			last.Text = text[last.Offset : w.Offset+len(w.Text)]
		}
	}
	return out
}

// span is from the first phone that is no pause to the end of the last.
func span(phones []Phone) (start, end time.Duration, ok bool) {
	for _, p := range phones {
		if p.Name == Pause {
			continue
		}
		if !ok {
			start, ok = p.Start, true
		}
		end = p.End
	}
	return start, end, ok
}

func silent(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != utf8.RuneError }
