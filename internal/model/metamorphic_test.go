package model

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// answer takes up to steps steps of an answer.
func answer(t *testing.T, m *Native, v kvcache.View, question []int32, steps int) (out []Step) {
	t.Helper()
	d := m.NewDecoder(v, question)
	for range steps {
		st, err := d.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, st)
		if st.ID == tokenizer.End {
			break
		}
	}
	return out
}

// textIDs draws ids that are not special.
func textIDs(r *rand.Rand, n, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(tokenizer.NumSpecial + r.IntN(vocab-tokenizer.NumSpecial))
	}
	return ids
}

// TestDecodeThreads decodes one view on one to five threads: the same bits.
func TestDecodeThreads(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	r := rand.New(rand.NewPCG(8, 1))
	ids := textIDs(r, 700, m.Config.Vocab)
	var cuts []int
	for a := 0; a < len(ids); a += 32 {
		cuts = append(cuts, a)
	}
	view := readAll(m, ids, append(cuts, len(ids)))
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	var want []Step
	for n := 1; n <= 5; n++ {
		runtime.GOMAXPROCS(n)
		got := answer(t, m, view, ids[100:112], 5)
		if n == 1 {
			want = got
			continue
		}
		if !slices.EqualFunc(got, want, sameStep) {
			t.Fatalf("%d threads: %+v, one thread: %+v", n, got, want)
		}
	}
}

func sameStep(a, b Step) bool {
	return a.ID == b.ID && a.LogProb == b.LogProb && a.Copied == b.Copied && a.Source == b.Source &&
		a.Weight == b.Weight && slices.Equal(a.Hits, b.Hits)
}

// TestDecodeRuns decodes the same entries divided into other runs, empty ones
// among them: the same tokens and sources, weights up to the order of sums.
func TestDecodeRuns(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	r := rand.New(rand.NewPCG(8, 2))
	ids := textIDs(r, 700, m.Config.Vocab)
	whole := readAll(m, ids, []int{0, len(ids)})
	want := answer(t, m, whole, ids[100:112], 5)
	for range 10 {
		view := kvcache.View{kvcache.NewRun(0, m.Config.KeyDim, m.Config.ValueDim)}
		for a := 0; a < len(ids); {
			b := min(len(ids), a+1+r.IntN(1+r.IntN(300)))
			view = append(view, whole.Slice(a, b)...)
			a = b
		}
		got := answer(t, m, view, ids[100:112], 5)
		if len(got) != len(want) {
			t.Fatalf("%d runs: %d steps, want %d", len(view), len(got), len(want))
		}
		for i, g := range got {
			w := want[i]
			if g.ID != w.ID || g.Source != w.Source || g.Copied != w.Copied ||
				math.Abs(float64(g.LogProb-w.LogProb)) > 1e-4 || math.Abs(float64(g.Weight-w.Weight)) > 1e-4 {
				t.Fatalf("%d runs, step %d: %+v, in one run: %+v", len(view), i, g, w)
			}
		}
	}
}

// TestDecodeSegments: the order of segments changes nothing but positions,
// since the cross-decoder has none.
func TestDecodeSegments(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	r := rand.New(rand.NewPCG(8, 3))
	a := readAll(m, textIDs(r, 300, m.Config.Vocab), []int{0, 300})[0]
	b := readAll(m, textIDs(r, 200, m.Config.Vocab), []int{0, 200})[0]
	question := textIDs(r, 12, m.Config.Vocab)
	ab := answer(t, m, kvcache.View{a, b}, question, 1)[0]
	ba := answer(t, m, kvcache.View{b, a}, question, 1)[0]
	if ab.ID != ba.ID || math.Abs(float64(ab.LogProb-ba.LogProb)) > 1e-4 {
		t.Errorf("a, b: %+v, b, a: %+v", ab, ba)
	}
	if ab.Source < 0 || ba.Source != (ab.Source+200)%500 {
		t.Errorf("the source is %d with a first, %d with b first", ab.Source, ba.Source)
	}
}

// TestAbsentBias: the bias moves the log-odds of the absent answer against
// all others, copied ones too, at an answer's first token and no later.
func TestAbsentBias(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	r := rand.New(rand.NewPCG(8, 6))
	ids := textIDs(r, 200, m.Config.Vocab)
	view := readAll(m, ids, []int{0, 200})
	plain := answer(t, m, view, ids[100:112], 2)
	if plain[0].ID == tokenizer.Absent {
		t.Fatal("this model says absent by itself")
	}
	odds := func(s Step) float64 { p := math.Exp(float64(s.LogProb)); return math.Log(p / (1 - p)) }
	m.AbsentBias = 50
	biased := answer(t, m, view, ids[100:112], 1)[0]
	if biased.ID != tokenizer.Absent {
		t.Fatalf("with a bias of 50: %+v", biased)
	}
	// Whatever wins, absent's odds change by the bias: find where it just wins.
	lo, hi := float32(0), float32(50)
	for range 30 {
		m.AbsentBias = (lo + hi) / 2
		if answer(t, m, view, ids[100:112], 1)[0].ID == tokenizer.Absent {
			hi = m.AbsentBias
		} else {
			lo = m.AbsentBias
		}
	}
	m.AbsentBias = hi
	at := odds(answer(t, m, view, ids[100:112], 1)[0])
	// What absent gains the others lose, in proportion.
	q, p0 := 1/(1+math.Exp(-at)), 1/(1+math.Exp(float64(hi)-at))
	m.AbsentBias = lo
	loses := float64(answer(t, m, view, ids[100:112], 1)[0].LogProb - plain[0].LogProb)
	if want := math.Log((1 - q) / (1 - p0)); math.Abs(loses-want) > 0.01 {
		t.Errorf("the best other answer's log-probability changes by %g, want %g", loses, want)
	}
	m.AbsentBias = hi + 2
	if got := odds(answer(t, m, view, ids[100:112], 1)[0]); math.Abs(got-at-2) > 0.01 {
		t.Errorf("a bias of 2 moves the log-odds by %g", got-at)
	}
	m.AbsentBias = -20
	without := answer(t, m, view, ids[100:112], 2)
	if without[0].ID != plain[0].ID || without[1].ID != plain[1].ID || without[1].LogProb != plain[1].LogProb {
		t.Errorf("a negative bias changes other answers: %+v, plain %+v", without, plain)
	}
}

// TestDecodeCancelled stops on a context's end.
func TestDecodeCancelled(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	ids := textIDs(rand.New(rand.NewPCG(8, 4)), 100, m.Config.Vocab)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.NewDecoder(readAll(m, ids, []int{0, 100}), ids[:5]).Next(ctx); err != context.Canceled {
		t.Errorf("next: %v", err)
	}
	if _, err := m.Score(ctx, ids); err != context.Canceled {
		t.Errorf("score: %v", err)
	}
	if _, err := m.NewDecoder(nil, ids[:5]).Next(context.Background()); err == nil {
		t.Error("an empty context gave an answer")
	}
}

// TestScore compares with the training forward of rows of the same limits.
func TestScore(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	// Repeats, so that copying matters; long enough for several tiles of rows.
	r := rand.New(rand.NewPCG(8, 5))
	ids := textIDs(r, 50, m.Config.Vocab)
	for len(ids) < 170 {
		a := r.IntN(len(ids) - 8)
		ids = append(ids, ids[a:a+8]...)
	}
	got, err := m.Score(context.Background(), ids)
	if err != nil {
		t.Fatal(err)
	}
	smp := &Sample{IDs: ids, Context: len(ids), Spans: []nn.Span{{Start: 0, End: len(ids)}}}
	q := &smp.Rows
	for i := range len(ids) - 1 {
		limit := max(0, i+1-m.Lookahead())
		q.Token, q.Limit, q.Prev = append(q.Token, int32(i)), append(q.Limit, int32(limit)), append(q.Prev, -1)
		q.Target, q.Source = append(q.Target, ids[i+1]), append(q.Source, -1)
	}
	if len(got) != len(ids) || got[0] != 0 {
		t.Fatalf("%d scores of %d ids, the first %g, want 0", len(got), len(ids), got[0])
	}
	for i, l := range m.Train(new(nn.Scratch), nil, smp).Rows {
		if d := math.Abs(float64(got[i+1] + l.NLL)); d > 1e-4 {
			t.Fatalf("id %d: score %g, in training %g", i+1, got[i+1], -l.NLL)
		}
	}
	// A score depends on nothing behind it.
	part, err := m.Score(context.Background(), ids[:90])
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range part {
		if math.Abs(float64(p-got[i])) > 1e-4 {
			t.Fatalf("id %d: score %g alone, %g with more behind", i, p, got[i])
		}
	}
}
