package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/handscroll/handscroll/internal/convert"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/sample"
)

// tinyWeights opens a tiny model of random weights with a byte vocabulary.
func tinyWeights(t *testing.T, typ string) *Weights {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	shape := convert.RandomShapes[len(convert.RandomShapes)-1]
	if err := convert.Random(path, shape, typ, 5); err != nil {
		t.Fatal(err)
	}
	w, err := OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func randomIDs(seed uint64, n int) []int32 {
	r := rand.New(rand.NewPCG(seed, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(3 + r.IntN(256))
	}
	return ids
}

// greedy answers ids and returns the tokens.
func greedy(t *testing.T, s *Session, ids []int32) []int32 {
	t.Helper()
	if _, err := s.Prefill(context.Background(), ids, nil); err != nil {
		t.Error(err)
		return nil
	}
	g, err := s.Generate(context.Background(), GenerateOptions{MaxTokens: 12}, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	var out []int32
	for _, c := range g.Tokens {
		out = append(out, c.ID)
	}
	return out
}

func newSession(t *testing.T, w *Weights, f kvcache.Format) *Session {
	t.Helper()
	s, err := w.NewSession(SessionOptions{Cache: f})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// However a prompt comes to be read (at once, in steps, after another one, on a
// fork, beside others) the greedy answer is the same, token for token.
func TestSessionsAgree(t *testing.T) {
	for _, typ := range []string{"q4_k_m", "q8_0", "f16"} {
		w := tinyWeights(t, typ)
		for _, f := range []kvcache.Format{kvcache.F16, kvcache.F32, kvcache.Q8} {
			ids := randomIDs(1, 1500)
			want := greedy(t, newSession(t, w, f), ids)
			steps := newSession(t, w, f)
			for n := 0; n < len(ids); n += 1 + n%613 {
				if _, err := steps.Prefill(context.Background(), ids[:n+1], nil); err != nil {
					t.Fatal(err)
				}
			}
			if got := greedy(t, steps, ids); !slices.Equal(got, want) {
				t.Errorf("%s %v: in steps %v, at once %v", typ, f, got, want)
			}
			// After its own answer, and after another ending of the prompt.
			if got := greedy(t, steps, ids); !slices.Equal(got, want) {
				t.Errorf("%s %v: asked again %v, want %v", typ, f, got, want)
			}
			fork := steps.Fork()
			other := append(slices.Clone(ids[:1100]), randomIDs(2, 80)...)
			greedy(t, steps, other)
			if got := greedy(t, fork, ids); !slices.Equal(got, want) {
				t.Errorf("%s %v: on a fork %v, want %v", typ, f, got, want)
			}
			if got := greedy(t, steps, ids); !slices.Equal(got, want) {
				t.Errorf("%s %v: after another prompt %v, want %v", typ, f, got, want)
			}
		}
	}
}

// Sessions that run at once answer as if alone.
func TestSessionsTogether(t *testing.T) {
	w := tinyWeights(t, "q4_k_m")
	const n = 6
	var want [n][]int32
	for i := range want {
		want[i] = greedy(t, newSession(t, w, kvcache.F16), randomIDs(uint64(i), 30+200*i))
	}
	var wg sync.WaitGroup
	for i := range want {
		s := newSession(t, w, kvcache.F16)
		wg.Go(func() {
			if got := greedy(t, s, randomIDs(uint64(i), 30+200*i)); !slices.Equal(got, want[i]) {
				t.Errorf("session %d among others answers %v, alone %v", i, got, want[i])
			}
		})
	}
	wg.Wait()
}

func TestSessionLimits(t *testing.T) {
	w := tinyWeights(t, "q8_0")
	s, err := w.NewSession(SessionOptions{Context: 50})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Prefill(context.Background(), randomIDs(1, 51), nil)
	var full *ContextError
	if !errors.As(err, &full) || !strings.Contains(err.Error(), "51 tokens") || !strings.Contains(err.Error(), "holds 50") {
		t.Errorf("51 tokens into a context of 50: %v", err)
	}
	if _, err := s.Prefill(context.Background(), randomIDs(1, 45), nil); err != nil {
		t.Fatal(err)
	}
	g, err := s.Generate(context.Background(), GenerateOptions{}, nil)
	if err != nil || len(g.Tokens) > 6 || g.Finish == FinishLength {
		t.Errorf("an answer of %d tokens after 45 of 50, %q: %v", len(g.Tokens), g.Finish, err)
	}
	var memory *MemoryError
	if _, err := w.NewSession(SessionOptions{MaxMemory: 1000}); !errors.As(err, &memory) {
		t.Errorf("with 1000 bytes: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Prefill(ctx, randomIDs(3, 40), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s.Prefill(context.Background(), []int32{3, 4, 259}, nil); err == nil {
		t.Error("an id outside of the vocabulary was read")
	}
	if _, err := s.Prefill(context.Background(), randomIDs(3, 40), nil); err != nil {
		t.Errorf("after errors: %v", err)
	}
}

func TestGenerateBySchema(t *testing.T) {
	w := tinyWeights(t, "q4_k_m")
	schema, err := sample.ParseSchema([]byte(`{"type":"object","properties":{"n":{"type":"integer"},"yes":{"type":"boolean"}},"required":["n","yes"]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, w, kvcache.F16)
	if _, err := s.Prefill(context.Background(), randomIDs(1, 20), nil); err != nil {
		t.Fatal(err)
	}
	var streamed strings.Builder
	g, err := s.Generate(context.Background(), GenerateOptions{Schema: schema, Options: sample.Options{Temperature: 1, Seed: 3}}, func(t string) { streamed.WriteString(t) })
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(g.Text, `{"n":`) && !strings.HasPrefix(g.Text, "{") || !strings.HasSuffix(g.Text, "}") || streamed.String() != g.Text {
		t.Errorf("answer %q, streamed %q", g.Text, streamed.String())
	}
}

// BenchmarkBatch decodes with several sessions at once: passes over the weights are
// shared.
func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{1, 4, 16} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "b.gguf")
			shape := convert.RandomShape{Name: "batch", Arch: "qwen3moe", Layers: 4, Width: 1024, Vocab: 8192, Context: 4096, Heads: 8, KVHeads: 2, HeadDim: 128, Hidden: 512, Experts: 16, TopK: 4}
			if err := convert.Random(path, shape, "q4_k_m", 1); err != nil {
				b.Fatal(err)
			}
			w, err := OpenWeights(path)
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			sessions := make([]*Session, n)
			for i := range sessions {
				if sessions[i], err = w.NewSession(SessionOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, s := range sessions {
				wg.Go(func() {
					for j := range b.N {
						if err := s.step(context.Background(), []int32{int32(i+j) % 8192}, true); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// Scoring while weights are laid out for the first session disturbs neither.
func TestScoreBesideSession(t *testing.T) {
	w := tinyWeights(t, "q8_0")
	ids := randomIDs(1, 300)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := w.Likelihoods(context.Background(), ids, 1); err != nil {
			t.Error(err)
		}
	})
	got := greedy(t, newSession(t, w, kvcache.F16), ids)
	wg.Wait()
	if want := greedy(t, newSession(t, w, kvcache.F16), ids); !slices.Equal(got, want) {
		t.Errorf("beside scoring %v, alone %v", got, want)
	}
}
