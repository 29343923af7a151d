package encoder

import (
	"math"

	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
)

// Phrase is words that are listened for, one after another: a network of phones,
// each with those that may come before it. It is not changed after NewPhrase.
type Phrase struct {
	nodes  []spotNode
	finals []int32
	phones float32 // of a form of each word, on average
}

type spotNode struct {
	phone  uint8
	before []int32 // earlier nodes; −1 is the beginning
}

// NewPhrase makes a phrase of words in small letters; ok is false if the lexicon
// lacks one of them.
func NewPhrase(l *speech.Lexicon, words []string) (p *Phrase, ok bool) {
	p = &Phrase{}
	ends := []int32{-1}
	for i, word := range words {
		forms := l.Forms(word)
		if len(forms) == 0 {
			return nil, false
		}
		if i > 0 { // a short silence may stand between
			p.nodes = append(p.nodes, spotNode{0, ends})
			ends = append(ends[:len(ends):len(ends)], int32(len(p.nodes)-1))
		}
		var next []int32
		total := 0
		for _, f := range forms {
			before := ends
			for _, phone := range f.Phones {
				p.nodes = append(p.nodes, spotNode{phone, before})
				before = []int32{int32(len(p.nodes) - 1)}
			}
			next = append(next, before...)
			total += len(f.Phones)
		}
		p.phones += float32(total) / float32(len(forms))
		ends = next
	}
	p.finals = ends
	return p, len(words) > 0
}

// Phones is how many phones the phrase has.
func (p *Phrase) Phones() float32 { return p.phones }

// Spot is where a phrase may end, in phone frames, and how well the sound fits: 1
// if every phone is the likeliest in its frames.
type Spot struct {
	From, To int
	Fit      float32
}

const (
	// spotFloor bounds what one frame can cost, in nats.
	spotFloor = 5
	// spotCost nats a phone are no fit at all.
	spotCost = 2.5
)

// Spot listens for the phrase in logits [F, Phones] and calls each with the best
// fit that ends in every second frame, that of one embedding.
func (p *Phrase) Spot(logits []float32, phones int, each func(embedding int, s Spot)) {
	score, start := make([]float32, len(p.nodes)), make([]int, len(p.nodes))
	for i := range score {
		score[i] = float32(math.Inf(-1))
	}
	best := Spot{Fit: float32(math.Inf(-1))}
	for t := range len(logits) / phones {
		row := logits[t*phones : (t+1)*phones]
		top := row[0]
		for _, v := range row[1:] {
			top = max(top, v)
		}
		// Later nodes first: those before still hold the frame before.
		for j := len(p.nodes) - 1; j >= 0; j-- {
			n := &p.nodes[j]
			s, from := score[j], start[j]
			for _, b := range n.before {
				if b < 0 {
					if s < 0 { // a path costs nothing before it begins
						s, from = 0, t
					}
				} else if score[b] > s {
					s, from = score[b], start[b]
				}
			}
			score[j], start[j] = s+max(row[n.phone]-top, -spotFloor), from
		}
		for _, j := range p.finals {
			if fit := 1 + score[j]/(spotCost*p.phones); fit > best.Fit {
				best = Spot{start[j], t + 1, fit}
			}
		}
		if t%2 == 1 {
			each(t/2, best)
			best.Fit = float32(math.Inf(-1))
		}
	}
}

// Logits are the phones' logits of values of a cache; see Ears.PhoneLogits.
func (h *Hearing) Logits(s *nn.Scratch, v []float32) []float32 {
	return h.Ears.PhoneLogits(s, h.Params.Data, v)
}
