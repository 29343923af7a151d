package model

import (
	"context"

	"github.com/handscroll/handscroll/internal/nn"
)

// scoreTile rows are scored at a time.
const scoreTile = 64

// Score returns the natural-log probability of each id given those before it,
// for ids as one segment; the first, which nothing precedes, has 0. Time grows
// with the square of the length.
func (m *Native) Score(ctx context.Context, ids []int32) ([]float32, error) {
	out := make([]float32, len(ids))
	if len(ids) < 2 {
		return out, nil
	}
	var s nn.Scratch
	w, d := m.Params.Data, m.Config.Width
	t := &nn.Tokens{T: len(ids), Spans: []nn.Span{{Start: 0, End: len(ids)}}}
	h := m.selfDecoder(&s, ids, t, make([]nn.SelfAct, len(m.layers)))
	k, v := m.entries(&s, h, t, &entryAct{})
	occ := nn.NewOccurrences(&s, ids, m.Config.Vocab)
	for a := 0; a < len(ids)-1; a += scoreTile {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := min(a+scoreTile, len(ids)-1)
		var rows nn.Rows
		for i := a; i < b; i++ {
			rows.Token, rows.Prev = append(rows.Token, int32(i)), append(rows.Prev, -1)
			rows.Limit = append(rows.Limit, int32(max(0, i+1-m.Config.Reach())))
			rows.Target, rows.Source = append(rows.Target, ids[i+1]), append(rows.Source, -1)
		}
		mark := s.Mark()
		n := max(1, int(rows.Limit[b-a-1]))
		x := s.Floats((b - a) * d)
		copy(x, h[a*d:b*d])
		acts := make([]crossAct, len(m.cross))
		for i, l := range m.cross {
			l.forward(&s, w, x, k, v, n, &rows, &acts[i])
		}
		y := s.Floats((b - a) * d)
		m.normOut.Forward(&s, w, y, x)
		last := &acts[len(acts)-1].attn
		losses, _ := m.pointer.Loss(&s, w, nil, nil, y, ids, &rows, last, m.Config.CrossHeads, occ, false)
		for i, l := range losses {
			out[a+i+1] = -l.NLL
		}
		s.Release(mark)
	}
	return out, nil
}
