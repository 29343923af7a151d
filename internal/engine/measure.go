package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
)

// Bench times reading and answering after a number of tokens that are read once. All
// tokens are random, so that files without a tokenizer can be measured. It belongs to
// one goroutine.
type Bench struct {
	base *Session
	rng  *rand.Rand
}

// BenchOptions say what is measured.
type BenchOptions struct {
	Depth int            // tokens that are read before
	Most  int            // tokens that a measurement reads or answers with at most
	Cache kvcache.Format // of keys and values
	Seed  uint64         // of the tokens
}

// SetThreads makes the weights compute with n threads. No session may be at work.
func (w *Weights) SetThreads(n int) {
	w.team.Close()
	w.team = nn.NewTeam(n)
	w.batch.s.Use(w.team)
}

// NewBench reads o.Depth tokens. A context longer than what the model was trained on
// is taken: its speed is none the less its speed.
func (w *Weights) NewBench(ctx context.Context, o BenchOptions, progress func(done, total int)) (b *Bench, err error) {
	defer recoverTo(&err)
	need := o.Depth + o.Most
	s, err := w.NewSession(SessionOptions{Context: need, Cache: o.Cache})
	if err != nil {
		return nil, err
	}
	if s.limit < need {
		return nil, &MemoryError{Tokens: int64(need), Bytes: int64(w.m.SequenceBytes(o.Cache, need)), Max: MemoryLimit()}
	}
	b = &Bench{s, rand.New(rand.NewPCG(o.Seed, 0))}
	if o.Depth > 0 {
		if _, err := s.Prefill(ctx, b.random(nil, o.Depth), progress); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Prompt times the reading of n tokens, after the bench's own.
func (b *Bench) Prompt(ctx context.Context, n int) (took time.Duration, err error) {
	defer recoverTo(&err)
	s := b.base.Fork()
	ids := b.random(s.ids, n)
	begin := time.Now()
	_, err = s.Prefill(ctx, ids, nil)
	return time.Since(begin), err
}

// Generate times n passes over one token each, as they make an answer: their
// logits are computed, and the next token is random.
func (b *Bench) Generate(ctx context.Context, n int) (took time.Duration, err error) {
	defer recoverTo(&err)
	s := b.base.Fork()
	if s.Len()+n > s.limit {
		return 0, &ContextError{s.Len() + n, s.limit, s.w.f.Name}
	}
	ids := b.random(nil, n)
	begin := time.Now()
	for i := range ids {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := s.step(ctx, ids[i:i+1], true); err != nil {
			return 0, fmt.Errorf("engine: token %d of %d: %w", i+1, n, err)
		}
	}
	return time.Since(begin), nil
}

// random returns ids with n random ones after them.
func (b *Bench) random(ids []int32, n int) []int32 {
	out := append(make([]int32, 0, len(ids)+n), ids...)
	for range n {
		out = append(out, int32(b.rng.IntN(b.base.w.m.Vocab)))
	}
	return out
}
