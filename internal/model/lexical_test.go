package model

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// lettersOnly is a tokenizer whose every piece is a word.
type lettersOnly struct{ tokenizer.Tokenizer }

func (lettersOnly) Size() int          { return 2000 }
func (lettersOnly) Piece(int32) []byte { return []byte("word") }

// viewOf makes a view of ids alone, cut at random.
func viewOf(r *rand.Rand, ids []int32) (v kvcache.View) {
	for len(ids) > 0 {
		n := min(len(ids), 1+r.IntN(300))
		run := kvcache.NewRun(n, 4, 4)
		for i := range n {
			run.ID[i] = uint32(ids[i])
		}
		v, ids = append(v, run), ids[n:]
	}
	return v
}

// TestLexicalBoosts compares with the definition: an entry has the highest share
// of any window whose words, with the margin, reach it, if that share is at
// least half of the best.
func TestLexicalBoosts(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 50 {
		ids := make([]int32, 1500)
		for i := range ids {
			ids[i] = int32(100 + r.IntN(1800))
		}
		question := []int32{5, 6, 7, 8, 9, 7}
		for range 12 {
			ids[r.IntN(len(ids))] = question[r.IntN(len(question))]
		}
		at := r.IntN(1400)
		for _, q := range question[:2+r.IntN(4)] {
			ids[at+r.IntN(30)] = q
		}
		got := make([]float32, len(ids))
		last := 0
		for _, b := range lexicalBoosts(viewOf(r, ids), lettersOnly{}, question) {
			if b.from < last || b.to <= b.from || b.value <= 0 || b.value > 1.0001 {
				t.Fatalf("boost %+v after %d", b, last)
			}
			last = b.to
			for i := b.from; i < min(b.to, len(ids)); i++ {
				got[i] = b.value
			}
		}
		want := boostsByDefinition(ids, question)
		for i := range ids {
			if math.Abs(float64(got[i])-want[i]) > 1e-5 {
				t.Fatalf("entry %d has %g, want %g", i, got[i], want[i])
			}
		}
	}
}

func boostsByDefinition(ids, question []int32) []float64 {
	weight, total := map[int32]float64{}, 0.0
	for _, q := range question {
		if _, dup := weight[q]; dup {
			continue
		}
		n := 0
		for _, id := range ids {
			if id == q {
				n++
			}
		}
		weight[q] = math.Log(float64(len(ids)+1) / float64(n+1))
		total += weight[q]
	}
	out := make([]float64, len(ids))
	best := 0.0
	for end, id := range ids {
		if weight[id] == 0 {
			continue
		}
		seen, sum, first := map[int32]bool{}, 0.0, end
		for i := end; i >= 0 && i > end-lexicalWindow; i-- {
			if w := weight[ids[i]]; w > 0 {
				first = i
				if !seen[ids[i]] {
					seen[ids[i]] = true
					sum += w
				}
			}
		}
		best = max(best, sum)
		for i := max(0, first-lexicalMargin); i < min(len(ids), end+1+lexicalMargin); i++ {
			out[i] = max(out[i], sum/total)
		}
	}
	for i, v := range out {
		if v*total < best/2-1e-9 {
			out[i] = 0
		}
	}
	return out
}

// TestLexicalPrior: the pointer's weight moves to where the words stand, and the
// sink's falls when its own share is out of reach.
func TestLexicalPrior(t *testing.T) {
	m := tinyModel(t, tinyConfig())
	r := rand.New(rand.NewPCG(9, 9))
	ids := textIDs(r, 600, m.Config.Vocab)
	question := []int32{tokenizer.NumSpecial + 'q', tokenizer.NumSpecial + 'z', tokenizer.NumSpecial + 'x'}
	for i, id := range ids {
		if slices.Contains(question, id) {
			ids[i] = tokenizer.NumSpecial + 'e'
		}
	}
	copy(ids[400:], question)
	view := readAll(m, ids, []int{0, 256, 600})
	near := func() (in, sink float64) {
		d := m.NewDecoder(view, question)
		_, hits, s, err := d.crossDecoder(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			if h.Pos >= 400-lexicalMargin && h.Pos < 403+lexicalMargin {
				in += float64(h.Weight)
			}
		}
		return in, float64(s)
	}
	m.Tokens = bytesTokenizer(t)
	before, sinkBefore := near()
	m.Lexical = Lexical{Weight: 0.5, Sink: 0}
	after, sinkAfter := near()
	if !(after > before*2 && sinkAfter < sinkBefore) {
		t.Errorf("weight near the words from %.4f to %.4f, of the sink from %.4f to %.4f", before, after, sinkBefore, sinkAfter)
	}
	m.Lexical.Sink = 3
	if _, s := near(); s <= sinkAfter {
		t.Errorf("the sink's weight is %.4f with a share of its own, %.4f without", s, sinkAfter)
	}
}

// bytesTokenizer has the 256 bytes and eight merges, as many as tinyConfig.
func bytesTokenizer(t *testing.T) *tokenizer.BPE {
	t.Helper()
	v, err := tokenizer.Train([][]byte{[]byte("ab cd ef gh ij kl mn op ab cd ef gh ij kl mn op")}, tinyConfig().Vocab, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := tokenizer.NewBPE(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
