package engine

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
)

// The phonetic prior: the words of a question are listened for in the values of the
// sound, and an answer is sought beside the place where they fit best. It is to
// sound what the lexical prior is to text: the more worth the longer the sound.
const (
	// listenReach is how far apart, in embeddings, the words of a question may be,
	// and how far from them the answer.
	listenReach = 3 * encoder.EmbeddingRate
	// listenFit is the fit from which they count as heard.
	listenFit = 0.6
	// listenChunk embeddings are listened to at a time, after listenLead others.
	listenChunk = 4096
	listenLead  = 4 * encoder.EmbeddingRate
)

// unheard are the words of questions rather than of what is asked about.
var unheard = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`what which who whom whose where when why how is are was were be been do does did has have had
		can could will would should may a an the of for to in on at by from with and or that this it its as s please tell give find
		look up get show state answer context recording film audio video sound speaker according above here there me i you we they my
		your our say said says speak spoken heard hear hears listen mention mentioned name named time moment second minute know does
		someone anyone somebody word called exactly only just`) {
		m[w] = true
	}
	return m
}()

// phrasesOf returns the runs of a question's words that say what it is about, as
// far as the lexicon has them, each with its number of phones as its weight. The
// word "word" says something beside another.
func phrasesOf(l *speech.Lexicon, question string) []*encoder.Phrase {
	var out []*encoder.Phrase
	var run []string
	flush := func() {
		for len(run) > 0 && run[0] == "word" {
			run = run[1:]
		}
		if p, ok := encoder.NewPhrase(l, run); ok && p.Phones() >= 3 {
			out = append(out, p)
		}
		run = nil
	}
	for _, w := range speech.Words(question) {
		w = strings.Trim(w, "'")
		if unheard[w] && (w != "word" || len(run) == 0) || len(l.Forms(w)) == 0 {
			flush()
			continue
		}
		run = append(run, w)
	}
	flush()
	return out
}

// knownShare is how much of what a question is about can be listened for: of
// "the value of maxLinearSize" little, however clearly "value" is heard.
func knownShare(l *speech.Lexicon, question string) float32 {
	share, _ := shareOf(question, func(w string) bool { return len(l.Forms(strings.Trim(w, "'"))) > 0 })
	return share
}

// heardAt is where the words of a question fit.
type heardAt struct {
	sensed
	from, to int // embeddings that the words take
	fit      float32
}

// listen finds where the words of a question are heard best, nil if they are not;
// can says whether it has any that can be listened for.
func (c *Context) listen(ctx context.Context, question string) (best *heardAt, can bool, err error) {
	h := c.model.senses.Hearing
	phrases := phrasesOf(h.Lexicon, question)
	if len(phrases) == 0 {
		return nil, false, nil
	}
	for _, s := range c.sensed {
		if s.notes.Kind != kindHeard {
			continue
		}
		at, err := c.listenTo(ctx, s, phrases)
		if err != nil {
			return nil, true, err
		}
		if at != nil && (best == nil || at.fit > best.fit) {
			best = at
		}
	}
	if best == nil || best.fit < listenFit {
		return nil, true, nil
	}
	return best, true, nil
}

// listenTo listens to one segment on all cores.
func (c *Context) listenTo(ctx context.Context, s sensed, phrases []*encoder.Phrase) (*heardAt, error) {
	h, n := c.model.senses.Hearing, s.Tokens()
	fits := make([][]encoder.Spot, len(phrases))
	for i := range fits {
		fits[i] = make([]encoder.Spot, n)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, c.opts.workers())
	for w := range c.opts.workers() {
		wg.Go(func() {
			defer recoverTo(&errs[w])
			scratch := new(nn.Scratch)
			for ctx.Err() == nil {
				from := int(next.Add(1)-1) * listenChunk
				if from >= n {
					return
				}
				begin, end := max(0, from-listenLead), min(n, from+listenChunk)
				scratch.Reset()
				v := valuesOf(scratch, s.Segment, begin, end)
				logits := h.Logits(scratch, v)
				for i, p := range phrases {
					p.Spot(logits, h.Config.Ears.Phones, func(e int, spot encoder.Spot) {
						if at := begin + e; at >= from {
							spot.From, spot.To = spot.From/2+begin, (spot.To+1)/2+begin
							fits[i][at] = spot
						}
					})
				}
			}
		})
	}
	wg.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return nil, err
		}
	}
	return together(s, phrases, fits), nil
}

// together finds the place near which all phrases fit best.
func together(s sensed, phrases []*encoder.Phrase, fits [][]encoder.Spot) *heardAt {
	n := len(fits[0])
	total := make([]float32, n)
	weights := float32(0)
	for i, p := range phrases {
		near := slidingMax(fits[i], listenReach)
		for e := range total {
			total[e] += p.Phones() * max(0, near[e])
		}
		weights += p.Phones()
	}
	best := 0
	for e, v := range total {
		// Of equals the one where the first phrase itself ends.
		if v > total[best] || v == total[best] && fits[0][e].Fit > fits[0][best].Fit {
			best = e
		}
	}
	out := &heardAt{sensed: s, from: n, fit: total[best] / weights}
	for i := range phrases {
		at := best
		for e := max(0, best-listenReach); e < min(n, best+listenReach+1); e++ {
			if fits[i][e].Fit > fits[i][at].Fit {
				at = e
			}
		}
		out.from, out.to = min(out.from, fits[i][at].From), max(out.to, fits[i][at].To)
	}
	return out
}

// slidingMax returns the greatest fit within reach of each place.
func slidingMax(fits []encoder.Spot, reach int) []float32 {
	out := make([]float32, len(fits))
	var queue []int // places whose fits descend
	at := 0
	for e := range fits {
		for ; at < min(len(fits), e+reach+1); at++ {
			for len(queue) > 0 && fits[queue[len(queue)-1]].Fit <= fits[at].Fit {
				queue = queue[:len(queue)-1]
			}
			queue = append(queue, at)
		}
		for queue[0] < e-reach {
			queue = queue[1:]
		}
		out[e] = fits[queue[0]].Fit
	}
	return out
}

// valuesOf returns the values [to−from, DV] of a segment's entries.
func valuesOf(scratch *nn.Scratch, s *kvcache.Segment, from, to int) []float32 {
	dv := s.Blocks[0].Run.DV
	v := scratch.Zeros((to - from) * dv)
	for _, b := range s.Blocks {
		lo, hi := max(from, b.First), min(to, b.First+b.Run.N)
		for i := lo; i < hi; i++ {
			kernel.AxpyInt8(v[(i-from)*dv:(i-from+1)*dv], b.Run.VScale[i-b.First], b.Run.V[(i-b.First)*dv:(i-b.First+1)*dv])
		}
	}
	return v
}

// connecting are the words between what a question names and the answer.
var connecting = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`is his was were will be been are has have had as the a an our my their your for to of that it
		today tonight this week now still always remains became become use say said says answer and in`) {
		m[w] = true
	}
	return m
}()

// value finds the answer beside the words of a question: of the words that are
// heard there the one that the asker's head weighs most, and its first entry.
func (c *Context) value(question string, at *heardAt) (text string, entry int) {
	h := c.model.senses.Hearing
	from, to := max(0, at.from-listenReach), min(at.Tokens(), at.to+listenReach)
	scratch := new(nn.Scratch)
	words := h.Said(scratch, c.model.words, valuesOf(scratch, at.Segment, from, to))
	weights := c.model.weigh(question, at.Segment, from, to)
	best := float32(-1)
	for i, w := range words {
		a, b := from+w.From/2, min(to, from+(w.To+1)/2)
		if a < at.to && b > at.from && overlap(a, b, at.from, at.to)*2 > b-a || connecting[w.Text] {
			continue
		}
		mass := float32(1e-3) / float32(i+2)
		for _, p := range weights[a-from : max(a, b)-from] {
			mass += p
		}
		if mass > best {
			best, text, entry = mass, w.Text, a
		}
	}
	return text, entry
}

func overlap(a, b, c, d int) int { return max(0, min(b, d)-max(a, c)) }

// weigh returns the softmax of the asker's head over entries [from, to).
func (m *Model) weigh(question string, s *kvcache.Segment, from, to int) []float32 {
	h := m.senses.Hearing
	q, f := m.query(h.Ask, h.Params.Data, question), h.Ask.Loc.Factor(h.Params.Data, to-from)
	out := make([]float32, to-from)
	k := make([]float32, len(q))
	for _, b := range s.Blocks {
		for i := max(from, b.First); i < min(to, b.First+b.Run.N); i++ {
			for j, v := range b.Run.K[(i-b.First)*len(q) : (i-b.First+1)*len(q)] {
				k[j] = float32(v) - 128
			}
			out[i-from] = f * b.Run.KScale[i-b.First] * kernel.Dot(q, k)
		}
	}
	top := float32(math.Inf(-1))
	for _, v := range out {
		top = max(top, v)
	}
	sum := kernel.ExpSum(out, top)
	kernel.Exp(out, out, top)
	kernel.Scale(out, 1/sum)
	return out
}
