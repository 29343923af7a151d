package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Attention is causal multi-head attention with grouped queries (arXiv
// 2305.13245) over cached keys and values, with rotary positions. It is for
// serving: it has no backward pass. Fields that are nil or zero are left out.
type Attention struct {
	D, Heads, KVHeads, HeadDim int
	Q, K, V                    Weight   // [Heads·HeadDim, D], [KVHeads·HeadDim, D] twice; V nil: values are K's products
	Out                        Weight   // [D, Heads·HeadDim]
	QNorm, KNorm               *RMSNorm // of each head, before positions
	VUnit                      bool     // scale values to unit root mean square
	Eps                        float32  // of VUnit
	Scale                      float32  // of logits; 0 is 1/√HeadDim
	Window                     int      // tokens seen, itself included; 0 is all
	Sinks                      *Param   // [Heads]: a logit beside the keys' that takes weight and gives no value
}

// Queries writes the queries of x [T, D] to q [T, Heads·HeadDim].
func (l *Attention) Queries(s *Scratch, w, q, x []float32, t *Tokens) {
	l.Q.Mul(s, q, x, t.T, false)
	l.finish(s, w, q, l.Heads, l.QNorm, t)
}

// All writes the queries of x [T, D] to q [T, Heads·HeadDim], and its keys and values
// to k and v [T, KVHeads·HeadDim].
func (l *Attention) All(s *Scratch, w, q, k, v, x []float32, t *Tokens) {
	weights, dst := [3]Weight{l.Q, l.K, l.V}, [3][]float32{q, k, v}
	var products []product
	for i, weight := range weights {
		if b, _ := unbiased(weight); b != nil {
			products = append(products, product{b, dst[i]})
		} else if weight != nil {
			weight.Mul(s, dst[i], x, t.T, false)
		}
	}
	s.mulTogether(x, l.D, t.T, false, products...)
	for i, weight := range weights {
		if b, ok := weight.(*Biased); ok {
			b.add(dst[i], t.T)
		}
	}
	if l.V == nil {
		copy(v, k)
	}
	if l.VUnit {
		for d := l.HeadDim; len(v) > 0; v = v[d:] {
			inv := rsqrt(kernel.SumSquares(v[:d])/float32(d) + l.Eps)
			kernel.Scale(v[:d], inv)
		}
	}
	l.finish(s, w, q, l.Heads, l.QNorm, t)
	l.finish(s, w, k, l.KVHeads, l.KNorm, t)
}

// finish normalises and turns the heads of each row.
func (l *Attention) finish(s *Scratch, w, x []float32, heads int, norm *RMSNorm, t *Tokens) {
	d, n := l.HeadDim, 2*t.half
	if norm != nil {
		mark := s.Mark()
		norm.Forward(s, w, x, x)
		s.Release(mark)
	}
	s.Rows(t.T, func(from, to int) {
		for i := from; i < to; i++ {
			cos, sin := t.Cos[i*t.half:(i+1)*t.half], t.Sin[i*t.half:(i+1)*t.half]
			for h := range heads {
				at := (i*heads + h) * d
				kernel.Rope(x[at:at+n], cos, sin, false)
			}
		}
	})
}

// Cache is what a layer keeps of a sequence: keys and values of KVHeads heads in
// pages.
type Cache interface {
	// Page is how many tokens a page holds.
	Page() int
	// Scores writes to dst, rows ldd apart, the products of rows queries
	// q [rows, HeadDim] with the first n keys of a head in a page.
	Scores(buf *[]float32, dst []float32, ldd int, q []float32, rows, head, page, n int)
	// Values writes to dst [rows, HeadDim] the products of weights w, rows ldw
	// apart, with the first n values of a head in a page.
	Values(buf *[]float32, dst, w []float32, ldw, rows, head, page, n int)
}

// attentionRows is about how many query rows are taken at a time: those of all
// heads of a group, so that each key is read once for the group.
const attentionRows = 48

// attentionTask is a tile of queries of one head group over one page, or all.
type attentionTask struct {
	span, head int
	from, to   int // queries, counted from the span's first
	page       int // −1: all pages
	part       int // where the partial result of a page goes
}

// Forward adds to y [T, D] the attention of queries q over what caches, one a
// span, hold up to each query's own position. Each page of keys is a softmax of
// its own; pages are put together in their order. So the result does not depend on
// how queries are cut into spans, nor on how the work is shared.
func (l *Attention) Forward(s *Scratch, w, y, q []float32, caches []Cache, t *Tokens) {
	ctx := s.Floats(t.T * l.Heads * l.HeadDim)
	a := attentionRun{l: l, s: s, q: q, ctx: ctx, caches: caches, t: t}
	if l.Sinks != nil {
		a.sinks = l.Sinks.Of(w)
	}
	a.plan()
	s.Team.Run(len(a.tasks), func(worker, i int) { a.compute(s.worker(worker), &a.tasks[i]) })
	a.join()
	s.tasks = a.tasks
	l.Out.Mul(s, y, ctx, t.T, true)
}

// attentionRun is one Forward under way.
type attentionRun struct {
	l      *Attention
	s      *Scratch
	q, ctx []float32 // [T, Heads, HeadDim]
	sinks  []float32 // [Heads] or nil
	caches []Cache
	t      *Tokens
	tasks  []attentionTask
	// Partial results of single pages, [parts, rows]: the largest logit, the sum
	// of exponentials, and [HeadDim] of values.
	top, sum, acc []float32
	rows          int       // of a part
	seen          []float32 // [parts, rows, Page]: weights within a page, if any span is watched
}

// plan lists the tasks: tiles of queries, each over single pages if there are too
// few tiles to go round.
func (a *attentionRun) plan() {
	l := a.l
	group := l.Heads / l.KVHeads
	tile := max(1, attentionRows/group)
	a.tasks = a.s.tasks[:0]
	tiles := 0
	for _, sp := range a.t.Spans {
		tiles += (sp.End - sp.Start + tile - 1) / tile * l.KVHeads
	}
	byPage := tiles < 4*a.s.Team.Workers()
	a.rows = 0
	parts := 0
	for i, sp := range a.t.Spans {
		n := sp.End - sp.Start
		for from := 0; from < n; from += tile {
			to := min(n, from+tile)
			first, last := l.pages(a.caches[i], sp.Pos+from, sp.Pos+to-1)
			for h := range l.KVHeads {
				if a.watched(i) == nil && (!byPage || first == last) {
					a.tasks = append(a.tasks, attentionTask{i, h, from, to, -1, 0})
					continue
				}
				for p := first; p <= last; p++ {
					a.tasks = append(a.tasks, attentionTask{i, h, from, to, p, parts})
					parts++
				}
				a.rows = max(a.rows, (to-from)*group)
			}
		}
	}
	if a.t.Watch != nil && parts > 0 {
		a.seen = a.s.Floats(parts * a.rows * a.caches[0].Page())
	}
	a.top, a.sum, a.acc = a.s.Floats(parts*a.rows), a.s.Floats(parts*a.rows), a.s.Floats(parts*a.rows*l.HeadDim)
}

// watched returns where a span's weights are added up, or nil.
func (a *attentionRun) watched(span int) []float32 {
	if sp := a.t.Spans[span]; a.t.Watch == nil || sp.End-sp.Start != 1 {
		return nil
	}
	return a.t.Watch[span]
}

// pages returns the first and last page that queries at the given positions see.
func (l *Attention) pages(c Cache, first, last int) (from, to int) {
	lo := 0
	if l.Window > 0 {
		lo = max(0, first-l.Window+1)
	}
	return lo / c.Page(), last / c.Page()
}

// compute does one task.
func (a *attentionRun) compute(ws *worker, task *attentionTask) {
	l, sp, c := a.l, a.t.Spans[task.span], a.caches[task.span]
	group, d := l.Heads/l.KVHeads, l.HeadDim
	rows := (task.to - task.from) * group
	ld := c.Page() + 16 // rows a page apart would compete for lines of the cache
	ws.panel = grow(ws.panel, rows*(2*d+ld+4))
	q, acc, scores := ws.panel[:rows*d], ws.panel[rows*d:2*rows*d], ws.panel[2*rows*d:][:rows*ld]
	rest := ws.panel[rows*(2*d+ld):]
	top, sum, allTop, allSum := rest[:rows], rest[rows:2*rows], rest[2*rows:3*rows], rest[3*rows:4*rows]
	for r := range rows {
		copy(q[r*d:(r+1)*d], a.row(a.q, task, sp, r))
	}
	if task.page >= 0 {
		at := task.part * a.rows
		a.onePage(ws, task, c, task.page, q, scores, ld, a.top[at:][:rows], a.sum[at:][:rows], a.acc[at*d:][:rows*d])
		if a.watched(task.span) != nil {
			for r := range rows {
				copy(a.seen[(at+r)*c.Page():][:c.Page()], scores[r*ld:])
			}
		}
		return
	}
	clear(allSum)
	first, last := l.pages(c, sp.Pos+task.from, sp.Pos+task.to-1)
	for p := first; p <= last; p++ {
		a.onePage(ws, task, c, p, q, scores, ld, top, sum, acc)
		for r := range rows {
			fold(a.row(a.ctx, task, sp, r), &allTop[r], &allSum[r], acc[r*d:(r+1)*d], top[r], sum[r])
		}
	}
	for r := range rows {
		a.finish(a.row(a.ctx, task, sp, r), task.head*group+r%group, allTop[r], allSum[r])
	}
}

// row returns row r of a task in x [T, Heads, HeadDim]: query from+r/group, head
// r%group of the group.
func (a *attentionRun) row(x []float32, task *attentionTask, sp Span, r int) []float32 {
	l := a.l
	group := l.Heads / l.KVHeads
	at := ((sp.Start+task.from+r/group)*l.Heads + task.head*group + r%group) * l.HeadDim
	return x[at : at+l.HeadDim]
}

// onePage computes for each row of a task the largest logit of a page, the sum of
// exponentials and the values that they weight; a row that sees nothing of the page
// has the sum 0.
func (a *attentionRun) onePage(ws *worker, task *attentionTask, c Cache, page int, q, scores []float32, ld int, top, sum, acc []float32) {
	l, sp := a.l, a.t.Spans[task.span]
	group := l.Heads / l.KVHeads
	base := page * c.Page()
	n := min(c.Page(), sp.Pos+task.to-base)
	c.Scores(&ws.wide, scores, ld, q, len(top), task.head, page, n)
	scale := l.scale()
	for r := range top {
		own := sp.Pos + task.from + r/group - base
		from, to := 0, min(n, own+1)
		if l.Window > 0 {
			from = max(0, own-l.Window+1)
		}
		row := scores[r*ld : r*ld+n]
		if from >= to {
			clear(row)
			sum[r] = 0
			continue
		}
		clear(row[:from])
		clear(row[to:])
		top[r], sum[r] = kernel.SoftmaxPart(row[from:to], scale)
	}
	c.Values(&ws.wide, acc, scores, ld, len(top), task.head, page, n)
}

// fold adds a part of a softmax to the sum of those before it.
func fold(dst []float32, top, sum *float32, acc []float32, partTop, partSum float32) {
	switch {
	case partSum == 0:
	case *sum == 0:
		copy(dst, acc)
		*top, *sum = partTop, partSum
	default:
		t := max(*top, partTop)
		old, part := exp32(*top-t), exp32(partTop-t)
		kernel.Scale(dst, old)
		kernel.Axpy(dst, part, acc)
		*top, *sum = t, *sum*old+partSum*part
	}
}

func exp32(x float32) float32 { return float32(math.Exp(float64(x))) }

// finish divides what a head's row adds up to by the sum of its weights.
func (a *attentionRun) finish(dst []float32, head int, top, sum float32) {
	if a.sinks == nil {
		kernel.Scale(dst, 1/sum)
		return
	}
	t := max(top, a.sinks[head])
	f := exp32(top - t)
	kernel.Scale(dst, f/(sum*f+exp32(a.sinks[head]-t)))
}

// join puts the parts of single pages together.
func (a *attentionRun) join() {
	l := a.l
	group, d := l.Heads/l.KVHeads, l.HeadDim
	for i := 0; i < len(a.tasks); {
		first := &a.tasks[i]
		if first.page < 0 {
			i++
			continue
		}
		sp := a.t.Spans[first.span]
		end := i + 1
		for end < len(a.tasks) && a.tasks[end].page > a.tasks[end-1].page {
			end++
		}
		for r := range (first.to - first.from) * group {
			dst := a.row(a.ctx, first, sp, r)
			var top, sum float32
			for j := i; j < end; j++ {
				at := a.tasks[j].part*a.rows + r
				fold(dst, &top, &sum, a.acc[at*d:(at+1)*d], a.top[at], a.sum[at])
			}
			head := first.head*group + r%group
			a.finish(dst, head, top, sum)
			if watch := a.watched(first.span); watch != nil {
				if a.sinks != nil {
					sum += exp32(a.sinks[head] - top)
				}
				for j := i; j < end; j++ {
					a.watch(watch, &a.tasks[j], sp.Pos, r, top, sum)
				}
			}
		}
		i = end
	}
}

// watch adds to dst the squares of row r's weights in a task's page; squares, since
// a head that looks at one place says more than one that looks everywhere.
func (a *attentionRun) watch(dst []float32, task *attentionTask, own, r int, top, sum float32) {
	at := task.part*a.rows + r
	if a.sum[at] == 0 {
		return
	}
	page := a.caches[task.span].Page()
	f := exp32(a.top[at]-top) / sum
	from := task.page * page
	for i, w := range a.seen[at*page:][:min(page, own+1-from)] {
		dst[from+i] += w * f * w * f
	}
}

func (l *Attention) scale() float32 {
	if l.Scale != 0 {
		return l.Scale
	}
	return float32(1 / math.Sqrt(float64(l.HeadDim)))
}
