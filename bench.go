package handscroll

import (
	"context"
	"time"

	"github.com/handscroll/handscroll/internal/engine"
)

// BenchOptions say what a [Bench] measures.
type BenchOptions struct {
	Depth int    // tokens that are read before
	Most  int    // tokens that a measurement reads or answers with at most
	Cache string // how keys and values are kept: f16 (the default), q8_0 or f32
	Seed  uint64 // of the tokens, which are random
}

// Bench times open weights. It needs no tokenizer; nothing that it reads means
// anything. It belongs to one goroutine.
type Bench struct{ b *engine.Bench }

// NewBench reads the tokens that are in the context before anything is measured.
func (w *Weights) NewBench(ctx context.Context, o BenchOptions, progress func(done, total int)) (*Bench, error) {
	f, err := cacheFormat(o.Cache)
	if err != nil {
		return nil, err
	}
	b, err := w.w.NewBench(ctx, engine.BenchOptions{Depth: o.Depth, Most: o.Most, Cache: f, Seed: o.Seed}, progress)
	if err != nil {
		return nil, err
	}
	return &Bench{b}, nil
}

// Prompt returns how long n tokens take to be read after those of the context, which
// then is as before.
func (b *Bench) Prompt(ctx context.Context, n int) (time.Duration, error) { return b.b.Prompt(ctx, n) }

// Generate returns how long n tokens take to be answered with after those of the
// context, one pass each; choosing them is left out. The context then is as before.
func (b *Bench) Generate(ctx context.Context, n int) (time.Duration, error) {
	return b.b.Generate(ctx, n)
}

// SetThreads makes the weights compute with n threads instead of GOMAXPROCS. Nothing
// else may use them meanwhile.
func (w *Weights) SetThreads(n int) { w.w.SetThreads(n) }
