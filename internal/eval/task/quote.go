package task

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/eval"
)

// Quote asks how sentences of the haystack itself go on after their first six
// words. The rest is expected word for word, punctuation included; only line
// breaks may differ. It fits prose: a sentence must be at least nine words
// long, at most MaxWords, and be the only one in the text to begin so.
type Quote struct {
	MaxWords int // 0: 100
	// The sentences of the text that was seen last.
	length    int
	text      string // its words, single spaces between
	sentences []sentence
}

// headWords is how many words of a sentence the question gives away.
const headWords = 6

// minWords leaves something worth continuing.
const minWords = headWords + 3

// A sentence is a stretch of prose and where it begins.
type sentence struct {
	words []string
	depth float64 // percent of the text
}

// quoteQuestions ask for the continuation of {head}.
var quoteQuestions = []string{
	`How does the sentence go on that begins with "{head}"?`,
	`Continue this sentence word for word: "{head}"`,
	`What comes right after "{head}" in the text?`,
	`Complete the sentence: "{head} ..."`,
}

// Name implements [eval.Task].
func (*Quote) Name() string { return "quote" }

// Scenes implements [eval.Task].
func (*Quote) Scenes(g eval.Grid) int { return len(g.Depths) * g.Trials }

// Scene implements [eval.Task].
func (q *Quote) Scene(rng *rand.Rand, g eval.Grid, i int, hay eval.Text) (eval.Scene, error) {
	if q.sentences == nil || q.length != hay.Length {
		text, err := hay.Bytes()
		if err != nil {
			return eval.Scene{}, err
		}
		q.length, q.sentences = hay.Length, sentences(text)
		q.text = strings.Join(strings.Fields(string(text)), " ")
	}
	row := i % len(g.Depths)
	from, to := g.Band(row)
	lo, _ := slices.BinarySearchFunc(q.sentences, from, compareDepth)
	hi, _ := slices.BinarySearchFunc(q.sentences, to, compareDepth)
	if lo == hi {
		lo, hi = 0, len(q.sentences)
	}
	most := q.MaxWords
	if most == 0 {
		most = 100
	}
	// A text in which hardly a sentence serves is not prose.
	for range 1000 {
		if hi == 0 {
			break
		}
		s := q.sentences[lo+rng.IntN(hi-lo)]
		if len(s.words) < minWords || len(s.words) > most {
			continue
		}
		head := strings.Join(s.words[:headWords], " ")
		rest := strings.TrimRight(strings.Join(s.words[headWords:], " "), eval.Closers)
		// In a haystack that repeats, the sentence may come again, but only whole.
		if strings.Count(q.text, head) != strings.Count(q.text, head+" "+rest) {
			continue
		}
		return eval.Scene{Ask: []eval.Probe{{
			Row: g.Row(s.depth), Depth: s.depth, Needle: head + " " + rest, Expected: rest, Wrapped: true,
			Question: fill(pick(rng, quoteQuestions), "{head}", head),
		}}}, nil
	}
	return eval.Scene{}, errors.New("the haystack holds too few sentences to quote")
}

func compareDepth(s sentence, depth float64) int {
	switch {
	case s.depth < depth:
		return -1
	case s.depth > depth:
		return 1
	}
	return 0
}

// blankLine is what separates paragraphs.
var blankLine = regexp.MustCompile(`\n[ \t\r]*\n`)

// sentences finds the sentences of prose, in order. Blank lines separate
// paragraphs, and no sentence goes across one.
func sentences(text []byte) []sentence {
	var out []sentence
	for at := 0; at < len(text); {
		end, next := len(text), len(text)
		if gap := blankLine.FindIndex(text[at:]); gap != nil {
			end, next = at+gap[0], at+gap[1]
		}
		words := strings.Fields(string(text[at:end]))
		first, before := 0, 0
		seen := 0 // bytes of words before the sentence, spaces counted as one
		for i, w := range words {
			before += len(w) + 1
			if i+1 < len(words) && !(eval.EndsSentence([]byte(w)) && eval.StartsSentence([]byte(words[i+1]))) {
				continue
			}
			if eval.StartsSentence([]byte(words[first])) && eval.EndsSentence([]byte(w)) {
				depth := 100 * float64(at+seen) / float64(len(text))
				out = append(out, sentence{words[first : i+1], depth})
			}
			first, seen = i+1, before
		}
		at = next
	}
	return out
}
