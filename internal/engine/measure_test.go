package engine

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/handscroll/handscroll/internal/kvcache"
)

func TestBench(t *testing.T) {
	w := tinyWeights(t, "q4_k_m")
	var read int
	b, err := w.NewBench(context.Background(), BenchOptions{Depth: 1100, Most: 40, Seed: 3}, func(done, _ int) { read = done })
	if err != nil {
		t.Fatal(err)
	}
	ids := slices.Clone(b.base.ids)
	for range 2 {
		w.SetThreads(1 + w.team.Workers()%2)
		for name, f := range map[string]func(context.Context, int) (int64, error){
			"prompt": func(ctx context.Context, n int) (int64, error) { d, err := b.Prompt(ctx, n); return int64(d), err },
			"answer": func(ctx context.Context, n int) (int64, error) { d, err := b.Generate(ctx, n); return int64(d), err },
		} {
			if took, err := f(context.Background(), 40); err != nil || took <= 0 {
				t.Errorf("%s of 40 tokens: %d ns, %v", name, took, err)
			}
			var full *ContextError
			if _, err := f(context.Background(), 41); !errors.As(err, &full) {
				t.Errorf("%s of 41 tokens after 1100 of 1140: %v", name, err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := f(ctx, 40); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, cancelled: %v", name, err)
			}
		}
	}
	if read != 1100 || len(ids) != 1100 || !slices.Equal(b.base.ids, ids) || b.base.seq.Len() != 1100 {
		t.Errorf("the context has %d tokens after %d were read", b.base.Len(), read)
	}
	for _, id := range ids {
		if id < 0 || int(id) >= w.m.Vocab {
			t.Fatalf("token %d is not in the vocabulary", id)
		}
	}
	again, err := w.NewBench(context.Background(), BenchOptions{Depth: 1100, Most: 1, Seed: 3, Cache: kvcache.Q8}, nil)
	if err != nil || !slices.Equal(again.base.ids, ids) {
		t.Errorf("the same seed gives other tokens: %v", err)
	}
	var memory *MemoryError
	if _, err := w.NewBench(context.Background(), BenchOptions{Depth: 1 << 40, Most: 1}, nil); MemoryLimit() > 0 && !errors.As(err, &memory) {
		t.Errorf("a context beyond memory: %v", err)
	}
}
