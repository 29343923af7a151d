package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/sample"
)

// Session is one sequence of tokens that open weights have read, with room for
// answers. It belongs to one goroutine at a time; sessions of the same weights may
// run at once, and share passes over them.
type Session struct {
	w      *Weights
	seq    *kvcache.Sequence
	ids    []int32   // what seq holds
	logits []float32 // [Vocab] after the last of them; none if fresh is false
	fresh  bool
	limit  int       // tokens
	watch  []float32 // of each token of an answer; see model.Piece
}

// SessionOptions say how much a session may hold.
type SessionOptions struct {
	Context   int            // tokens, prompt and answer; 0 is what the model was trained on
	Cache     kvcache.Format // of keys and values
	MaxMemory int64          // bytes for keys and values; 0 is nine tenths of what is free
}

// ContextError says that a prompt does not fit into a model's context.
type ContextError struct {
	Prompt, Context int // tokens
	Model           string
}

func (e *ContextError) Error() string {
	return fmt.Sprintf("engine: the prompt has %d tokens, the context of %s holds %d", e.Prompt, e.Model, e.Context)
}

// NewSession returns an empty session.
func (w *Weights) NewSession(o SessionOptions) (*Session, error) {
	if err := w.Prepare(0, nil); err != nil {
		return nil, err
	}
	limit := o.Context
	if limit <= 0 {
		limit = w.m.Context
	}
	s := &Session{w: w, seq: w.m.NewSequence(o.Cache, limit), limit: limit, logits: make([]float32, w.m.Vocab)}
	if o.MaxMemory <= 0 {
		o.MaxMemory = MemoryLimit()
	}
	if o.MaxMemory > 0 {
		// As many tokens as there is memory for; a prompt that needs more is refused
		// when its length is known.
		for s.limit > 0 && int64(w.m.SequenceBytes(o.Cache, s.limit)) > o.MaxMemory {
			s.limit /= 2
		}
		if s.limit < min(limit, kvcache.PageTokens) {
			return nil, &MemoryError{Tokens: int64(limit), Bytes: int64(w.m.SequenceBytes(o.Cache, limit)), Max: o.MaxMemory}
		}
	}
	return s, nil
}

// Fork returns a session that has read the same and goes on by itself.
func (s *Session) Fork() *Session {
	return &Session{w: s.w, seq: s.seq.Clone(), ids: slices.Clone(s.ids), logits: slices.Clone(s.logits), fresh: s.fresh, limit: s.limit}
}

// Len returns the number of tokens that were read.
func (s *Session) Len() int { return len(s.ids) }

// Prefill makes the session hold exactly ids. What it holds of them already, from
// the beginning, is not read again. It reports the tokens that were kept and calls
// progress, if not nil, after each chunk with the tokens held. When ctx is
// cancelled, the session holds what was read until then.
func (s *Session) Prefill(ctx context.Context, ids []int32, progress func(done, total int)) (kept int, err error) {
	if len(ids) == 0 {
		return 0, errors.New("engine: no tokens to read")
	}
	if len(ids) > s.limit {
		return 0, &ContextError{len(ids), s.limit, s.w.f.Name}
	}
	kept = commonPrefix(s.ids, ids)
	if kept == len(ids) && (kept < len(s.ids) || !s.fresh) {
		kept-- // the last one is read again for what comes after it
	}
	if kept < len(s.ids) {
		if !s.seq.Truncate(kept) {
			// A window has moved past: from the beginning.
			kept = 0
			s.seq = s.w.m.NewSequence(s.seq.Format(), s.seq.Limit)
		}
		s.ids, s.fresh = s.ids[:kept], false
	}
	for done := kept; done < len(ids); {
		if err := ctx.Err(); err != nil {
			return kept, err
		}
		n := min(passTokens, len(ids)-done)
		if err := s.step(ctx, ids[done:done+n], done+n == len(ids)); err != nil {
			return kept, err
		}
		done += n
		if progress != nil {
			progress(done, len(ids))
		}
	}
	return kept, nil
}

// step reads ids, at most passTokens, and what comes after them if asked.
func (s *Session) step(ctx context.Context, ids []int32, logits bool) error {
	p := model.Piece{Seq: s.seq, IDs: ids, Watch: s.watch}
	if logits {
		p.Logits = s.logits
	}
	if err := s.w.batch.forward(ctx, p); err != nil {
		if s.seq.Len() != len(s.ids) || ctx.Err() == nil {
			// The pass broke off somewhere: what the sequence holds is not known.
			s.seq, s.ids = s.w.m.NewSequence(s.seq.Format(), s.seq.Limit), s.ids[:0]
		}
		s.fresh = false
		return err
	}
	s.ids, s.fresh = append(s.ids, ids...), logits
	return nil
}

// GenerateOptions say how an answer is made.
type GenerateOptions struct {
	sample.Options
	MaxTokens int            // of the answer; 0 is 512
	Stop      []string       // texts that end the answer, and are not of it
	Schema    *sample.Schema // what the answer must be, or nil
	// Chosen, if not nil, is told of each token before the text that it completes is
	// emitted.
	Chosen func(sample.Choice)
}

// Finish is why an answer ended.
type Finish string

// Reasons for an answer's end.
const (
	FinishEnd    Finish = "stop"    // the model ended it, or a stop text came
	FinishLength Finish = "length"  // MaxTokens
	FinishFull   Finish = "context" // the context is full
)

// Generation is an answer.
type Generation struct {
	Text   string
	Tokens []sample.Choice // with probabilities if asked for, its end included
	Finish Finish
	Stop   string // the stop text that ended it
}

// Generate answers what was prefilled and calls emit, if not nil, with each piece
// of text as soon as it is certain. The session then holds the answer too, but for
// its last token.
func (s *Session) Generate(ctx context.Context, o GenerateOptions, emit func(text string)) (g *Generation, err error) {
	defer recoverTo(&err)
	if !s.fresh {
		return nil, errors.New("engine: nothing was read to answer")
	}
	a, err := s.newAnswer(o)
	if err != nil {
		return nil, err
	}
	most := o.MaxTokens
	if most <= 0 {
		most = defaultMaxAnswer
	}
	g = &Generation{}
	var text []byte
	say := func(t string) {
		text = append(text, t...)
		if emit != nil && t != "" {
			emit(t)
		}
	}
	for {
		c, err := a.next(s.logits)
		if err != nil {
			return nil, err
		}
		g.Tokens = append(g.Tokens, c)
		if o.Chosen != nil {
			o.Chosen(c)
		}
		if slices.Contains(a.ends, c.ID) {
			g.Finish = FinishEnd
			break
		}
		say(a.stops.Add(s.w.v.Piece(c.ID)))
		if g.Stop = a.stops.Met(); g.Stop != "" || a.constraint != nil && a.constraint.Done() {
			g.Finish = FinishEnd
			break
		}
		if len(g.Tokens) == most {
			g.Finish = FinishLength
			break
		}
		if len(s.ids) == s.limit {
			g.Finish = FinishFull
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.step(ctx, []int32{c.ID}, true); err != nil {
			return nil, err
		}
	}
	say(a.stops.Flush())
	g.Text = string(text)
	return g, nil
}

// answer chooses the tokens of one answer.
type answer struct {
	sampler    *sample.Sampler
	stops      *sample.Stops
	constraint *sample.Constraint
	ends       []int32
}

func (s *Session) newAnswer(o GenerateOptions) (*answer, error) {
	v := s.w.v
	if v == nil {
		return nil, fmt.Errorf("engine: %s: its tokenizer cannot be used: %w", s.w.file, s.w.err)
	}
	a := &answer{ends: v.Ends()}
	var err error
	if a.sampler, err = sample.New(o.Options, s.ids); err != nil {
		return nil, err
	}
	if a.stops, err = sample.NewStops(o.Stop); err != nil {
		return nil, err
	}
	if o.Schema != nil {
		if a.constraint, err = sample.NewConstraint(o.Schema, s.w.trie(), a.ends); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *answer) next(logits []float32) (sample.Choice, error) {
	if a.constraint == nil {
		return a.sampler.Next(logits, nil)
	}
	c, err := a.sampler.Next(logits, a.constraint.Allowed)
	if err == nil {
		err = a.constraint.Accept(c.ID)
	}
	return c, err
}
