package model

import (
	"math"
	"unicode"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Lexical is a prior on where an answer stands, from words alone: entries near
// the question's rare words get a bonus on their logits, the sink one for what
// it takes to beat "not there". It costs one pass over the entries' ids a
// question and is worth the more the longer the context. The zero value is off.
type Lexical struct {
	Weight float32 `yaml:"weight"` // of the share of words that stand near, in units of ln(n)
	Sink   float32 `yaml:"sink"`   // share of words at which an entry and the sink gain the same
}

const (
	// lexicalCommon is the frequency from which a token says nothing.
	lexicalCommon = 0.01
	// lexicalWindow is the length in tokens that words are counted in.
	lexicalWindow = 40
	// lexicalMargin tokens beside a window share in its bonus.
	lexicalMargin = 24
)

// boost is a bonus on the entries [from, to).
type boost struct {
	from, to int
	value    float32
}

// word is a token of the question.
type word struct {
	weight float64
	seen   int // occurrences in the window
}

// lexicalBoosts returns where the question's words stand together, in order and
// apart, each with the share of their weight. A token weighs the logarithm of
// its rarity in the context.
func lexicalBoosts(view kvcache.View, tok tokenizer.Tokenizer, question []int32) []boost {
	n := view.Len()
	counts := make([]int, tok.Size())
	for _, r := range view {
		for _, id := range r.ID {
			counts[id]++
		}
	}
	words := make([]*word, tok.Size())
	total := 0.0
	for _, id := range question {
		if words[id] != nil || !wordly(tok.Piece(id)) || float64(counts[id]) > lexicalCommon*float64(n) {
			continue
		}
		words[id] = &word{weight: math.Log(float64(n+1) / float64(counts[id]+1))}
		total += words[id].weight
	}
	if total == 0 {
		return nil
	}
	return sweep(view, words, total)
}

// wordly says whether a piece has a letter or digit.
func wordly(piece []byte) bool {
	for _, r := range string(piece) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return true
		}
	}
	return false
}

// sweep slides a window over the words' places.
func sweep(view kvcache.View, words []*word, total float64) []boost {
	type event struct {
		pos int
		w   *word
	}
	var out []boost
	var window []event
	sum, best, pos := 0.0, 0.0, 0
	for _, r := range view {
		for _, id := range r.ID {
			if w := words[id]; w != nil {
				for len(window) > 0 && window[0].pos <= pos-lexicalWindow {
					old := window[0].w
					if old.seen--; old.seen == 0 {
						sum -= old.weight
					}
					window = window[1:]
				}
				if w.seen++; w.seen == 1 {
					sum += w.weight
				}
				window = append(window, event{pos, w})
				// Less than half of the best so far is not worth keeping.
				if best = max(best, sum); sum >= best/2 {
					out = addBoost(out, boost{max(0, window[0].pos-lexicalMargin), pos + 1 + lexicalMargin, float32(sum / total)})
				}
			}
			pos++
		}
	}
	kept := out[:0]
	for _, b := range out {
		if float64(b.value)*total >= best/2 {
			kept = append(kept, b)
		}
	}
	return kept
}

// addBoost adds b, which does not begin before the last one but by a margin, so
// that boosts stay apart and each entry has its highest.
func addBoost(out []boost, b boost) []boost {
	for len(out) > 0 {
		last := &out[len(out)-1]
		if b.from >= last.to {
			break
		}
		if b.value < last.value {
			b.from = last.to
			break
		}
		if last.to = b.from; last.from < last.to {
			break
		}
		out = out[:len(out)-1]
	}
	if b.from < b.to {
		out = append(out, b)
	}
	return out
}
