package model

import (
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
)

// nanoConfig is the shipped model's shape.
func nanoConfig() Config {
	return Config{
		Vocab: 8192, Width: 192, SelfLayers: 3, CrossLayers: 1, Heads: 6, Window: 64, Taps: 4,
		Experts: 8, TopK: 2, Hidden: 192, CrossHeads: 4, KeyDim: 64, ValueDim: 64, Lookahead: 16, RopeBase: 1000,
		Precision: nn.BF16,
	}
}

func randomIDs(n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(1, 1))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(vocab))
	}
	return ids
}

// BenchmarkTrain is one sample of 4,096 context tokens with 48 questions of 32
// tokens and 10 rows each, forward and backward on one core.
func BenchmarkTrain(b *testing.B) {
	m := tinyModel(b, nanoConfig())
	smp := &Sample{IDs: randomIDs(4096+48*32, 8192), Context: 4096, Spans: []nn.Span{{Start: 0, End: 4096}}}
	r := rand.New(rand.NewPCG(1, 1))
	for q := range 48 {
		a := 4096 + q*32
		smp.Spans = append(smp.Spans, nn.Span{Start: a, End: a + 32})
		for i := range 10 {
			src := int32(r.IntN(4000))
			smp.Rows.Token = append(smp.Rows.Token, int32(a+20+i))
			smp.Rows.Limit = append(smp.Rows.Limit, 4096)
			smp.Rows.Prev = append(smp.Rows.Prev, src-1)
			smp.Rows.Source = append(smp.Rows.Source, src)
			smp.Rows.Target = append(smp.Rows.Target, smp.IDs[src])
			smp.Rows.Weight = append(smp.Rows.Weight, 0.01)
			smp.Rows.Aux = append(smp.Rows.Aux, 0.01)
		}
	}
	g := make([]float32, len(m.Params.Data))
	var s nn.Scratch
	for b.Loop() {
		m.Train(&s, g, smp)
	}
	b.ReportMetric(float64(len(smp.IDs)*b.N)/b.Elapsed().Seconds(), "tokens/s")
}

// BenchmarkPrefill reads 4,096 tokens after a full lead on one core.
func BenchmarkPrefill(b *testing.B) {
	m := tinyModel(b, nanoConfig())
	const n = 4096
	ids := randomIDs(m.Lead()+n+m.Lookahead(), 8192)
	run := kvcache.NewRun(n, 64, 64)
	var s nn.Scratch
	for b.Loop() {
		m.Prefill(&s, run, ids, 0, m.Lead())
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tokens/s")
}
