package model

import (
	"context"
	"fmt"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
)

// Locate asks a question of the entries of a sense: it returns those that its
// head weighs, strongest first, and the sink's weight, which says that the answer
// is in none of them. flat are the parameters of a's sense.
func (m *Native) Locate(ctx context.Context, a *encoder.Asker, flat []float32, view kvcache.View, question string) (hits []Hit, sink float32, err error) {
	n := view.Len()
	if n == 0 {
		return nil, 1, nil
	}
	q := m.AskerQuery(a, flat, question)
	if v := kernel.SumSquares(q); v-v != 0 {
		return nil, 0, fmt.Errorf("model: a query has no finite components: the weights are damaged")
	}
	f := a.Loc.Factor(flat, n)
	qu := &query{q: make([]int8, len(q)), follow: -1, sink: []float32{f * a.Loc.Sink.Of(flat)[0]}}
	qu.scale = []float32{f * kernel.Quantize8(qu.q, q)}
	dv := view[0].DV
	sinks, hits, err := newAttender(view, 1, dv).attend(ctx, make([]float32, dv), qu)
	if err != nil {
		return nil, 0, err
	}
	sortHits(hits)
	return hits, sinks[0], nil
}

// AskerQuery is the unit query that an asker makes of a question.
func (m *Native) AskerQuery(a *encoder.Asker, flat []float32, question string) []float32 {
	var s nn.Scratch
	rows, spans := m.Questions(&s, []string{question})
	x := a.Rows(&s, flat, rows, spans, &encoder.AskerAct{})
	q := make([]float32, a.Loc.DK)
	a.Loc.Queries(&s, q, x, 1)
	return q
}
