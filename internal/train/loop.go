package train

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
	"github.com/handscroll/handscroll/internal/train/data"
)

// Trainer is a run in progress.
type Trainer struct {
	Recipe *Recipe
	Model  *model.Native
	Gen    *data.Generator
	Step   int

	descent
}

// New starts a run from freshly drawn weights; Resume continues one.
func New(r *Recipe, m *model.Native, gen *data.Generator) *Trainer {
	m.AheadFrom(r.AheadFrom)
	return &Trainer{Recipe: r, Model: m, Gen: gen, descent: newDescent(&m.Params, r.Workers, r.Decay)}
}

// Metrics of one step. Losses are means over rows.
type Metrics struct {
	Step    int              `json:"step"`
	Length  int              `json:"length"`
	Tokens  int              `json:"tokens"`
	Rate    float64          `json:"lr"`
	Answer  float64          `json:"answer"`
	LM      float64          `json:"lm"`
	Pointer float64          `json:"pointer"`
	Router  float64          `json:"router"`
	Norm    float64          `json:"grad_norm"`
	Exact   float64          `json:"exact"` // questions whose every row is right
	Tasks   map[string]Tally `json:"tasks"`
	Load    []float64        `json:"load"` // least and greatest share of an expert, times the number of experts
	Seconds float64          `json:"seconds"`
}

// Tally counts a task's questions.
type Tally struct {
	Right int `json:"right"`
	Asked int `json:"asked"`
}

// length draws the context length of a step: the longest so far three times of
// four, else that halved once or more often.
func (r *Recipe) length(step int) int {
	longest, shortest := r.Lengths[0].Length, r.Lengths[0].Length
	for _, l := range r.Lengths {
		if step >= l.From {
			longest = l.Length
		}
	}
	rng := rand.New(rand.NewPCG(r.Seed, uint64(step)<<1|1))
	n := longest
	if rng.IntN(2) == 1 {
		for n > shortest && rng.IntN(2) == 1 {
			n /= 2
		}
	}
	return max(n, shortest)
}

// RunStep does one step.
func (t *Trainer) RunStep() (*Metrics, error) {
	start := time.Now()
	r, m := t.Recipe, t.Model
	m.RestAhead = t.Step < r.AheadFrom
	length := r.length(t.Step)
	batch := max(r.Workers, r.Batch/length)
	samples := make([]*model.Sample, batch)
	examples := make([]*data.Example, batch)
	results := make([]*model.Result, batch)
	t.parallel(func(i int, w *worker) {
		clear(w.grad)
		m.Refresh(true, i, len(t.workers))
		for b := i; b < batch; b += len(t.workers) {
			examples[b] = t.Gen.Example(r.Seed, uint64(t.Step)<<16|uint64(b), length)
		}
	})
	norm := t.weigh(examples)
	t.parallel(func(i int, w *worker) {
		for b := i; b < batch; b += len(t.workers) {
			samples[b] = t.sample(examples[b], norm)
			results[b] = m.Train(&w.scratch, w.grad, samples[b])
		}
	})
	met := t.metrics(examples, results)
	met.Length = length
	if err := t.update(met, results); err != nil {
		return nil, err
	}
	met.Seconds = time.Since(start).Seconds()
	t.Step++
	return met, nil
}

// update moves the parameters along the workers' gradients.
func (t *Trainer) update(met *Metrics, results []*model.Result) (err error) {
	met.Rate = t.Recipe.Schedule.At(t.Step, t.Recipe.Steps)
	if met.Norm, err = t.step(t.Step, t.Recipe.Clip, float32(met.Rate)); err != nil {
		return err
	}
	if t.Recipe.BiasRate > 0 && len(results[0].Load) > 0 {
		t.Model.Balance(meanLoad(results), t.Recipe.BiasRate)
	}
	return nil
}

func meanLoad(results []*model.Result) [][]float32 {
	mean := make([][]float32, len(results[0].Load))
	for _, r := range results {
		for i, l := range r.Load {
			if mean[i] == nil {
				mean[i] = make([]float32, len(l))
			}
			kernel.Axpy(mean[i], 1/float32(len(results)), l)
		}
	}
	return mean
}

// norms are the totals that a step's losses are divided by.
type norms struct{ answer, lm, pointer float32 }

func (t *Trainer) weigh(examples []*data.Example) norms {
	var n norms
	for _, e := range examples {
		for _, r := range e.Rows {
			w := t.rowWeight(r)
			if r.Answer {
				n.answer += w
			} else {
				n.lm++
			}
			if r.Source != -1 {
				n.pointer += w
			}
		}
	}
	n.answer, n.lm, n.pointer = max(n.answer, 1), max(n.lm, 1), max(n.pointer, 1)
	return n
}

func (t *Trainer) rowWeight(r data.Row) float32 {
	if jump := r.Source != r.Prev+1; r.Answer && jump && r.Target != tokenizer.End {
		return t.Recipe.Loss.First
	}
	return 1
}

// sample turns an example into what the model trains on.
func (t *Trainer) sample(e *data.Example, n norms) *model.Sample {
	s := &model.Sample{IDs: e.Tokens}
	for _, g := range e.Segments {
		s.Spans = append(s.Spans, nn.Span{Start: g.Start, End: g.End})
		if !g.Question {
			s.Context = g.End
		}
	}
	look, seg := t.Model.Config.Reach(), 0
	if t.Model.RestAhead {
		look = t.Model.Config.Lookahead
	}
	for _, r := range e.Rows {
		w := t.rowWeight(r)
		limit := s.Context
		weight, aux := w/n.answer, t.Recipe.Loss.Pointer*w/n.pointer
		if !r.Answer {
			for int(r.Token) >= e.Segments[seg].End {
				seg++
			}
			limit = max(e.Segments[seg].Start, int(r.Token)+1-look)
			weight = t.Recipe.Loss.LM / n.lm
		}
		source := r.Source
		if int(source) >= limit {
			source = -1
		}
		q := &s.Rows
		q.Token, q.Limit, q.Prev = append(q.Token, r.Token), append(q.Limit, int32(limit)), append(q.Prev, r.Prev)
		q.Target, q.Source = append(q.Target, r.Target), append(q.Source, source)
		q.Weight, q.Aux = append(q.Weight, weight), append(q.Aux, aux)
	}
	return s
}

func (t *Trainer) metrics(examples []*data.Example, results []*model.Result) *Metrics {
	met := &Metrics{Step: t.Step + 1, Tasks: map[string]Tally{}}
	var na, nl, np float64
	var asked, right int
	for b, e := range examples {
		met.Tokens += len(e.Tokens)
		met.Router += results[b].Router / float64(len(examples))
		good, task := map[int32]bool{}, map[int32]uint8{}
		for i, r := range e.Rows {
			l := results[b].Rows[i]
			if l.Aux > 0 {
				met.Pointer += float64(l.Aux)
				np++
			}
			if !r.Answer {
				met.LM += float64(l.NLL)
				nl++
				continue
			}
			met.Answer += float64(l.NLL)
			na++
			if _, ok := good[r.Group]; !ok {
				good[r.Group], task[r.Group] = true, r.Task
			}
			good[r.Group] = good[r.Group] && l.Right
		}
		for q, ok := range good {
			name := data.TaskNames[task[q]]
			y := met.Tasks[name]
			y.Asked++
			asked++
			if ok {
				y.Right++
				right++
			}
			met.Tasks[name] = y
		}
	}
	met.Answer, met.LM, met.Pointer = met.Answer/max(na, 1), met.LM/max(nl, 1), met.Pointer/max(np, 1)
	met.Exact = float64(right) / float64(max(asked, 1))
	for _, l := range meanLoad(results) {
		lo, hi := math.Inf(1), 0.0
		for _, v := range l {
			lo, hi = min(lo, float64(v)*float64(len(l))), max(hi, float64(v)*float64(len(l)))
		}
		met.Load = append(met.Load, lo, hi)
	}
	return met
}

// Run trains until the recipe's last step, or ctx ends; report is called after
// each step, and save every checkpoint_every steps, at the end and when ctx
// ends.
func (t *Trainer) Run(ctx context.Context, report func(*Metrics), save func() error) error {
	return runSteps(ctx, &t.Step, t.Recipe.Steps, t.Recipe.Every, t.RunStep, report, save)
}

// runSteps is the loop of Run for any trainer: step makes one step, and advances at.
func runSteps[M any](ctx context.Context, at *int, steps, every int, step func() (M, error), report func(M), save func() error) error {
	for *at < steps {
		met, err := step()
		if err != nil {
			return err
		}
		report(met)
		stopped := ctx.Err() != nil
		if stopped || *at%every == 0 || *at == steps {
			if err := save(); err != nil {
				return err
			}
		}
		if stopped {
			return ctx.Err()
		}
	}
	return nil
}
