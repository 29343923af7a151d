package encoder

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
)

// testLexicon has words of a few phones.
func testLexicon() *speech.Lexicon {
	words := []string{"cat", "tack", "act", "at", "a"}
	l := speech.NewLexicon(words, []string{"en-us"})
	for i, phones := range [][]string{{"k", "a", "t"}, {"t", "a", "k"}, {"a", "k", "t"}, {"a", "t"}, {"a"}} {
		var ids []uint8
		for _, p := range phones {
			id, ok := speech.PhoneID(p)
			if !ok {
				panic(p)
			}
			ids = append(ids, id)
		}
		l.Add(i, ids, 1, false)
	}
	return l
}

// speak makes logits of phones that last some frames each.
func speak(r *rand.Rand, phones string, frames int) []float32 {
	n := len(speech.Inventory)
	var out []float32
	for _, p := range phones {
		id, ok := speech.PhoneID(string(p))
		if !ok {
			panic(string(p))
		}
		for range frames {
			row := make([]float32, n)
			for i := range row {
				row[i] = float32(r.NormFloat64())
			}
			row[id] += 7
			out = append(out, row...)
		}
	}
	return out
}

func texts(words []Word) (out []string) {
	for _, w := range words {
		out = append(out, fmt.Sprintf("%s %d-%d", w.Text, w.From, w.To))
	}
	return out
}

func TestWords(t *testing.T) {
	w := NewWords(testLexicon(), nil)
	said := speak(rand.New(rand.NewPCG(1, 2)), "__kat__tak_akt_", 4)
	want := []string{"cat 8-20", "tack 28-40", "act 44-56"}
	b := w.NewBeam()
	b.Feed(append([]float32(nil), said...))
	if got := texts(b.Take(true)); !reflect.DeepEqual(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	// In pieces, taking what is sure in between.
	b = w.NewBeam()
	var got []string
	n := len(speech.Inventory)
	for i := 0; i < len(said); i += 5 * n {
		b.Feed(append([]float32(nil), said[i:min(len(said), i+5*n)]...))
		got = append(got, texts(b.Take(false))...)
	}
	if len(got) < 2 {
		t.Errorf("only %q was sure before the end", got)
	}
	if got = append(got, texts(b.Take(true))...); !reflect.DeepEqual(got, want) {
		t.Errorf("in pieces %q, want %q", got, want)
	}
}

// TestEarsInChunks checks that entries are the same bit for bit however the sound
// is cut.
func TestEarsInChunks(t *testing.T) {
	var ps nn.Params
	var ms []*nn.Matrix
	e := NewEars(&ps, EarsConfig{Stem: 8, Layers: 2, Layer: tinyLayer(), Key: 8, Value: 8, Phones: 5}, func(m *nn.Matrix) { ms = append(ms, m) })
	ps.Alloc()
	ps.Reset(1)
	Refresh(ms, &ps, false, 0, 1)
	r := rand.New(rand.NewPCG(3, 4))
	const n = 5 * nn.Block
	const row = FramesPerEmbedding * Mels
	x := make([]float32, n*row)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	run := func(from, to int) (k, v []float32) {
		begin, end := max(0, from-e.Lead()), min(n, to+e.Lookahead())
		var s nn.Scratch
		k, v = e.Forward(&s, ps.Data, x[begin*row:end*row], begin, &EarsAct{})
		return k[(from-begin)*8 : (to-begin)*8], v[(from-begin)*8 : (to-begin)*8]
	}
	k, v := run(0, n)
	for from := 0; from < n; from += 2 * nn.Block {
		to := min(n, from+2*nn.Block)
		ck, cv := run(from, to)
		if !reflect.DeepEqual(ck, k[from*8:to*8]) || !reflect.DeepEqual(cv, v[from*8:to*8]) {
			t.Fatalf("entries [%d, %d) differ", from, to)
		}
	}
}

func TestResize(t *testing.T) {
	img := Resize(checker(8, 4), 4, 2)
	for i, v := range img.Pix {
		if v != 128 && v != 127 {
			t.Fatalf("pixel %d of a halved checkerboard is %d", i, v)
		}
	}
	if img = Resize(checker(3, 3), 7, 5); img.W != 7 || img.H != 5 || img.Pix[0] != 0 {
		t.Errorf("grown: %d × %d, first %d", img.W, img.H, img.Pix[0])
	}
}

func TestSpot(t *testing.T) {
	l := testLexicon()
	said := speak(rand.New(rand.NewPCG(5, 6)), "_kat_tak__akt_at_tak_kat_", 4)
	p, ok := NewPhrase(l, []string{"act", "at"})
	if !ok {
		t.Fatal("no phrase")
	}
	var best Spot
	p.Spot(said, len(speech.Inventory), func(_ int, s Spot) {
		if s.Fit > best.Fit {
			best = s
		}
	})
	// "_kat_tak__" are ten phones of four frames; the phrase takes six and a pause.
	if best.From != 40 || best.To < 60 || best.To > 64 || best.Fit < 0.8 {
		t.Errorf("spotted %+v", best)
	}
	if _, ok := NewPhrase(l, []string{"unheard"}); ok {
		t.Error("a phrase of an unknown word")
	}
	p, _ = NewPhrase(l, []string{"cat", "act"})
	worst := float32(-1)
	p.Spot(said, len(speech.Inventory), func(_ int, s Spot) { worst = max(worst, s.Fit) })
	if worst > 0.9*best.Fit {
		t.Errorf("what was not said fits by %g, what was by %g", worst, best.Fit)
	}
}

func TestNth(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 200 {
		x := make([]float32, 1+rng.IntN(50))
		for i := range x {
			x[i] = float32(rng.IntN(12)) // with ties
		}
		want := slices.Clone(x)
		slices.SortFunc(want, func(a, b float32) int { return cmp.Compare(b, a) })
		n := rng.IntN(len(x))
		if got := nth(slices.Clone(x), n); got != want[n] {
			t.Fatalf("nth(%v, %d) = %v, want %v", x, n, got, want[n])
		}
	}
}

// What lives is what lives when all scores are sorted, ties included.
func TestCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range 60 {
		paths := make([]path, 1+rng.IntN(4*beamPaths))
		b := &Beam{top: float32(math.Inf(-1))}
		for j := range paths {
			paths[j].score = 100 - float32(rng.ExpFloat64())*float32(1+i)/3
			if i%3 == 0 {
				paths[j].score = float32(int(paths[j].score)) // many ties
			}
			b.top = max(b.top, paths[j].score)
		}
		var want []float32
		for _, p := range paths {
			if p.score >= b.top-beamWidth {
				want = append(want, p.score-b.top)
			}
		}
		slices.SortFunc(want, func(a, b float32) int { return cmp.Compare(b, a) })
		want = want[:min(len(want), beamPaths)]
		var got []float32
		for _, p := range b.prune(paths) {
			got = append(got, p.score)
		}
		if got[0] != 0 {
			t.Fatalf("the first of %d is %g behind", len(got), got[0])
		}
		slices.SortFunc(got, func(a, b float32) int { return cmp.Compare(b, a) })
		if !slices.Equal(got, want) {
			t.Fatalf("%d of %d live, want %d, or others do", len(got), len(paths), len(want))
		}
	}
}
