package engine

import (
	"cmp"
	"context"
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

// find asks the entries of a kind.
func (c *Context) find(ctx context.Context, kind string, a *encoder.Asker, flat []float32, question string) (*place, error) {
	var view kvcache.View
	var of []sensed
	starts := []int{0}
	for _, s := range c.sensed {
		if s.notes.Kind == kind {
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
	// Neighbours tell of one event: the strongest window of a second of sound, or
	// of three frames, decides.
	reach := encoder.EmbeddingRate / 2
	if kind == kindSeen {
		reach = 2 * encoder.Patches
	}
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

// askSenses answers a question from what was seen or heard, if it was.
func (c *Context) askSenses(ctx context.Context, question string, begin time.Time) (*Answer, error) {
	if len(c.sensed) == 0 {
		return nil, nil
	}
	var heard, seen *place
	var err error
	if h := c.model.senses.Hearing; h != nil {
		if heard, err = c.find(ctx, kindHeard, h.Ask, h.Params.Data, question); err != nil {
			return nil, err
		}
		if heard != nil && heard.all < h.Threshold {
			heard = nil
		}
	}
	if v := c.model.senses.Seeing; v != nil {
		if seen, err = c.find(ctx, kindSeen, v.Ask, v.Params.Data, question); err != nil {
			return nil, err
		}
		if seen != nil && seen.all < v.Threshold {
			seen = nil
		}
	}
	if heard == nil && seen == nil {
		return nil, nil
	}
	p, text := seen, ""
	if seen == nil || heard != nil && heard.all > seen.all {
		p = heard
	}
	at := p.notes.at(p.entry)
	if p == heard && !asksWhen.MatchString(question) {
		text = c.wordAt(p.sensed, p.entry)
	}
	if text == "" {
		text = Clock(at)
	}
	return &Answer{
		Text: text, Found: true, Evidence: []Evidence{c.evidenceAt(p, at)},
		Prompt: c.Tokens() + c.model.CountTokens([]byte(question)), Cached: c.cached, Tokens: c.model.CountTokens([]byte(text)),
		Read: c.read, Answer: time.Since(begin),
	}, nil
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
	h := c.model.senses.Hearing
	dv := h.Config.Ears.Value
	v := make([]float32, (to-from)*dv)
	for _, b := range s.Blocks {
		lo, hi := max(from, b.First), min(to, b.First+b.Run.N)
		for i := lo; i < hi; i++ {
			scale := b.Run.VScale[i-b.First]
			for j, q := range b.Run.V[(i-b.First)*dv : (i-b.First+1)*dv] {
				v[(i-from)*dv+j] = scale * float32(q)
			}
		}
	}
	words := h.Said(new(nn.Scratch), c.model.words, v)
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
