package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// floatCache is a Cache of plain rows [N, KVHeads, HeadDim].
type floatCache struct {
	heads, dim, page int
	k, v             []float32
}

func (c *floatCache) Page() int { return c.page }

func (c *floatCache) at(x []float32, token, head int) []float32 {
	return x[(token*c.heads+head)*c.dim:][:c.dim]
}

func (c *floatCache) Scores(_ *[]float32, dst []float32, ldd int, q []float32, rows, head, page, n int) {
	for r := range rows {
		for j := range n {
			dst[r*ldd+j] = 0
			for d, x := range c.at(c.k, page*c.page+j, head) {
				dst[r*ldd+j] += q[r*c.dim+d] * x
			}
		}
	}
}

func (c *floatCache) Values(_ *[]float32, dst, w []float32, ldw, rows, head, page, n int) {
	for r := range rows {
		clear(dst[r*c.dim : (r+1)*c.dim])
		for j := range n {
			for d, x := range c.at(c.v, page*c.page+j, head) {
				dst[r*c.dim+d] += w[r*ldw+j] * x
			}
		}
	}
}

// attentionWeights are the softmax of a query over all keys, by the definition, with
// what the sink takes left out.
func attentionWeights(l *Attention, c *floatCache, q []float32, own, head int, sinks []float32) []float64 {
	w := make([]float64, own+1)
	sum := 0.0
	if sinks != nil {
		sum = math.Exp(float64(sinks[head]))
	}
	for j := range w {
		if l.Window > 0 && j <= own-l.Window {
			continue
		}
		dot := 0.0
		for d, x := range c.at(c.k, j, head/(l.Heads/l.KVHeads)) {
			dot += float64(q[d]) * float64(x)
		}
		w[j] = math.Exp(dot * float64(l.scale()))
		sum += w[j]
	}
	for j := range w {
		w[j] /= sum
	}
	return w
}

// Attention over pages is that of the definition, for windows, sinks, groups and
// several sequences, and the same bits however it is cut or shared out.
func TestAttentionPages(t *testing.T) {
	team := NewTeam(3)
	defer team.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for _, group := range []int{1, 4} {
		for _, window := range []int{0, 5, 70} {
			for _, sink := range []bool{false, true} {
				testAttention(t, r, team, group, window, sink)
			}
		}
	}
}

func testAttention(t *testing.T, r *rand.Rand, team *Team, group, window int, sink bool) {
	const kvHeads, dim, page, n, last = 2, 8, 16, 100, 61
	l := &Attention{D: 3, Heads: kvHeads * group, KVHeads: kvHeads, HeadDim: dim, Window: window}
	width := l.Heads * dim
	out := new(identity)
	out.n = width
	l.Out = out
	var params Params
	var sinks []float32
	if sink {
		l.Sinks = params.Add("sinks", ClassVector, nil, l.Heads)
		params.Alloc()
		sinks = l.Sinks.Of(params.Data)
		copy(sinks, randomRow(r, l.Heads))
	}
	c := &floatCache{kvHeads, dim, page, randomRow(r, n*kvHeads*dim), randomRow(r, n*kvHeads*dim)}
	q := randomRow(r, last*width)
	run := func(team *Team, cuts ...int) (y []float32) {
		from := 0
		for _, cut := range append(cuts, last) {
			var s Scratch
			s.Use(team)
			part := make([]float32, (cut-from)*width)
			tokens := &Tokens{T: cut - from, Spans: []Span{{0, cut - from, n - last + from}}}
			l.Forward(&s, params.Data, part, q[from*width:cut*width], []Cache{c}, tokens)
			y, from = append(y, part...), cut
		}
		return y
	}
	y := run(nil)
	for i := range last {
		for h := range l.Heads {
			at := (i*l.Heads + h) * dim
			w := attentionWeights(l, c, q[at:at+dim], n-last+i, h, sinks)
			for d := range dim {
				want := 0.0
				for j, x := range w {
					want += x * float64(c.at(c.v, j, h/group)[d])
				}
				if math.Abs(want-float64(y[at+d])) > 1e-5 {
					t.Fatalf("group %d window %d sink %v: query %d head %d is %v, want %v", group, window, sink, i, h, y[at+d], want)
				}
			}
		}
	}
	for _, cuts := range [][]int{{1, 2, 3, 40}, {60}, {7, 14, 21, 28, 35, 42, 49, 56}} {
		if !slices.Equal(run(team, cuts...), y) {
			t.Fatalf("group %d window %d sink %v: cut at %v it differs", group, window, sink, cuts)
		}
	}
	// The last query is watched.
	if window == 0 {
		var s Scratch
		watch, part := make([]float32, n), make([]float32, width)
		tokens := &Tokens{T: 1, Spans: []Span{{0, 1, n - 1}}, Watch: [][]float32{watch}}
		l.Forward(&s, params.Data, part, q[(last-1)*width:], []Cache{c}, tokens)
		if !slices.Equal(part, y[(last-1)*width:]) {
			t.Error("being watched changes what is computed")
		}
		want := make([]float64, n)
		for h := range l.Heads {
			for j, w := range attentionWeights(l, c, q[((last-1)*l.Heads+h)*dim:][:dim], n-1, h, sinks) {
				want[j] += w * w
			}
		}
		for j := range want {
			if math.Abs(want[j]-float64(watch[j])) > 1e-5 {
				t.Fatalf("position %d was given %v, want %v", j, watch[j], want[j])
			}
		}
	}
}

// identity is a weight that adds its input.
type identity struct{ n int }

func (w *identity) Mul(_ *Scratch, dst, x []float32, m int, acc bool) {
	for i := range m * w.n {
		if acc {
			dst[i] += x[i]
		} else {
			dst[i] = x[i]
		}
	}
}
