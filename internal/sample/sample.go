package sample

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Options say how to choose. The zero value takes the likeliest token.
type Options struct {
	Temperature      float64 // divides the logits; 0 takes the likeliest token
	TopK             int     // keep the K likeliest; 0 keeps all
	TopP             float64 // keep the likeliest that together reach this probability (arXiv 1904.09751); 0 and 1 keep all
	MinP             float64 // keep those at least this times as likely as the likeliest (arXiv 2407.01082); 0 keeps all
	RepeatPenalty    float64 // divides positive logits of tokens seen, multiplies negative ones (arXiv 1909.05858); 0 and 1 leave them
	PresencePenalty  float64 // taken from the logits of tokens seen
	FrequencyPenalty float64 // taken once for each time a token was seen
	PenaltyWindow    int     // tokens back that penalties look; 0 is all
	Seed             uint64
	Logprobs         int // how many of the likeliest tokens to report
}

// Validate reports the first option that makes no sense.
func (o *Options) Validate() error {
	for _, x := range []struct {
		name      string
		v, lo, hi float64
	}{
		{"temperature", o.Temperature, 0, 100}, {"top_k", float64(o.TopK), 0, math.MaxInt32}, {"top_p", o.TopP, 0, 1},
		{"min_p", o.MinP, 0, 1}, {"repeat_penalty", o.RepeatPenalty, 0, 100}, {"presence_penalty", o.PresencePenalty, -100, 100},
		{"frequency_penalty", o.FrequencyPenalty, -100, 100}, {"penalty_window", float64(o.PenaltyWindow), 0, math.MaxInt32},
		{"logprobs", float64(o.Logprobs), 0, 1000},
	} {
		if !(x.v >= x.lo && x.v <= x.hi) { // NaN too
			return fmt.Errorf("sample: %s is %v, want %v to %v", x.name, x.v, x.lo, x.hi)
		}
	}
	return nil
}

// Candidate is a token with the natural logarithm of its probability, as the
// model gives it: before temperature, penalties and cuts.
type Candidate struct {
	ID      int32
	Logprob float64
}

// Choice is a chosen token, with the likeliest ones if they were asked for.
type Choice struct {
	Candidate
	Top []Candidate
}

// Sampler chooses the tokens of one answer.
type Sampler struct {
	opts  Options
	rng   *rand.Rand
	seen  []int32 // the prompt's last tokens, then those chosen
	count map[int32]int
	work  []scored
}

type scored struct {
	id int32
	x  float64 // logit, then probability
}

// New prepares a sampler; prompt is what penalties also count.
func New(opts Options, prompt []int32) (*Sampler, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s := &Sampler{opts: opts, rng: rand.New(rand.NewPCG(opts.Seed, 0x73616d706c65)), count: map[int32]int{}}
	for _, id := range prompt {
		s.remember(id)
	}
	return s, nil
}

func (s *Sampler) remember(id int32) {
	s.seen = append(s.seen, id)
	s.count[id]++
	if n := s.opts.PenaltyWindow; n > 0 && len(s.seen) > n {
		old := s.seen[0]
		s.seen = s.seen[1:]
		if s.count[old]--; s.count[old] == 0 {
			delete(s.count, old)
		}
	}
}

// Next chooses a token. Ids for which allowed, if not nil, says false are left
// out; it fails if none is left. Logits are not changed.
func (s *Sampler) Next(logits []float32, allowed func(id int32) bool) (Choice, error) {
	logZ := LogSumExp(logits)
	s.work = s.work[:0]
	for i, v := range logits {
		if v == v && v != negInf && (allowed == nil || allowed(int32(i))) {
			s.work = append(s.work, scored{int32(i), float64(v)})
		}
	}
	if o := &s.opts; o.RepeatPenalty > 0 || o.PresencePenalty != 0 || o.FrequencyPenalty != 0 {
		for i := range s.work {
			s.work[i].x = s.penalised(s.work[i].id, s.work[i].x)
		}
	}
	if len(s.work) == 0 {
		return Choice{}, fmt.Errorf("sample: no token is left to choose from")
	}
	id := s.pick()
	s.remember(id)
	c := Choice{Candidate: Candidate{id, float64(logits[id]) - logZ}}
	if s.opts.Logprobs > 0 {
		c.Top = Top(logits, logZ, s.opts.Logprobs)
	}
	return c, nil
}

func (s *Sampler) penalised(id int32, x float64) float64 {
	n := s.count[id]
	if n == 0 {
		return x
	}
	if p := s.opts.RepeatPenalty; p > 0 {
		if x > 0 {
			x /= p
		} else {
			x *= p
		}
	}
	return x - s.opts.PresencePenalty - float64(n)*s.opts.FrequencyPenalty
}

// likelier orders by logit or probability, equals by id.
func likelier(a, b scored) int { return cmp.Or(cmp.Compare(b.x, a.x), cmp.Compare(a.id, b.id)) }

// pick draws from s.work, which it cuts. Vocabularies are large: only what may be left
// of them is sorted.
func (s *Sampler) pick() int32 {
	w, o := s.work, &s.opts
	best := slices.MinFunc(w, likelier)
	if o.Temperature == 0 {
		return best.id
	}
	if o.TopK > 0 && o.TopK < len(w) {
		w = likeliest(w, o.TopK)
	}
	sum := 0.0
	for i := range w {
		w[i].x = math.Exp((w[i].x - best.x) / o.Temperature) // the likeliest has 1
		sum += w[i].x
	}
	if o.TopP > 0 && o.TopP < 1 {
		w, sum = nucleus(w, sum, o.TopP)
	}
	if o.MinP > 0 {
		w = slices.DeleteFunc(w, func(c scored) bool { return c.x < o.MinP })
		sum = 0
		for _, c := range w {
			sum += c.x
		}
	}
	x := s.rng.Float64() * sum
	for _, c := range w {
		if x -= c.x; x < 0 {
			return c.id
		}
	}
	return best.id // rounding
}

// likeliest returns the k likeliest of w, which it reorders: w is cut in two around a
// value until the cut is at k.
func likeliest(w []scored, k int) []scored {
	for lo, hi := 0, len(w); hi-lo > 1; {
		pivot, at := w[lo+(hi-lo)/2], lo
		w[lo+(hi-lo)/2], w[hi-1] = w[hi-1], pivot
		for i := lo; i < hi-1; i++ {
			if likelier(w[i], pivot) < 0 {
				w[i], w[at] = w[at], w[i]
				at++
			}
		}
		w[at], w[hi-1] = pivot, w[at]
		switch {
		case at == k:
			lo = hi
		case at < k:
			lo = at + 1
		default:
			hi = at
		}
	}
	slices.SortFunc(w[:k], likelier)
	return w[:k]
}

// nucleus returns the likeliest of w that together reach p of sum, and their sum.
// Those below (1−p)·sum/len(w) cannot be needed: all of them are less than the rest.
func nucleus(w []scored, sum, p float64) ([]scored, float64) {
	least := (1 - p) * sum / float64(len(w))
	w = slices.DeleteFunc(w, func(c scored) bool { return c.x < least })
	slices.SortFunc(w, likelier)
	reached := 0.0
	for i, c := range w {
		if reached += c.x; reached >= p*sum {
			return w[:i+1], reached
		}
	}
	return w, reached
}

var negInf = float32(math.Inf(-1))

// LogSumExp is what a logit exceeds its token's log-probability by, to about 1e-6.
func LogSumExp(logits []float32) float64 {
	top := kernel.MaxF32(logits)
	return float64(top) + math.Log(float64(kernel.ExpSum(logits, top)))
}

// Top returns the n likeliest tokens, likeliest first; logZ is the [LogSumExp] of
// the logits.
func Top(logits []float32, logZ float64, n int) []Candidate {
	out := make([]Candidate, 0, n+1)
	for i, v := range logits {
		c := Candidate{int32(i), float64(v) - logZ}
		if len(out) == n && !(c.Logprob > out[n-1].Logprob) {
			continue
		}
		at, _ := slices.BinarySearchFunc(out, c, func(a, b Candidate) int {
			return cmp.Or(cmp.Compare(b.Logprob, a.Logprob), cmp.Compare(a.ID, b.ID))
		})
		out = slices.Insert(out, at, c)
		out = out[:min(len(out), n)]
	}
	return out
}
