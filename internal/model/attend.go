package model

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
)

// attention drops entries whose weight is below exp(−attendCut) of the
// strongest. Their share of the normaliser is kept.
const attendCut = 16

// minHit is the least weight for which an entry is a hit: it bounds their
// number where attention is spread thin.
const minHit = 1e-4

// attender runs one query row of cross-attention over a view. Runs are scanned
// twice: for each head's maximum and normaliser, then, only those that come
// near the maximum, for values. Partial sums are kept a run and added in order,
// so that the result does not depend on the number of threads.
type attender struct {
	view  kvcache.View
	start []int // [runs+1]: positions
	heads int
	dv    int

	max, sum []float32 // [runs, H]
	ctx      []float32 // [runs, H·DV]
	hits     [][]Hit   // [runs]: of the pointer head
	bufs     []scanBuf // a worker's
}

type scanBuf struct {
	scores []float32
	idx    []int32
}

func newAttender(view kvcache.View, heads, dv int) *attender {
	a := &attender{heads: heads, dv: dv, start: []int{0}}
	longest := 0
	for _, r := range view {
		if r.N == 0 {
			continue
		}
		a.view = append(a.view, r)
		a.start = append(a.start, a.start[len(a.start)-1]+r.N)
		longest = max(longest, r.N)
	}
	n := len(a.view)
	a.max, a.sum = make([]float32, n*heads), make([]float32, n*heads)
	a.ctx, a.hits = make([]float32, n*heads*dv), make([][]Hit, n)
	for range min(runtime.GOMAXPROCS(0), max(n, 1)) {
		a.bufs = append(a.bufs, scanBuf{scores: make([]float32, heads*longest), idx: make([]int32, longest)})
	}
	return a
}

func (a *attender) len() int { return a.start[len(a.start)-1] }

// each runs f over the runs on all cores.
func (a *attender) each(ctx context.Context, f func(run int, b *scanBuf)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	panics := make([]any, len(a.bufs))
	for w := range a.bufs {
		wg.Go(func() {
			defer func() { panics[w] = recover() }()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(a.view) {
					return
				}
				f(i, &a.bufs[w])
			}
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return ctx.Err()
}

// query is one row: int8 queries with the scales that turn their products with
// keys into logits, the sinks' logits, and the continuation bonus.
type query struct {
	q      []int8
	scale  []float32 // [H]
	sink   []float32 // [H]
	follow int       // position of the bonus, −1 none
	bonus  float32
	boosts [][]boost // of the pointer head; those of a list are in order and apart
}

// scan fills buf with the logits of a run, [H, N].
func (a *attender) scan(qu *query, run int, buf *scanBuf) {
	r := a.view[run]
	kernel.ScanKeys(buf.scores, r.N, qu.q, qu.scale, r.K, r.KScale, a.heads, r.DK, r.N)
	for _, list := range qu.boosts {
		first, _ := slices.BinarySearchFunc(list, a.start[run], func(b boost, at int) int { return cmp.Compare(b.to, at+1) })
		for _, b := range list[first:] {
			if b.from >= a.start[run+1] {
				break
			}
			for i := max(b.from-a.start[run], 0); i < min(b.to-a.start[run], r.N); i++ {
				buf.scores[i] += b.value
			}
		}
	}
	if at := qu.follow - a.start[run]; qu.follow >= 0 && at >= 0 && at < r.N {
		buf.scores[at] += qu.bonus
	}
}

// attend writes the heads' values to out [H, DV], without the sink's, and
// returns the sinks' weights and the entries the pointer head weighs.
func (a *attender) attend(ctx context.Context, out []float32, qu *query) (sink []float32, hits []Hit, err error) {
	h := a.heads
	err = a.each(ctx, func(i int, b *scanBuf) {
		a.scan(qu, i, b)
		n := a.view[i].N
		for j := range h {
			x := b.scores[j*n : (j+1)*n]
			m := kernel.MaxF32(x)
			a.max[i*h+j], a.sum[i*h+j] = m, kernel.ExpSum(x, m)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	top, norm := make([]float32, h), make([]float64, h)
	sink = make([]float32, h)
	for j := range h {
		top[j] = qu.sink[j]
		for i := range a.view {
			top[j] = max(top[j], a.max[i*h+j])
		}
		norm[j] = math.Exp(float64(qu.sink[j] - top[j]))
		sink[j] = float32(norm[j])
		for i := range a.view {
			norm[j] += float64(a.sum[i*h+j]) * math.Exp(float64(a.max[i*h+j]-top[j]))
		}
		sink[j] /= float32(norm[j])
	}
	if err := a.values(ctx, qu, top, norm); err != nil {
		return nil, nil, err
	}
	clear(out)
	for i := range a.view {
		for j := range h {
			if a.max[i*h+j] >= top[j]-attendCut {
				kernel.Add(out[j*a.dv:(j+1)*a.dv], a.ctx[(i*h+j)*a.dv:(i*h+j+1)*a.dv])
			}
		}
		if a.max[i*h] >= top[0]-attendCut {
			hits = append(hits, a.hits[i]...)
		}
	}
	return sink, hits, nil
}

// values accumulates the weighted values of the runs near the maximum.
func (a *attender) values(ctx context.Context, qu *query, top []float32, norm []float64) error {
	h := a.heads
	return a.each(ctx, func(i int, b *scanBuf) {
		r, scanned := a.view[i], false
		for j := range h {
			if a.max[i*h+j] < top[j]-attendCut {
				continue
			}
			if !scanned {
				a.scan(qu, i, b)
				scanned = true
			}
			x := b.scores[j*r.N : (j+1)*r.N]
			acc := a.ctx[(i*h+j)*a.dv : (i*h+j+1)*a.dv]
			clear(acc)
			if j == 0 {
				a.hits[i] = a.hits[i][:0]
			}
			for _, p := range b.idx[:kernel.Select(b.idx, x, top[j]-attendCut)] {
				w := float32(math.Exp(float64(x[p]-top[j])) / norm[j])
				kernel.AxpyInt8(acc, w*r.VScale[p], r.V[int(p)*a.dv:(int(p)+1)*a.dv])
				if j == 0 && w >= minHit {
					a.hits[i] = append(a.hits[i], Hit{Pos: a.start[i] + int(p), Weight: w})
				}
			}
		}
	})
}

// id returns the token at a position.
func (a *attender) id(pos int) int32 {
	lo, hi := 0, len(a.view)-1
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if a.start[mid] <= pos {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return int32(a.view[lo].ID[pos-a.start[lo]])
}

// query makes the int8 query of a normalised row x for the given layer.
func (l *crossLayer) query(s *nn.Scratch, w, x []float32, n, follow int) *query {
	c := l.attn
	q := s.Floats(c.Heads * c.DK)
	c.Queries(s, q, x, 1)
	qu := &query{q: make([]int8, c.Heads*c.DK), follow: follow}
	for j := range c.Heads {
		f := c.Factor(w, j, n)
		qu.scale = append(qu.scale, f*kernel.Quantize8(qu.q[j*c.DK:(j+1)*c.DK], q[j*c.DK:(j+1)*c.DK]))
		qu.sink = append(qu.sink, f*c.Sink.Of(w)[j])
	}
	if follow >= 0 {
		qu.bonus = c.Bonus(w, x, n)
	}
	return qu
}
