package nn

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

// sparseLayer makes a layer of n experts in Q8_0.
func sparseLayer(t *testing.T, r *rand.Rand, n, d, hidden int) *MoE {
	t.Helper()
	q8 := func(rows, in int) *Blocks {
		data := make([]byte, rows*in/32*34)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		for b := data; len(b) > 0; b = b[34:] {
			h := tensor.FloatToHalf(0.003)
			b[0], b[1] = byte(h), byte(h>>8)
		}
		w := &Blocks{In: in}
		if err := w.Append(tensor.Q8_0, data); err != nil {
			t.Fatal(err)
		}
		return w
	}
	l := &MoE{D: d, Hidden: hidden, Router: TopK{K: 2}}
	gate := &Blocks{In: d}
	if err := gate.Append(tensor.F32, tensor.F32Bytes(randomRow(r, n*d))); err != nil {
		t.Fatal(err)
	}
	l.Gate = gate
	for range n {
		l.Experts = append(l.Experts, &Gated{D: d, Hidden: hidden, GateUp: q8(2*hidden, d), Down: q8(d, hidden)})
	}
	return l
}

func randomRow(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// A cache that holds two of eight experts changes nothing but how often experts are
// laid out.
func TestExpertCache(t *testing.T) {
	const n, d, hidden, tokens = 8, 64, 96, 40
	r := rand.New(rand.NewPCG(1, 2))
	l := sparseLayer(t, r, n, d, hidden)
	var all []*Blocks
	for _, e := range l.Experts {
		all = append(all, e.Blocks()...)
	}
	x := randomRow(r, tokens*d)
	forward := func(x []float32) []float32 {
		var s Scratch
		y := make([]float32, len(x))
		l.Forward(&s, nil, y, x, len(x)/d, &MoEAct{})
		return y
	}
	stored := forward(x)
	c := NewExpertCache(3*LaidSize(l.Experts[0].Blocks()...)-1, l)
	if c == nil || c.most != 2 {
		t.Fatalf("cache %+v, want one of 2 experts", c)
	}
	some := forward(x)
	again := forward(x[:d])
	if c.Loads < n || c.order.Len() != 2 {
		t.Errorf("%d loads, %d held", c.Loads, c.order.Len())
	}
	before := c.Loads
	if got := forward(x[:d]); !slices.Equal(got, again) || c.Loads != before || c.Hits < 2 {
		t.Errorf("the same token again: %d loads after %d, %d hits", c.Loads, before, c.Hits)
	}
	l.Cache = nil
	for _, b := range all {
		b.drop()
	}
	Lay(nil, nil, all...)
	laid := forward(x)
	if !slices.Equal(some, laid) || !slices.Equal(again, laid[:d]) {
		t.Error("products with cached experts differ from those with all laid out")
	}
	worst, size := 0.0, 0.0
	for i, v := range laid {
		worst, size = max(worst, abs(float64(v-stored[i]))), max(size, abs(float64(stored[i])))
	}
	if worst > 0.03*size {
		t.Errorf("laid out, the layer differs by %g of %g", worst, size)
	}
	if NewExpertCache(1000, l) != nil {
		t.Error("a cache was made in 1000 bytes")
	}
}

func abs(x float64) float64 { return max(x, -x) }
