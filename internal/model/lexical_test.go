package model

import (
	"context"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

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
	tok := bytesTokenizer(t)
	r := rand.New(rand.NewPCG(4, 4))
	question := "What is the code of Karn-7 and of Érik's zeta_9, karn-7?"
	weights := map[string]float64{"code": 1, "karn-7": lexicalName, "érik": lexicalName, "zeta_9": lexicalName}
	for range 20 {
		var text []string
		for range 400 {
			text = append(text, []string{"lorem", "ipsum", "Code,", "decode", "karn-77", "xKarn-7", "dolor,"}[r.IntN(7)])
			if r.IntN(60) == 0 {
				text = append(text, []string{"Karn-7", "(karn-7)", "code", "Érik", "zeta_9;", "CODE"}[r.IntN(6)])
			}
		}
		ids := tok.Encode(nil, []byte(strings.Join(text, " ")))
		got := make([]float64, len(ids))
		last := 0
		view := viewOf(r, ids)
		words, _ := questionWords(tok, question)
		events := places(view, tok, words)
		for _, b := range sweep(events, weigh(words, float64(len(ids)))) {
			if b.from < last || b.to <= b.from || b.value <= 0 || b.value > 1.0001 {
				t.Fatalf("boost %+v after %d", b, last)
			}
			last = b.to
			for i := b.from; i < min(b.to, len(ids)); i++ {
				got[i] = float64(b.value)
			}
		}
		for i, want := range boostsByDefinition(tok, ids, weights) {
			if math.Abs(got[i]-want) > 1e-5 {
				t.Fatalf("entry %d has %g, want %g", i, got[i], want)
			}
		}
	}
}

// TestQuoted: who quotes a few words says what to look for.
func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{
		`How does "one two three four" go on?`:       "one two three four",
		`Continue “a b c d e” after "x y z".`:        "a b c d e",
		`Who is "Karn" of "the house"?`:              `Who is "Karn" of "the house"?`,
		`An open " quote of several words`:           `An open " quote of several words`,
		`How does ""Why, so it is," he said" go on?`: `"Why, so it is," he said`,
		`What follows "It said, "What the de"?`:      `It said, "What the de`,
	} {
		if got := quoted(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestEcho: the entries of the question's words, and no others.
func TestEcho(t *testing.T) {
	tok := bytesTokenizer(t)
	text := "Karn-7 had a code; the decode of Karn-77 is 12. code"
	ids := tok.Encode(nil, []byte(text))
	mark := func(question string) string {
		l := newLexis(viewOf(rand.New(rand.NewPCG(1, 1)), ids), tok, tok.Encode(nil, []byte(question)))
		var out []byte
		for i, id := range ids {
			for _, c := range tok.Piece(id) {
				if l.echo(i) && c != ' ' { // a spaced form begins with its space
					c = '*'
				}
				out = append(out, c)
			}
		}
		return string(out)
	}
	if got, want := mark("What is the code of Karn-7?"), "****** had a ****; the decode of Karn-77 is 12. ****"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	text = "_LEN = 5; LEN_ = 7"
	ids = tok.Encode(nil, []byte(text))
	if got, want := mark("What does _LEN equal?"), "**** = 5; LEN_ = 7"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	text = "Karn-7 had a code; the decode of Karn-77 is 12. code"
	ids = tok.Encode(nil, []byte(text))
	if got := mark(`How does "a code; the decode" go on?`); got != text {
		t.Errorf("a quotation marks %q", got)
	}
}

func TestAsksBesides(t *testing.T) {
	for question, want := range map[string]bool{
		`Who said "we go when we can"?`: true, `At what time was "we go on" said?`: true,
		`How does "who goes there now" go on?`: false, `What follows “when the bell rings”?`: false,
	} {
		if got := asksBesides(question); got != want {
			t.Errorf("%s: %v, want %v", question, got, want)
		}
	}
}

// TestBesides: a sentence with none of the words gets a little less than those
// that have some.
func TestBesides(t *testing.T) {
	tok := bytesTokenizer(t)
	filler := strings.Repeat("lorem ipsum, ", 60)
	text := filler + "It rained, Mr. X said. The code of Karn is 7 now (yes!) Then" + filler
	ids := tok.Encode(nil, []byte(text))
	l := newLexis(viewOf(rand.New(rand.NewPCG(5, 5)), ids), tok, tok.Encode(nil, []byte("What is the code of Karn?")))
	got := map[string]float64{}
	for _, b := range l.boosts {
		got[string(tok.Decode(nil, ids[b.from:min(b.to, len(ids))]))] += float64(b.value)
	}
	for part, want := range map[string]float64{" The code of Karn is 7 now (yes!)": 1} {
		if v := got[part]; math.Abs(v-want) > 1e-5 {
			t.Errorf("%q has %g, want %g; all are %v", part, v, want, got)
		}
		delete(got, part)
	}
	if len(got) == 0 {
		t.Error("nothing beside")
	}
	for part, v := range got {
		if math.Abs(v-(1-lexicalBeside)) > 1e-5 {
			t.Errorf("%q has %g, want %g", part, v, 1-lexicalBeside)
		}
	}
}

// TestContinuations: after the quotation word for word, and nowhere else. Bars
// stand before the entries that are to be found.
func TestContinuations(t *testing.T) {
	tok := bytesTokenizer(t)
	r := rand.New(rand.NewPCG(3, 3))
	words, quote := questionWords(tok, `What follows "One, two three"?`)
	for _, in := range []string{
		"He said one, two three|\nfour", "one two three| and One two; three| x", "one two. one three two",
		"xone two three x", "one two three!)| go", "one two three", "one two two three x",
	} {
		text := strings.ReplaceAll(in, "|", "")
		ids := tok.Encode(nil, []byte(text))
		view := viewOf(r, ids)
		found := map[int]bool{}
		for _, b := range continuations(view, tok, places(view, tok, words), quote) {
			found[b.from] = true
		}
		var got []byte
		for i, id := range ids {
			if found[i] {
				got = append(got, '|')
			}
			got = append(got, tok.Piece(id)...)
		}
		if string(got) != in {
			t.Errorf("found %q, want %q", got, in)
		}
	}
}

// TestWithin: where the text goes on unbroken, and where a value may begin or
// end. The bar stands before the position.
func TestWithin(t *testing.T) {
	tok := bytesTokenizer(t)
	r := rand.New(rand.NewPCG(2, 2))
	for in, want := range map[string]bool{
		"code 18|:0e at": true, "code 18:|0e at": true, "is 3|.14": true, "wo|rd": true, "naï|ve": true,
		"is 3|.": false, "is 3|. Then": false, "word| next": false, "key=|value": false, "a |-b": false,
		"(|word)": false, "word|)": false, "end|": false,
	} {
		before, after, _ := strings.Cut(in, "|")
		ids := tok.Encode(nil, []byte(before+after))
		d := &Decoder{m: &Native{Tokens: tok}, att: newAttender(viewOf(r, ids), 1, 4)}
		if got := d.within(len(tok.Encode(nil, []byte(before)))); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

// boostsByDefinition finds words in the text, in one pass for each token.
func boostsByDefinition(tok tokenizer.Tokenizer, ids []int32, weights map[string]float64) []float64 {
	text := string(tok.Decode(nil, ids))
	token := make([]int, 0, len(text)) // of each byte
	for i, id := range ids {
		for range tok.Piece(id) {
			token = append(token, i)
		}
	}
	at := map[int]string{}
	count := map[string]int{}
	for w := range weights {
		title, size := utf8.DecodeRuneInString(w)
		for _, m := range regexp.MustCompile(`(?:`+regexp.QuoteMeta(w)+`|`+regexp.QuoteMeta(string(unicode.ToUpper(title))+w[size:])+`)`).FindAllStringIndex(text, -1) {
			if m[0] > 0 && inWord(text[m[0]-1]) || m[1] < len(text) && inWord(text[m[1]]) {
				continue
			}
			count[w]++
			// A spaced form begins at the token that its space is in.
			i := token[m[0]]
			at[i] = w
		}
	}
	weight, total := map[string]float64{}, 0.0
	for w, times := range weights {
		if n := float64(len(ids)); float64(count[w]) <= lexicalCommon*n {
			weight[w] = times * math.Log((n+1)/float64(count[w]+1))
		}
		total += weight[w]
	}
	out := make([]float64, len(ids))
	best := 0.0
	for end := range ids {
		if _, ok := at[end]; !ok {
			continue
		}
		seen, sum, first := map[string]bool{}, 0.0, end
		for i := end; i >= 0 && i > end-lexicalWindow; i-- {
			if w, ok := at[i]; ok {
				first = i
				if !seen[w] {
					seen[w] = true
					sum += weight[w]
				}
			}
		}
		// Érik's zeta_9 is a term: half of it counts against.
		if seen["érik"] != seen["zeta_9"] {
			sum -= weight["érik"] + weight["zeta_9"]
			for _, w := range []string{"érik", "zeta_9"} {
				if seen[w] {
					sum += weight[w]
				}
			}
		}
		if sum <= 1e-6*total {
			continue
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
	m.Tokens = bytesTokenizer(t)
	question := m.Tokens.Encode(nil, []byte("zq xz"))
	for i, id := range m.Tokens.Encode(nil, []byte(" xz zq. ")) {
		ids[400+i] = id
	}
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
