package speech

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

// phones gives each phone its end, the beginning of the next, and joins pauses.
func phones(said []frame.Phone, end time.Duration) []Phone {
	var out []Phone
	for _, p := range said {
		name, ok := clean(p.Name)
		if !ok {
			continue
		}
		start := milliseconds(p.Start, end)
		if n := len(out); n > 0 {
			start = max(start, out[n-1].Start)
			if name == Pause && out[n-1].Name == Pause {
				continue
			}
			out[n-1].End = start
		}
		out = append(out, Phone{name, start, end})
	}
	return out
}

// words gives each word of the text its time. The synthesiser has no event for a
// word that it joins to the one before, several for a number, and its places
// are a character off here and there; so what counts is in which word of the
// text, by white space, the place of an event lies.
func words(text string, said []frame.Word, phones []Phone, end time.Duration) []Word {
	var out []Word
	var next int // the event
	at := 0
	for token := range strings.FieldsSeq(text) {
		at += strings.Index(text[at:], token)
		stop := at + len(token)
		from := next
		for next < len(said) && said[next].Offset < stop {
			next++
		}
		bare := strings.TrimLeftFunc(token, silent)
		w := Word{Offset: at + len(token) - len(bare)}
		w.Text = strings.TrimRightFunc(bare, silent)
		at = stop
		switch {
		case w.Text == "":
			// Punctuation alone: its events are those of the word that follows.
			next = from
		case next > from:
			w.Start = milliseconds(said[from].Start, end)
			out = append(out, w)
		case len(out) > 0:
			last := &out[len(out)-1]
			last.Text = text[last.Offset : w.Offset+len(w.Text)]
		}
	}
	for i := range out {
		to := end
		if i+1 < len(out) {
			to = out[i+1].Start
		}
		out[i].Start, out[i].End = sounding(phones, out[i].Start, to)
	}
	return out
}

// sounding takes the pauses from both ends of a span.
func sounding(phones []Phone, from, to time.Duration) (start, end time.Duration) {
	i, _ := slices.BinarySearchFunc(phones, from, func(p Phone, t time.Duration) int { return int(p.Start - t) })
	start, end = from, max(from, to)
	first := true
	for ; i < len(phones) && phones[i].Start < to; i++ {
		if phones[i].Name == Pause {
			continue
		}
		if first {
			start, first = phones[i].Start, false
		}
		end = min(phones[i].End, max(from, to))
	}
	return start, end
}

func silent(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != utf8.RuneError }
