package eval

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// reach is how far from the wanted depth, in tokens, a boundary is looked for.
const reach = 96

// A joint is a kind of place where a text can be set in, the best first.
type joint int

const (
	sentenceEnd joint = iota
	lineEnd
	wordEnd
	anywhere
)

// place finds where in the first length tokens of base a needle goes: at the
// sentence end nearest to depth percent, else at the nearest line end, else
// between words.
func place(base Base, length int, n Needle) (Insert, error) {
	want := int(n.Depth / 100 * float64(length))
	want = min(max(want, 0), length)
	if want == 0 {
		return Insert{Text: n.Text + "\n"}, nil
	}
	lo, hi := max(0, want-reach), min(length, want+reach)
	// Two tokens more on each side show what stands around the outermost joints.
	first := max(0, lo-8)
	pieces := make([][]byte, 0, hi-first+2)
	for i := first; i < min(hi+2, base.Tokens()); i++ {
		text, err := base.Text(i, i+1)
		if err != nil {
			return Insert{}, fmt.Errorf("eval: the haystack's text at token %d: %w", i, err)
		}
		pieces = append(pieces, text)
	}
	best, bestJoint, bestGap := want, anywhere, 0
	if want == length {
		bestJoint = lineEnd // the end of the text is as good as a line's
	}
	for at := max(lo, 1); at <= hi; at++ {
		before := bytes.Join(pieces[max(0, at-first-8):at-first], nil)
		after := bytes.Join(pieces[at-first:min(at-first+2, len(pieces))], nil)
		j := jointAt(before, after)
		gap := max(at-want, want-at)
		if j < bestJoint || j == bestJoint && j < anywhere && gap < bestGap {
			best, bestJoint, bestGap = at, j, gap
		}
	}
	ins := Insert{At: best, Text: " " + n.Text}
	switch {
	case bestJoint == lineEnd && best < length:
		ins.Text = n.Text + "\n"
	case bestJoint == lineEnd:
		ins.Text = "\n" + n.Text
	}
	return ins, nil
}

// jointAt says what kind of place lies between two texts.
func jointAt(before, after []byte) joint {
	switch {
	case len(after) > 0 && (after[0] == '\n' || after[0] == '\r' || after[0] == ' ' && StartsSentence(after[1:])) && EndsSentence(before):
		return sentenceEnd
	case len(before) > 0 && before[len(before)-1] == '\n':
		return lineEnd
	case len(after) > 0 && (after[0] == ' ' || after[0] == '\n'):
		return wordEnd
	}
	return anywhere
}

// EndsSentence reports whether text ends with a full stop, an exclamation or a
// question mark, closing quotes aside, that is not an abbreviation's or an
// initial's.
func EndsSentence(text []byte) bool {
	text = bytes.TrimRight(text, Closers)
	if len(text) == 0 {
		return false
	}
	switch text[len(text)-1] {
	case '!', '?':
		return true
	case '.':
		text = text[:len(text)-1]
		rest := bytes.TrimRightFunc(text, unicode.IsLetter)
		word := string(text[len(rest):])
		return utf8.RuneCountInString(word) != 1 && !slices.Contains(abbreviations, word)
	}
	return false
}

// Closers may stand between a sentence's last stop and the next space.
const Closers = "\"'”’)]»"

var abbreviations = []string{"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Capt", "Gen", "Col", "Mme", "Mlle", "No", "Fig", "etc", "vs", "cf"}

// StartsSentence reports whether text begins as a sentence does: with a capital
// letter, opening quotes and brackets aside.
func StartsSentence(text []byte) bool {
	r, _ := utf8.DecodeRune(bytes.TrimLeft(text, "\"'“‘(_"))
	return unicode.IsUpper(r)
}

// placeAll places needles in order of position; those that meet at one place
// become one insert.
func placeAll(base Base, length int, needles []Needle) ([]Insert, []int, error) {
	placed := make([]Insert, len(needles))
	at := make([]int, len(needles))
	for i, n := range needles {
		ins, err := place(base, length, n)
		if err != nil {
			return nil, nil, err
		}
		placed[i], at[i] = ins, ins.At
	}
	slices.SortStableFunc(placed, func(a, b Insert) int { return cmp.Compare(a.At, b.At) })
	merged := placed[:0]
	for _, ins := range placed {
		if n := len(merged); n > 0 && merged[n-1].At == ins.At {
			merged[n-1].Text += ins.Text
			continue
		}
		merged = append(merged, ins)
	}
	return merged, at, nil
}
