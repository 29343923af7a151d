package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
)

// locator asks the entries of a sense; see model.Native.Locate.
type locator func(ctx context.Context, a *encoder.Asker, flat []float32, view kvcache.View, question string) ([]model.Hit, float32, error)

// SenseError says that the model lacks the eyes or ears that a part needs.
type SenseError struct {
	Source string
	Kind   media.Kind
}

func (e *SenseError) Error() string {
	return fmt.Sprintf("engine: %s is a %s; this model has no sense for it", e.Source, e.Kind)
}

// perceiveAll decodes the parts that are not text and are not there yet, appends
// what was seen and heard, and returns the parts with the text of those in their
// places, and its notes.
func (c *Context) perceiveAll(ctx context.Context, parts []media.Part, progress func(Progress)) ([]media.Part, map[string][]byte, error) {
	if !slices.ContainsFunc(parts, func(p media.Part) bool { return p.Kind != media.Text }) {
		return parts, nil, nil
	}
	if err := c.finishText(ctx, progress); err != nil {
		return nil, nil, err
	}
	out, noted := slices.Clone(parts), map[string][]byte{}
	for i := range out {
		p := &out[i]
		if p.Kind == media.Text {
			continue
		}
		old := slices.IndexFunc(c.text, func(s *kvcache.Segment) bool { return s.Source == p.Source })
		if old >= 0 && c.text[old].Hash == p.Hash {
			p.Text, noted[p.Source] = c.text[old].Text, c.text[old].Notes // as it was read
			continue
		}
		if old >= 0 && !c.opts.Replace {
			return nil, nil, &ChangedError{p.Source}
		}
		if !c.model.perceives(p.Kind) {
			return nil, nil, &SenseError{p.Source, p.Kind}
		}
		begin := time.Now()
		got, err := c.perceive(ctx, p, func(at time.Duration) {
			if progress != nil {
				progress(Progress{Source: p.Source, At: at, Length: p.Duration, Elapsed: time.Since(begin)})
			}
		})
		if broken := new(media.BrokenError); errors.As(err, &broken) { // it names the file
			return nil, nil, fmt.Errorf("engine: %w", err)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("engine: %s: %w", p.Source, err)
		}
		if err := c.appendSensed(p, got); err != nil {
			return nil, nil, err
		}
		p.Text, noted[p.Source] = got.text, got.notes.encode()
	}
	return out, noted, nil
}

// finishText reads on what an interrupted Read left unfinished: entries of other
// kinds cannot begin before.
func (c *Context) finishText(ctx context.Context, progress func(Progress)) error {
	plans, err := c.plan(nil, nil)
	if err != nil || len(plans) == 0 {
		return err
	}
	c.partial = true
	return newReading(c, plans, progress).run(ctx)
}

// appendSensed appends the entries of a part, after dropping what an earlier or
// interrupted Read left of it.
func (c *Context) appendSensed(p *media.Part, got *perceived) error {
	for _, s := range c.sensed {
		if s.notes.Of == p.Source {
			if err := c.pages.Drop(s.Segment); err != nil {
				return err
			}
		}
	}
	add := func(kind string, runs []kvcache.Run, n notes) error {
		if len(runs) == 0 {
			return nil
		}
		n.Kind, n.Of = kind, p.Source
		if err := c.pages.Begin(p.Source+" ("+kind+")", p.Hash, nil, n.encode()); err != nil {
			return err
		}
		first := 0
		for i, r := range runs {
			if err := c.pages.Append(kvcache.Block{First: first, Last: i == len(runs)-1, Run: r}); err != nil {
				return err
			}
			first += r.N
		}
		return nil
	}
	if err := add(kindSeen, got.seen, notes{Times: got.times, Group: encoder.Patches}); err != nil {
		return err
	}
	step := time.Second / encoder.EmbeddingRate
	return add(kindHeard, got.heard, notes{Start: got.start.Microseconds(), Step: step.Microseconds()})
}

// place is where a sense has the answer to a question.
type place struct {
	sensed
	entry int // of the segment, the strongest
	mass  float32
	all   float32 // mass off the sink
}

// find asks the entries of sound.
func (c *Context) find(ctx context.Context, a *encoder.Asker, flat []float32, question string) (*place, error) {
	var view kvcache.View
	var of []sensed
	starts := []int{0}
	for _, s := range c.sensed {
		if s.notes.Kind == kindHeard {
			view = append(view, s.View()...)
			of = append(of, s)
			starts = append(starts, starts[len(starts)-1]+s.Tokens())
		}
	}
	if len(of) == 0 {
		return nil, nil
	}
	hits, sink, err := c.model.locate(ctx, a, flat, view, question)
	if err != nil || len(hits) == 0 {
		return nil, err
	}
	// Neighbours tell of one event: the strongest window of a second decides.
	reach := encoder.EmbeddingRate / 2
	slices.SortFunc(hits, func(a, b model.Hit) int { return cmp.Compare(a.Pos, b.Pos) })
	best, mass, sum, lo := 0, float32(-1), float32(0), 0
	for i, h := range hits {
		sum += h.Weight
		for hits[lo].Pos < h.Pos-reach {
			sum -= hits[lo].Weight
			lo++
		}
		if sum > mass {
			mass, best = sum, lo
			for j := lo; j <= i; j++ {
				if hits[j].Weight > hits[best].Weight {
					best = j
				}
			}
		}
	}
	i, _ := slices.BinarySearch(starts, hits[best].Pos+1)
	return &place{of[i-1], hits[best].Pos - starts[i-1], mass, 1 - sink}, nil
}

// asksWhen matches questions whose answer is a time.
var asksWhen = regexp.MustCompile(`(?i)^\s*(when|at (what|which) (time|second|minute|moment|point)|what time|how far into|which (second|minute|moment)|on which second)\b`)

// choice matches questions which of two things is to be seen.
var choice = regexp.MustCompile(`(?i)\b((?:an?|the) [^,?:]+?),? or ((?:an?|the) [^,?:]+?)(?:\s+(?:appears?|shown|seen|visible|there|come|comes|to be seen)\b[^?]*)?\?*$`)

// sensedAnswer is an answer from what was seen or heard.
type sensedAnswer struct {
	*Answer
	source string
	at     time.Duration
	fit    float32 // of the question's words to what was read, heard or seen
	read   bool    // in a picture
	sure   bool    // the text need not be asked
}

// textWins decides between the answers of text and of a sense: for the one that
// more of the question's words stand beside. What a recording's own transcript
// says is what was heard, and heard better.
func (c *Context) textWins(question string, text *Answer, s *sensedAnswer) bool {
	if !text.Found || len(text.Evidence) == 0 {
		return false
	}
	e := text.Evidence[0]
	if s.read && e.Source == s.source && e.Time == s.at {
		return false // the same line, of which the one part is meant
	}
	if e.Source == s.source && s.fit > 0 && e.Time >= 0 && (e.Time-s.at).Abs() < 10*time.Second {
		return false
	}
	quote := strings.ToLower(e.Quote)
	share, ok := shareOf(question, func(w string) bool { return strings.Contains(quote, w) })
	return ok && share >= s.fit
}

// shareOf is how much of what a question is about, by letters, are words that has
// says yes to; ok is false if it is about nothing.
func shareOf(question string, has func(word string) bool) (share float32, ok bool) {
	some, all := 0, 0
	for _, w := range speech.Words(question) {
		if unheard[w] && w != "word" {
			continue
		}
		all += len(w)
		if has(w) {
			some += len(w)
		}
	}
	return float32(some) / float32(max(1, all)), all > 0
}

// hasMedia says whether anything was seen or heard.
func (c *Context) hasMedia() bool {
	return slices.ContainsFunc(c.notes, func(n notes) bool { return n.Modality != "" })
}

// askSenses answers a question from what was seen or heard, if it was.
func (c *Context) askSenses(ctx context.Context, question string, begin time.Time) (*sensedAnswer, error) {
	if !c.hasMedia() {
		return nil, nil
	}
	text, chosen, err := c.choose(ctx, question)
	if err != nil {
		return nil, err
	}
	if chosen != nil {
		return c.answerAt(question, text, &chosen.place, begin, chosen.fit, true), nil
	}
	best := c.readAnswer(question, begin)
	if c.model.senses.Hearing != nil {
		heard, err := c.heardAnswer(ctx, question, begin)
		if err != nil {
			return nil, err
		}
		if heard != nil && (best == nil || heard.fit > best.fit) {
			best = heard
		}
	}
	seen, err := c.look(ctx, question)
	if err != nil {
		return nil, err
	}
	if seen != nil && (best == nil || seen.fit > best.fit) {
		best = c.answerAt(question, Clock(seen.notes.at(seen.entry)), &seen.place, begin, seen.fit, false)
	}
	return best, nil
}

// heardAnswer answers from what was said: beside the words of the question, or,
// where it has none that can be listened for, where the asker's head says.
func (c *Context) heardAnswer(ctx context.Context, question string, begin time.Time) (*sensedAnswer, error) {
	h := c.model.senses.Hearing
	at, can, err := c.listen(ctx, question)
	if err != nil || can && at == nil {
		return nil, err
	}
	p, text, fit := &place{}, "", float32(0)
	when := asksWhen.MatchString(question)
	if at != nil {
		fit = at.fit * knownShare(h.Lexicon, question)
		text, p.entry = c.value(question, at)
		p.sensed, p.mass, p.all = at.sensed, at.fit, at.fit
		if text == "" || when {
			p.entry = at.from
		}
	} else {
		if p, err = c.find(ctx, h.Ask, h.Params.Data, question); err != nil || p == nil || p.all < h.Threshold {
			return nil, err
		}
		text = c.wordAt(p.sensed, p.entry)
	}
	if when || text == "" {
		text = Clock(p.notes.at(p.entry))
	}
	return c.answerAt(question, text, p, begin, fit, false), nil
}

func (c *Context) answerAt(question, text string, p *place, begin time.Time, fit float32, sure bool) *sensedAnswer {
	at := p.notes.at(p.entry)
	return &sensedAnswer{source: p.notes.Of, at: at, fit: fit, sure: sure, Answer: &Answer{
		Text: text, Found: true, Evidence: []Evidence{c.evidenceAt(p, at)},
		Prompt: c.Tokens() + c.model.CountTokens([]byte(question)), Cached: c.cached, Tokens: c.model.CountTokens([]byte(text)),
		Read: c.read, Answer: time.Since(begin),
	}}
}

// evidenceAt quotes what was read or heard around a time of a source.
func (c *Context) evidenceAt(p *place, at time.Duration) Evidence {
	e := Evidence{Source: p.notes.Of, Time: at, Weight: p.mass}
	for i, s := range c.text {
		if s.Source != p.notes.Of {
			continue
		}
		if off, ok := c.notes[i].near(at); ok {
			from, to := quote(s.Text, off)
			e.Line, e.Offset, e.Quote = lineOf(s, from), from, string(s.Text[from:to])
		}
	}
	return e
}

// listenAround is how much before and after an entry is listened to again.
const listenAround = 2 * encoder.EmbeddingRate

// wordAt listens again to the sound around an entry and returns the word that it
// is in.
func (c *Context) wordAt(s sensed, entry int) string {
	from, to := max(0, entry-listenAround), min(s.Tokens(), entry+listenAround)
	h, scratch := c.model.senses.Hearing, new(nn.Scratch)
	words := h.Said(scratch, c.model.words, valuesOf(scratch, s.Segment, from, to))
	at := 2 * (entry - from)
	best, dist := "", 1<<30
	for _, w := range words {
		d := max(0, w.From-at, at-w.To+1)
		if d < dist {
			best, dist = w.Text, d
		}
	}
	return strings.TrimSpace(best)
}
