package optim

import (
	"math"
	"testing"

	"github.com/handscroll/handscroll/internal/nn"
)

// TestAdamW compares two updates, cut in parts, with the paper's formulas.
func TestAdamW(t *testing.T) {
	var ps nn.Params
	ps.Add("w", nn.ClassMatrix, nil, 5, 7)
	ps.Add("g", nn.ClassVector, nil, 11)
	ps.Add("t", nn.ClassTemperature, nil, 3)
	ps.Add("b", nn.ClassState, nil, 4)
	ps.Alloc()
	n := len(ps.Data)
	want, m, v := make([]float64, n), make([]float64, n), make([]float64, n)
	grad := make([]float32, n)
	for i := range n {
		ps.Data[i] = float32(i%13) - 6
		want[i] = float64(ps.Data[i])
	}
	o := New(n, 0.1)
	const lr, scale = 0.01, 0.5
	for step := 1; step <= 2; step++ {
		for i := range grad {
			grad[i] = float32(math.Sin(float64(i * step)))
		}
		o.Step++
		for part := range 3 {
			o.Update(&ps, grad, scale, lr, part, 3)
		}
		for _, p := range ps.List {
			for i := p.Off; i < p.Off+p.Len; i++ {
				rate, decay := lr, 0.0
				switch p.Class {
				case nn.ClassState:
					continue
				case nn.ClassMatrix:
					decay = 0.1
				case nn.ClassTemperature:
					rate = 3 * lr
				}
				g := float64(grad[i]) * scale
				m[i], v[i] = 0.9*m[i]+0.1*g, 0.95*v[i]+0.05*g*g
				mh := m[i] / (1 - math.Pow(0.9, float64(step)))
				vh := v[i] / (1 - math.Pow(0.95, float64(step)))
				want[i] -= rate * (mh/(math.Sqrt(vh)+1e-8) + decay*want[i])
			}
		}
	}
	for i := range n {
		if math.Abs(float64(ps.Data[i])-want[i]) > 2e-5 {
			t.Fatalf("parameter %d is %g, want %g", i, ps.Data[i], want[i])
		}
	}
}

// TestRest: a parameter rests until its step, moments included.
func TestRest(t *testing.T) {
	var ps nn.Params
	ps.Add("w", nn.ClassMatrix, nil, 2, 2)
	ps.Add("late", nn.ClassMatrix, nil, 2, 2).From = 3
	ps.Alloc()
	o := New(len(ps.Data), 0)
	for step := 1; step <= 4; step++ {
		o.Step = step
		o.Update(&ps, []float32{1, 1, 1, 1, 1, 1, 1, 1}, 1, 0.1, 0, 1)
		if moved := ps.Data[4] != 0; moved != (step > 3) || (o.M[4] != 0) != moved {
			t.Errorf("step %d: the resting parameter is %g, its moment %g", step, ps.Data[4], o.M[4])
		}
	}
	if ps.Data[0] >= -0.3 {
		t.Errorf("the other parameter is %g", ps.Data[0])
	}
}

func TestSchedule(t *testing.T) {
	s := Schedule{Rate: 2, Warmup: 10, Decay: 20, Final: 0.1}
	for _, c := range []struct {
		step int
		want float64
	}{{0, 0.2}, {9, 2}, {50, 2}, {80, 2}, {90, 2 * (0.1 + 0.9*0.5)}, {100, 0.2}} {
		if got := s.At(c.step, 100); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("rate at step %d is %g, want %g", c.step, got, c.want)
		}
	}
}
