package encoder

import "strings"

// Dictionary is the words that are expected in pictures. A nil one expects none.
type Dictionary struct {
	byLength map[int][]string // of small letters alone
}

// NewDictionary makes one of words in small letters; others are passed over.
func NewDictionary(words []string) *Dictionary {
	d := &Dictionary{byLength: map[int][]string{}}
	for _, w := range words {
		if len(w) >= minWord && strings.Trim(w, lowerCase) == "" {
			d.byLength[len(w)] = append(d.byLength[len(w)], w)
		}
	}
	return d
}

const (
	// minWord is the least length of a word that is looked up.
	minWord = 3
	// longWord is the length from which a word has the whole of wordBonus.
	longWord = 7
	// wordBonus is by how much the logarithm of its probability a word of the
	// dictionary may be behind any other spelling and be preferred.
	wordBonus = 3.0
)

// bonus is wordBonus for a word of n letters: most short words differ from one of the
// dictionary by a letter, a name ("Theo") as well.
func bonus(n int) float32 {
	return wordBonus * min(1, float32(n-minWord+1)/(longWord-minWord+1))
}

// best returns the likeliest word of the dictionary for characters with the given
// logarithms of probabilities of each letter, if it reaches least.
func (d *Dictionary) best(logs [][26]float32, least float32) (word string, score float32) {
	if d == nil {
		return "", least
	}
	score = least
	for _, w := range d.byLength[len(logs)] {
		sum := float32(0)
		for i := range logs {
			if sum += logs[i][w[i]-'a']; sum <= score {
				break
			}
		}
		if sum > score {
			word, score = w, sum
		}
	}
	return word, score
}

// look returns how the dictionary would spell characters, and the logarithm of the
// probability, bonus included, if that is more than least.
func (d *Dictionary) look(word []Char, least float32) (text []byte, score float32) {
	score = least
	logs := make([][26]float32, len(word))
	for _, c := range []struct {
		first, rest byte
		cost        float32
	}{{'a', 'a', 0}, {'A', 'a', 0.5}, {'A', 'A', 0.7}} {
		for i := range word {
			base := c.rest
			if i == 0 {
				base = c.first
			}
			for j := range logs[i] {
				logs[i][j] = Ln(max(word[i].probs[classOf[base+byte(j)]], 1e-5))
			}
		}
		w, s := d.best(logs, score+c.cost-bonus(len(word)))
		if w == "" {
			continue
		}
		score, text = s-c.cost+bonus(len(word)), []byte(w)
		if c.rest == 'A' {
			text = []byte(strings.ToUpper(w))
		} else if c.first == 'A' {
			text[0] -= 'a' - 'A'
		}
	}
	return text, score
}
