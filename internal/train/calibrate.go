package train

import (
	"math"

	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

const (
	calibrationExamples = 48
	// falseAbsentCost is what calling a question with an answer absent costs,
	// in absent ones that are given an answer.
	falseAbsentCost = 4
	maxBias         = 4
)

// Calibration is what Calibrate measured, as shares.
type Calibration struct {
	Bias            float64 // added to the log-odds of <|absent|>
	Present, Absent int     // questions of each kind
	FalseAbsent     float64 // present ones that would be called absent
	FoundAbsent     float64 // absent ones that would be
}

// Calibrate sets the model's AbsentBias on examples that training did not draw,
// to the value of least cost, the nearest to zero among equals.
func (t *Trainer) Calibrate() Calibration {
	r := t.Recipe
	length := r.Lengths[len(r.Lengths)-1].Length
	odds := make([][2][]float64, calibrationExamples) // log-odds of absent: present, absent questions
	t.parallel(func(i int, w *worker) {
		t.Model.Refresh(false, i, len(t.workers))
	})
	t.parallel(func(i int, w *worker) {
		for b := i; b < calibrationExamples; b += len(t.workers) {
			e := t.Gen.Example(r.Seed, uint64(r.Steps)<<16|uint64(b), length)
			odds[b] = t.absentOdds(w, t.sample(e, norms{1, 1, 1}))
		}
	})
	var present, absent []float64
	for _, o := range odds {
		present, absent = append(present, o[0]...), append(absent, o[1]...)
	}
	c := Calibration{Present: len(present), Absent: len(absent)}
	if len(present) == 0 {
		return c
	}
	called := func(x []float64, bias float64) float64 {
		n := 0
		for _, v := range x {
			if v+bias > 0 {
				n++
			}
		}
		return float64(n) / float64(max(len(x), 1))
	}
	best := math.Inf(1)
	for i := range 81 {
		// 0, 0.1, −0.1, 0.2, …
		bias := float64((i+1)/2) * maxBias / 40
		if i%2 == 0 {
			bias = -bias
		}
		if cost := falseAbsentCost*called(present, bias) - called(absent, bias); cost < best {
			best, c.Bias = cost, bias
		}
	}
	c.FalseAbsent, c.FoundAbsent = called(present, c.Bias), called(absent, c.Bias)
	t.Model.AbsentBias = float32(c.Bias)
	return c
}

// absentOdds returns the log-odds of <|absent|> against the answer's first
// token, for questions that have an answer and for those that have none.
func (t *Trainer) absentOdds(w *worker, s *model.Sample) (odds [2][]float64) {
	all := s.Rows
	s.Rows = nn.Rows{}
	q := &s.Rows
	for i, tok := range all.Token {
		if s.IDs[tok] != tokenizer.Answer {
			continue
		}
		for _, target := range []int32{all.Target[i], tokenizer.Absent} {
			q.Token, q.Limit, q.Prev = append(q.Token, tok), append(q.Limit, all.Limit[i]), append(q.Prev, -1)
			q.Target, q.Source = append(q.Target, target), append(q.Source, -1)
		}
	}
	losses := t.Model.Train(&w.scratch, nil, s).Rows
	for i := 0; i < len(losses); i += 2 {
		right, absent := -float64(losses[i].NLL), -float64(losses[i+1].NLL)
		if q.Target[i] == tokenizer.Absent {
			odds[1] = append(odds[1], absent-math.Log1p(-min(math.Exp(absent), 1-1e-9)))
		} else {
			odds[0] = append(odds[0], absent-right)
		}
	}
	return odds
}
