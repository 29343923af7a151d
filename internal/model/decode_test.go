package model

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
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

// decoderOver makes a decoder that only looks at a text.
func decoderOver(t *testing.T, text, question string) (*Decoder, []int32) {
	t.Helper()
	tok := bytesTokenizer(t)
	ids := tok.Encode(nil, []byte(text))
	view := viewOf(rand.New(rand.NewPCG(6, 6)), ids)
	d := &Decoder{m: &Native{Tokens: tok}, att: newAttender(view, 1, 4), prev: -1}
	d.words = newLexis(view, tok, tok.Encode(nil, []byte(question)))
	return d, ids
}

// at returns the entry of the byte after the bar.
func at(t *testing.T, d *Decoder, marked string) int {
	t.Helper()
	before, _, ok := strings.Cut(marked, "|")
	if !ok {
		t.Fatalf("no bar in %q", marked)
	}
	n := 0
	for p := 0; p < d.att.len(); p++ {
		if n += len(d.piece(p)); n > len(before) {
			return p
		}
	}
	t.Fatalf("nothing after the bar of %q", marked)
	return 0
}

// TestBeginnings: where an answer begins, given where the pointer is; the text is
// padded, so that words are rare.
func TestBeginnings(t *testing.T) {
	pad := strings.Repeat("lorem ipsum ", 80)
	for pointer, want := range map[string]string{
		"the code / |/ 62.7": "the code / / |62.7", // no value at all: the second sign passes it on
		"host 10.136.|48.79": "host |10.136.48.79", "at |x/y": "at |x/y", "port:|8080": "port:|8080", "lic|hen": "",
	} {
		text := strings.ReplaceAll(pointer, "|", "")
		d, _ := decoderOver(t, pad+text+" "+pad, "What is it?")
		got := d.beginnings([]Hit{{Pos: at(t, d, pad+pointer), Weight: 0.5}})
		switch {
		case want == "" && len(got) > 0:
			t.Errorf("%q begins at %d", pointer, got[0].Pos)
		case want == "":
		case len(got) != 1 || math.Abs(float64(got[0].Weight)-0.5) > 1e-6:
			t.Errorf("%q: %v", pointer, got)
		default:
			// The bytes tokenizer writes spaces as entries of their own.
			if p := at(t, d, pad+want); got[0].Pos != p && got[0].Pos != p-1 {
				t.Errorf("%q begins at %d, want %d", pointer, got[0].Pos, p)
			}
		}
	}
	// The question's words yield to anything else.
	d, _ := decoderOver(t, pad+"museum keeps 4711 in it. "+pad, "What does the museum keep?")
	m, v := at(t, d, pad+"|museum keeps"), at(t, d, pad+"museum keeps |4711")
	got := d.beginnings([]Hit{{m, 0.9}, {v, 0.05}})
	if len(got) != 2 || got[0].Pos != v || math.Abs(float64(got[0].Weight+got[1].Weight)-0.95) > 1e-5 {
		t.Errorf("beginnings %v, want %d first", got, v)
	}
}

// TestOnward: where an answer has to go on.
func TestOnward(t *testing.T) {
	for marked, want := range map[string]bool{
		"is Anselm| Oyelaran.": true, "is Anselm|. Then": false, "THE END| Of": false, "is 18:0e|:7c": true,
		"The Lacquer| of": false, "The Lacquer of Almanac| Inkwell": true,
	} {
		d, _ := decoderOver(t, strings.ReplaceAll(marked, "|", ""), "What?")
		d.prev = at(t, d, marked) - 1
		if _, must := d.onward(); must != want {
			t.Errorf("%q: %v, want %v", marked, must, want)
		}
	}
	for marked, want := range map[string]bool{"married?\"| said he": true, "married?\"| Said he": false, "said|\nhe": false, "a -|- he": true} {
		d, _ := decoderOver(t, strings.ReplaceAll(marked, "|", ""), "What?")
		d.prev, d.quotes = at(t, d, marked)-1, true
		if pos, must := d.onward(); must != want || pos != d.prev+1 {
			t.Errorf("quoting %q: %d, %v, want %v", marked, pos, must, want)
		}
	}
}
