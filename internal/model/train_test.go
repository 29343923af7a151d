package model

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

func tinyConfig() Config {
	return Config{
		Vocab: 280, Width: 32, SelfLayers: 2, CrossLayers: 2, Heads: 2, Window: 20, Taps: 4,
		Experts: 4, TopK: 2, Hidden: 24, CrossHeads: 3, KeyDim: 16, ValueDim: 12, Lookahead: 5, Ahead: 7, RopeBase: 1000,
		Precision: nn.F32,
	}
}

func tinyModel(t testing.TB, c Config) *Native {
	t.Helper()
	m, err := New(c, nil, RouterLoss{Balance: 0.01, Z: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	m.Params.Reset(7)
	for _, p := range m.Params.List {
		if p.Name == "entry.attn_output.weight" {
			// Zero at first, and then without gradients before it.
			nn.Normal(0.1)(p.Of(m.Params.Data), rand.New(rand.NewPCG(1, 1)))
		}
		if strings.HasSuffix(p.Name, "_gate_inp.weight") {
			// Far from ties, or a difference would cross a change of expert.
			kernel.Scale(p.Of(m.Params.Data), 30)
		}
	}
	m.Refresh(true, 0, 1)
	return m
}

// tinySample has two context segments, two questions and rows of every kind.
func tinySample(c Config, seed uint64) *Sample {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &Sample{Context: 150}
	for range 190 {
		s.IDs = append(s.IDs, int32(r.IntN(c.Vocab)))
	}
	s.Spans = []nn.Span{{Start: 0, End: 90}, {Start: 90, End: 150}, {Start: 150, End: 165}, {Start: 165, End: 190}}
	add := func(tok, limit, prev, source int32, target int32) {
		q := &s.Rows
		if source >= 0 {
			target = s.IDs[source]
		}
		q.Token, q.Limit, q.Prev = append(q.Token, tok), append(q.Limit, limit), append(q.Prev, prev)
		q.Target, q.Source = append(q.Target, target), append(q.Source, source)
		q.Weight, q.Aux = append(q.Weight, 0.2+r.Float32()), append(q.Aux, 0.3)
	}
	add(40, 36, -1, -1, 17)
	add(100, 96, -1, 20, 0)
	add(162, 150, -1, 77, 0)
	add(163, 150, 77, 78, 0)
	add(164, 150, 78, -1, 4)
	add(180, 150, -1, nn.SinkSource, 5)
	add(189, 150, 20, 148, 0)
	return s
}

func (m *Native) lossOf(s *nn.Scratch, smp *Sample) float64 {
	m.Refresh(false, 0, 1)
	res := m.Train(s, nil, smp)
	sum := res.Router
	for i, r := range res.Rows {
		sum += float64(smp.Rows.Weight[i]*r.NLL) + float64(smp.Rows.Aux[i]*r.Aux)
	}
	return sum
}

// TestGradient compares every parameter's gradient with central differences
// along random directions and along its largest component.
func TestGradient(t *testing.T) {
	for _, experts := range []int{0, 4} {
		c := tinyConfig()
		c.Experts = experts
		m := tinyModel(t, c)
		smp := tinySample(c, 3)
		var s nn.Scratch
		g := make([]float32, len(m.Params.Data))
		m.Train(&s, g, smp)
		r := rand.New(rand.NewPCG(5, 5))
		for _, p := range m.Params.List {
			if p.Class == nn.ClassState {
				continue
			}
			w, gp := p.Of(m.Params.Data), p.Of(g)
			saved := append([]float32(nil), w...)
			dir := make([]float64, len(w))
			norm := 0.0
			for i := range dir {
				// Half along the gradient, so that the difference is not lost in rounding.
				dir[i] = r.NormFloat64()*0.3*rms(gp) + float64(gp[i])
				norm += dir[i] * dir[i]
			}
			if norm == 0 {
				t.Errorf("experts %d: %s has no gradient", experts, p.Name)
				continue
			}
			norm = math.Sqrt(norm)
			want := 0.0
			for i := range dir {
				dir[i] /= norm
				want += dir[i] * float64(gp[i])
			}
			best := math.Inf(1)
			var got float64
			for _, h := range []float64{1e-2, 3e-3, 1e-3, 3e-4} {
				at := func(sign float64) float64 {
					for i := range w {
						w[i] = saved[i] + float32(sign*h*dir[i])
					}
					return m.lossOf(&s, smp)
				}
				num := (at(1) - at(-1)) / (2 * h)
				copy(w, saved)
				if e := math.Abs(num-want) / (math.Abs(want) + 1e-3); e < best {
					best, got = e, num
				}
			}
			if best > 0.03 {
				t.Errorf("experts %d: %s: gradient %.6g, differences %.6g", experts, p.Name, want, got)
			}
		}
	}
}

func rms(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s / float64(len(x)))
}
