package train

import (
	"fmt"
	"math"
	"sync"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/train/optim"
)

// descent is what all trainers share: workers that add up gradients, each over
// whole examples, and steps of the optimiser along their sum.
type descent struct {
	Opt     *optim.AdamW
	params  *nn.Params
	workers []*worker
}

type worker struct {
	scratch nn.Scratch
	text    nn.Scratch // of a text model that is not trained
	grad    []float32
}

func newDescent(ps *nn.Params, workers int, decay float32) descent {
	d := descent{params: ps, Opt: optim.New(len(ps.Data), decay)}
	for range workers {
		d.workers = append(d.workers, &worker{grad: make([]float32, len(ps.Data))})
	}
	return d
}

// parallel runs f on every worker and hands a panic back.
func (d *descent) parallel(f func(i int, w *worker)) {
	var wg sync.WaitGroup
	panics := make([]any, len(d.workers))
	for i, w := range d.workers {
		wg.Go(func() {
			defer func() { panics[i] = recover() }()
			f(i, w)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// step adds the workers' gradients, clips their norm, which it returns, and moves
// the parameters.
func (d *descent) step(step int, clip float64, rate float32) (norm float64, err error) {
	n, g := len(d.workers), d.workers[0].grad
	sums := make([]float64, n)
	d.parallel(func(i int, _ *worker) {
		a, b := len(g)*i/n, len(g)*(i+1)/n
		for _, w := range d.workers[1:] {
			kernel.Add(g[a:b], w.grad[a:b])
		}
		const piece = 1 << 14
		for ; a < b; a += piece {
			sums[i] += float64(kernel.SumSquares(g[a:min(a+piece, b)]))
		}
	})
	sum := 0.0
	for _, s := range sums {
		sum += s
	}
	norm = math.Sqrt(sum)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, fmt.Errorf("train: step %d: the gradient is not finite; lower schedule.rate or use precision f32", step)
	}
	scale := float32(1)
	if norm > clip {
		scale = float32(clip / norm)
	}
	d.Opt.Step++
	d.parallel(func(i int, _ *worker) { d.Opt.Update(d.params, g, scale, rate, i, n) })
	return norm, nil
}
