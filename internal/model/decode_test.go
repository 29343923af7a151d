package model

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// readAll prefills one segment with the given chunk boundaries.
func readAll(m *Native, ids []int32, cuts []int) kvcache.View {
	var v kvcache.View
	var s nn.Scratch
	for i, a := range cuts[:len(cuts)-1] {
		b := cuts[i+1]
		from := max(0, a-m.Lead()) / nn.Block * nn.Block
		run := kvcache.NewRun(b-a, m.Config.KeyDim, m.Config.ValueDim)
		m.Prefill(&s, run, ids[from:min(len(ids), b+m.Lookahead())], from, a-from)
		v = append(v, run)
	}
	return v
}

// TestPrefillChunks reads one segment under random cuts: the same bytes.
func TestPrefillChunks(t *testing.T) {
	for _, prec := range []nn.Precision{nn.F32, nn.BF16} {
		c := tinyConfig()
		c.Precision = prec
		m := tinyModel(t, c)
		r := rand.New(rand.NewPCG(1, 2))
		ids := make([]int32, 900)
		for i := range ids {
			ids[i] = int32(r.IntN(c.Vocab))
		}
		want := readAll(m, ids, []int{0, len(ids)})[0]
		for range 8 {
			cuts := []int{0}
			for cuts[len(cuts)-1] < len(ids) {
				cuts = append(cuts, min(len(ids), cuts[len(cuts)-1]+1+r.IntN(300)))
			}
			v := readAll(m, ids, cuts)
			for p := range ids {
				got, i := v.At(p)
				if got.KScale[i] != want.KScale[p] || got.VScale[i] != want.VScale[p] || got.ID[i] != want.ID[p] {
					t.Fatalf("precision %d, cuts %v: entry %d differs in scale or id", prec, cuts, p)
				}
				for j := range c.KeyDim {
					if got.K[i*c.KeyDim+j] != want.K[p*c.KeyDim+j] {
						t.Fatalf("precision %d, cuts %v: entry %d differs in key", prec, cuts, p)
					}
				}
				for j := range c.ValueDim {
					if got.V[i*c.ValueDim+j] != want.V[p*c.ValueDim+j] {
						t.Fatalf("precision %d, cuts %v: entry %d differs in value", prec, cuts, p)
					}
				}
			}
		}
	}
}

// TestDecodeMatchesTraining checks that a decoded step has the probability that
// the training forward gives the same token, up to the cache's quantisation.
func TestDecodeMatchesTraining(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	r := rand.New(rand.NewPCG(3, 4))
	ids := make([]int32, 200)
	for i := range ids {
		ids[i] = int32(tokenizer.NumSpecial + r.IntN(m.Config.Vocab-tokenizer.NumSpecial))
	}
	question := ids[50:60]
	view := readAll(m, ids, []int{0, 64, 200})
	d := m.NewDecoder(view, question)
	smp := &Sample{IDs: append(append([]int32(nil), ids...), d.ids...), Context: len(ids)}
	smp.Spans = []nn.Span{{Start: 0, End: len(ids)}, {Start: len(ids), End: len(smp.IDs)}}
	var prev int32 = -1
	for step := range 4 {
		st, err := d.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		smp.Rows = nn.Rows{
			Token: []int32{int32(len(smp.IDs) - 1)}, Limit: []int32{int32(len(ids))}, Prev: []int32{prev},
			Target: []int32{st.ID}, Source: []int32{int32(max(0, st.Source))}, Weight: []float32{1}, Aux: []float32{1},
		}
		res := m.Train(new(nn.Scratch), nil, smp)
		if diff := math.Abs(float64(res.Rows[0].NLL + st.LogProb)); diff > 0.05 {
			t.Errorf("step %d: −log p is %.4f in training, %.4f decoding", step, res.Rows[0].NLL, -st.LogProb)
		}
		if st.Source >= 0 {
			if diff := math.Abs(math.Log(float64(st.Weight)) + float64(res.Rows[0].Aux)); diff > 0.1 {
				t.Errorf("step %d: weight of the source is %.4f in training, %.4f decoding", step, math.Exp(-float64(res.Rows[0].Aux)), st.Weight)
			}
		}
		prev = int32(d.prev)
		smp.IDs = append(smp.IDs, st.ID)
		smp.Spans[1].End++
		if st.ID == tokenizer.End {
			break
		}
	}
}
