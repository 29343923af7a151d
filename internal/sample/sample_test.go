package sample

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var logits = []float32{1, 3, 2, -1, 3 - 1e-3, float32(math.Inf(-1))}

// draw chooses n times from the same logits, each time afresh.
func draw(t *testing.T, opts Options, n int, prompt ...int32) []int {
	t.Helper()
	count := make([]int, len(logits))
	for i := range n {
		opts.Seed = uint64(i)
		s, err := New(opts, prompt)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Next(logits, nil)
		if err != nil {
			t.Fatal(err)
		}
		count[c.ID]++
	}
	return count
}

// TestFrequencies: tokens come as often as the softmax says.
func TestFrequencies(t *testing.T) {
	const n = 20000
	for _, temperature := range []float64{0.7, 1, 2} {
		got := draw(t, Options{Temperature: temperature}, n)
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(float64(v) / temperature)
		}
		for i, v := range logits {
			p := math.Exp(float64(v)/temperature) / sum
			if d := math.Abs(float64(got[i])/n - p); d > 4*math.Sqrt(p*(1-p)/n)+1e-9 {
				t.Errorf("temperature %g: token %d came %d times of %d, want %.1f", temperature, i, got[i], n, p*n)
			}
		}
	}
}

func TestCuts(t *testing.T) {
	for _, c := range []struct {
		name string
		opts Options
		keep []int
	}{
		{"greedy", Options{}, []int{1}},
		{"top-k", Options{Temperature: 1, TopK: 2}, []int{1, 4}},
		{"top-p", Options{Temperature: 1, TopP: 0.7}, []int{1, 4}},
		{"top-p of one", Options{Temperature: 1, TopP: 0.1}, []int{1}},
		{"min-p", Options{Temperature: 1, MinP: 0.3}, []int{1, 2, 4}},
		{"min-p of all", Options{Temperature: 1, MinP: 1}, []int{1}},
	} {
		for i, n := range draw(t, c.opts, 500) {
			if (n > 0) != slices.Contains(c.keep, i) {
				t.Errorf("%s: token %d came %d times", c.name, i, n)
			}
		}
	}
}

func TestPenalties(t *testing.T) {
	for name, c := range map[string]struct {
		opts   Options
		prompt []int32
		want   int
	}{
		"repeat":             {Options{RepeatPenalty: 1.5}, []int32{1}, 4},
		"presence":           {Options{PresencePenalty: 0.5}, []int32{1}, 4},
		"frequency":          {Options{FrequencyPenalty: 0.6}, []int32{1, 4, 4, 1}, 2},
		"out of the window":  {Options{PresencePenalty: 5, PenaltyWindow: 2}, []int32{1, 0, 3}, 1},
		"inside the window":  {Options{PresencePenalty: 5, PenaltyWindow: 2}, []int32{0, 1, 3}, 4},
		"no penalty, repeat": {Options{RepeatPenalty: 1}, []int32{1}, 1},
	} {
		if got := draw(t, c.opts, 1, c.prompt...); got[c.want] != 1 {
			t.Errorf("%s: %v, want token %d", name, got, c.want)
		}
	}
	// What was chosen counts too.
	s, err := New(Options{PresencePenalty: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	for range 3 {
		c, err := s.Next(logits, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.ID)
	}
	if !slices.Equal(got, []int32{1, 4, 1}) {
		t.Errorf("chosen %v", got)
	}
}

func TestLogprobsAndMask(t *testing.T) {
	s, err := New(Options{Logprobs: 3, Temperature: 0.1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Next(logits, func(id int32) bool { return id == 3 })
	if err != nil || c.ID != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v))
	}
	if want := -1 - math.Log(sum); math.Abs(c.Logprob-want) > 1e-6 {
		t.Errorf("log-probability %g, want %g", c.Logprob, want)
	}
	if len(c.Top) != 3 || c.Top[0].ID != 1 || c.Top[1].ID != 4 || c.Top[2].ID != 2 || c.Top[0].Logprob < c.Top[1].Logprob {
		t.Errorf("likeliest %+v", c.Top)
	}
	if _, err := s.Next(logits, func(int32) bool { return false }); err == nil {
		t.Error("nothing to choose from")
	}
	if top := Top(logits, LogSumExp(logits), 99); len(top) != len(logits) {
		t.Errorf("%d of %d tokens", len(top), len(logits))
	}
}

// TestSeed: the same seed gives the same tokens, another one others.
func TestSeed(t *testing.T) {
	run := func(seed uint64) (ids []int32) {
		s, err := New(Options{Temperature: 2, Seed: seed}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			c, err := s.Next(logits, nil)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, c.ID)
		}
		return ids
	}
	if !slices.Equal(run(1), run(1)) || slices.Equal(run(1), run(2)) {
		t.Error("tokens do not follow from the seed")
	}
}

func TestValidate(t *testing.T) {
	for says, o := range map[string]Options{
		"temperature": {Temperature: -1}, "top_p": {TopP: 1.5}, "min_p": {MinP: math.NaN()}, "top_k": {TopK: -1},
	} {
		if _, err := New(o, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error about %s, got %v", says, err)
		}
	}
}

// The cuts by selection are those by sorting everything.
func TestCutsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		n := 1 + r.IntN(200)
		w := make([]scored, n)
		sum := 0.0
		for i := range w {
			w[i] = scored{int32(i), math.Exp(float64(r.IntN(12)) - 6)} // with equals
			sum += w[i].x
		}
		sorted := slices.Clone(w)
		slices.SortFunc(sorted, likelier)
		k := r.IntN(n) + 1
		if got := likeliest(slices.Clone(w), k); !slices.Equal(got, sorted[:k]) {
			t.Fatalf("the %d likeliest of %d are %v, want %v", k, n, got, sorted[:k])
		}
		p, reached, want := r.Float64(), 0.0, 0
		for want < n && reached < p*sum {
			reached += sorted[want].x
			want++
		}
		if got, mass := nucleus(slices.Clone(w), sum, p); !slices.Equal(got, sorted[:want]) || mass != reached {
			t.Fatalf("%v of %d is %d tokens, want %d", p, n, len(got), want)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 150000)
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 3)
	}
	for name, o := range map[string]Options{
		"greedy": {}, "temperature": {Temperature: 1}, "top-p": {Temperature: 1, TopP: 0.95}, "top-k": {Temperature: 1, TopK: 40}, "repeat": {RepeatPenalty: 1.1},
	} {
		s, err := New(o, []int32{1, 2, 3})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if _, err := s.Next(logits, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
