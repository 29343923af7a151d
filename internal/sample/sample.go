package sample

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
		if v == v && !math.IsInf(float64(v), -1) && (allowed == nil || allowed(int32(i))) {
			s.work = append(s.work, scored{int32(i), s.penalised(int32(i), float64(v))})
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

// pick draws from s.work, which it cuts.
func (s *Sampler) pick() int32 {
	byLogit := func(a, b scored) int { return cmp.Or(cmp.Compare(b.x, a.x), cmp.Compare(a.id, b.id)) }
	if s.opts.Temperature == 0 {
		return slices.MinFunc(s.work, byLogit).id
	}
	slices.SortFunc(s.work, byLogit)
	w := s.work
	if k := s.opts.TopK; k > 0 && k < len(w) {
		w = w[:k]
	}
	top, sum := w[0].x, 0.0
	for i := range w {
		w[i].x = math.Exp((w[i].x - top) / s.opts.Temperature)
		sum += w[i].x
	}
	if p := s.opts.TopP; p > 0 && p < 1 {
		reached := 0.0
		for i := range w {
			if reached += w[i].x; reached >= p*sum {
				w, sum = w[:i+1], reached
				break
			}
		}
	}
	if p := s.opts.MinP; p > 0 {
		kept := 0.0
		for i := range w {
			if w[i].x < p { // the likeliest has 1
				w, sum = w[:i], kept
				break
			}
			kept += w[i].x
		}
	}
	x := s.rng.Float64() * sum
	for _, c := range w {
		if x -= c.x; x < 0 {
			return c.id
		}
	}
	return w[0].id // rounding
}

// LogSumExp is what a logit exceeds its token's log-probability by.
func LogSumExp(logits []float32) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range logits {
		top = max(top, float64(v))
	}
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
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
