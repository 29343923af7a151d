package speech

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// A Line is a text to speak.
type Line struct {
	Text   string
	Needle Needle // what may be asked of it; the zero value for none
}

// shortest and longest bound the clauses that Sentences takes, in bytes.
const shortest, longest = 12, 120

// Sentences cuts texts into sentences and clauses and returns n of them, or all there
// are, in random order and none twice. Clauses with digits, capitals side by side or
// characters that are not said are left out; from training ones also those with a
// held-out word.
func Sentences(texts []string, rng *rand.Rand, n int, training bool) []Line {
	seen := map[string]bool{}
	var all []string
	for _, text := range texts {
		for _, c := range clauses(text) {
			if speakable(c) && !seen[c] && !(training && slices.ContainsFunc(Words(c), HeldOut)) {
				seen[c] = true
				all = append(all, c)
			}
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	lines := make([]Line, min(n, len(all)))
	for i := range lines {
		lines[i].Text = all[i]
	}
	return lines
}

// plain puts typewriter's characters for typesetter's, dashes become a mark of
// their own.
var plain = strings.NewReplacer("’", "'", "‘", "'", "“", "\"", "”", "\"", "—", "\x00", "--", "\x00", "_", "")

// clauses splits a text after . ! ? ; , : before white space, and at dashes.
func clauses(text string) []string {
	text = strings.Join(strings.Fields(plain.Replace(text)), " ")
	var out []string
	from := 0
	cut := func(to int) {
		if c := strings.Trim(text[from:to], " \"'()[]*\x00"); c != "" {
			out = append(out, c)
		}
		from = to
	}
	for i := range len(text) {
		switch {
		case text[i] == 0:
			cut(i)
		case text[i] == ' ' && i > 0 && strings.IndexByte(".!?;,:\"", text[i-1]) >= 0:
			cut(i)
		}
	}
	cut(len(text))
	return out
}

func speakable(c string) bool {
	if len(c) < shortest || len(c) > longest || len(Words(c)) < 3 {
		return false
	}
	for i := range len(c) {
		switch b := c[i]; {
		case upper(b) && i > 0 && upper(c[i-1]):
			return false
		case upper(b), 'a' <= b && b <= 'z', strings.IndexByte(" .,;:!?'-", b) >= 0:
		default:
			return false
		}
	}
	return true
}

func upper(b byte) bool { return 'A' <= b && b <= 'Z' }

// Words returns the words of a text in lower case: runs of a to z with apostrophes
// within.
func Words(text string) []string {
	text = strings.ReplaceAll(strings.ToLower(text), "’", "'")
	var out []string
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return (r < 'a' || r > 'z') && r != '\'' }) {
		if w = strings.Trim(w, "'"); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// Frequencies returns the words of texts, the most frequent first.
func Frequencies(texts []string) []string {
	count := map[string]int{}
	for _, text := range texts {
		for _, w := range Words(text) {
			count[w]++
		}
	}
	words := make([]string, 0, len(count))
	for w := range count {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	return words
}
