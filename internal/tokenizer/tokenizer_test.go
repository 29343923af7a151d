package tokenizer

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sources is Go code to train and test on: this package.
var sources = sync.OnceValue(func() []byte {
	names, _ := filepath.Glob("*.go")
	var all []byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		all = append(all, b...)
	}
	return all
})

// trained is a vocabulary with merges of many kinds, some of which overlap
// themselves.
var trained = sync.OnceValue(func() *BPE {
	texts := [][]byte{
		sources(),
		[]byte(strings.Repeat("aaaaaaaaaaaaaaaa bbbbbbbb abababab\n\t\t\t\t        x\n", 50)),
		[]byte(strings.Repeat("Привет, мир! Straße “quoted” — 日本語の文字 é̂ ½ ٣\r\n", 50)),
		bytes.Repeat([]byte{0, 1, 2, 0xff, 0xfe, 0xc3}, 50),
	}
	v, err := Train(texts, 1200, nil)
	if err != nil {
		panic(err)
	}
	b, err := NewBPE(v)
	if err != nil {
		panic(err)
	}
	return b
})

// naive is the definition: in each pre-token, merge the leftmost pair of the
// lowest rank until there is none.
func naive(b *BPE, text []byte) (out []int32) {
	rank := map[[2]int32]int{}
	for i, m := range b.vocab.Merges {
		rank[m] = i
	}
	for i := 0; i < len(text); {
		end := pretoken(text, i)
		var ids []int32
		for _, c := range text[i:end] {
			ids = append(ids, int32(b.vocab.Special)+int32(c))
		}
		for {
			at, best := -1, len(rank)
			for k := 1; k < len(ids); k++ {
				if r, ok := rank[[2]int32{ids[k-1], ids[k]}]; ok && r < best {
					at, best = k-1, r
				}
			}
			if at < 0 {
				break
			}
			ids = slices.Replace(ids, at, at+2, int32(b.vocab.Special+256+best))
		}
		out = append(out, ids...)
		i = end
	}
	return out
}

func sameAsNaive(t *testing.T, b *BPE, text []byte) {
	t.Helper()
	got, want := b.Encode(nil, text), naive(b, text)
	if !slices.Equal(got, want) {
		t.Fatalf("%.200q:\n got %v\nwant %v", text, got, want)
	}
	if back := b.Decode(nil, got); !bytes.Equal(back, text) {
		t.Fatalf("%.200q decodes to %.200q", text, back)
	}
}

func TestEncodeIsGreedy(t *testing.T) {
	b := trained()
	sameAsNaive(t, b, sources())
	r := rand.New(rand.NewPCG(1, 1))
	alphabets := []string{
		"a", "ab", "abc", "aA \n", " \t\n", "0123 .", "-=_/.,\"' x", "etaoin shrdlu",
		"приветмир ", "日本語の文字", "é̂½٣—“”", "\x00\x01\xff\xfe\xc3\xe2\x80", "func(){}return \t\n",
	}
	for range 3000 {
		runes := []byte(alphabets[r.IntN(len(alphabets))] + alphabets[r.IntN(len(alphabets))])
		text := make([]byte, r.IntN(1+20*r.IntN(20)))
		for i := range text {
			if text[i] = runes[r.IntN(len(runes))]; r.IntN(50) == 0 {
				text[i] = byte(r.IntN(256))
			}
		}
		sameAsNaive(t, b, text)
	}
}

// TestEncodeLong covers both ways of merging around the length where they
// change, and words around the length that the word table holds.
func TestEncodeLong(t *testing.T) {
	b := trained()
	for n := range 3 * maxShort {
		sameAsNaive(t, b, bytes.Repeat([]byte{'a'}, n))
		sameAsNaive(t, b, bytes.Repeat([]byte("ab"), n))
		sameAsNaive(t, b, bytes.Repeat([]byte("return"), n))
		sameAsNaive(t, b, []byte("\n"+strings.Repeat("\t", n)+"x"))
		sameAsNaive(t, b, []byte(strings.Repeat(" ", n)+"x"))
		sameAsNaive(t, b, bytes.Repeat([]byte{0xff}, n))
	}
}

// TestEncodeHuge has pre-tokens of megabytes, which a quadratic merge would not
// get through.
func TestEncodeHuge(t *testing.T) {
	b := trained()
	r := rand.New(rand.NewPCG(2, 2))
	noise := make([]byte, 4<<20)
	for i := range noise {
		noise[i] = byte('a' + r.IntN(26))
	}
	for _, text := range [][]byte{bytes.Repeat([]byte{'a'}, 4<<20), noise, bytes.Repeat([]byte{' '}, 4<<20), make([]byte, 4<<20)} {
		if !bytes.Equal(b.Decode(nil, b.Encode(nil, text)), text) {
			t.Errorf("%.8q… does not come back", text)
		}
	}
}

func TestPretokens(t *testing.T) {
	for text, want := range map[string]string{
		"Hello world":            "Hello· world",
		"don't":                  "don·'·t",
		"camelCase snake_case":   "camelCase· snake·_·case",
		"a1 23":                  "a·1· ·2·3",
		"x = 10;":                "x· =· ·1·0·;",
		"a\nb":                   "a·\n·b",
		"a\n\n\tb":               "a·\n·\n\t·b",
		"{\n    key: v\n}":       "{·\n   · key·:· v·\n·}",
		"a  \n":                  "a·  ·\n",
		"a   b":                  "a·  · b",
		"a\t b":                  "a·\t· b",
		"a \tb":                  "a· \t·b",
		"a  1":                   "a·  ·1",
		"------":                 "----·--",
		" ------":                " ----·--",
		"\"a\", (b)":             "\"·a·\",· (·b·)",
		"a\r\nb":                 "a·\r·\n·b",
		"Straße, été":            "Straße·,· été",
		"e\u0301a":               "e\u0301a",
		"“a” — b":                "“·a·”· —· b",
		"½٣²":                    "½·٣·²",
		"a\u00a0b":               "a·\u00a0·b",
		"a\xff\xfeb":             "a·\xff\xfe·b",
		"日本語 文":                  "日本語· 文",
		"\x00\x00\x01a":          "\x00\x00\x01·a",
		"<|bos|>":                "<|·bos·|>",
		"a trailing space ":      "a· trailing· space· ",
		"trailing spaces   ":     "trailing· spaces·   ",
		"\xe2\x80":               "\xe2\x80",
		"🙂🙂🙂🙂🙂":                  "🙂🙂🙂🙂·🙂",
		"\n \n  x":               "\n ·\n · x",
		"uuid 6fa4-b2":           "uuid· ·6·fa·4·-·b·2",
		"v1.2.3":                 "v·1·.·2·.·3",
		"https://a.b/c?d=e":      "https·://·a·.·b·/·c·?·d·=·e",
		"key:\tvalue":            "key·:·\t·value",
		"| --- | --- |":          "|· ---· |· ---· |",
		"def f(self):\n\treturn": "def· f·(·self·):·\n\t·return",
	} {
		var got []string
		for i := 0; i < len(text); {
			end := pretoken([]byte(text), i)
			got = append(got, text[i:end])
			i = end
		}
		if s := strings.Join(got, "·"); s != want {
			t.Errorf("%q: %q, want %q", text, s, want)
		}
	}
}

// TestCutAtNewline checks the promise that lets texts be read in parts.
func TestCutAtNewline(t *testing.T) {
	b, text := trained(), append(slices.Clone(sources()), "a  \n\t b\r\n\n \xe2\x80\n\x00\n"...)
	want := b.Encode(nil, text)
	for i, c := range text {
		if c != '\n' || i%7 != 0 && i < len(text)-40 {
			continue
		}
		// Near the cut is enough: what lies farther off is the same.
		lo, hi := bytes.LastIndexByte(text[:max(i-50, 0)], '\n')+1, min(i+50, len(text))
		if got := b.Encode(b.Encode(nil, text[lo:i]), text[i:hi]); !slices.Equal(got, b.Encode(nil, text[lo:hi])) {
			t.Fatalf("cut at %d: %q and %q", i, text[lo:i], text[i:hi])
		}
	}
	if got := b.Encode([]int32{BOS}, text); got[0] != BOS || !slices.Equal(got[1:], want) {
		t.Error("Encode does not append")
	}
}

func TestConcurrent(t *testing.T) {
	b := trained()
	text := append(slices.Clone(sources()), strings.Repeat("longword", 100)...)
	want := b.Encode(nil, text)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if !slices.Equal(b.Encode(nil, text), want) {
					t.Error("a concurrent Encode differs")
				}
			}
		})
	}
	wg.Wait()
}

func TestDecodeSpecialAndUnknown(t *testing.T) {
	b := trained()
	ids := []int32{BOS, NumSpecial + 'h', End, -1, int32(b.Size()), NumSpecial + 'i', 1 << 30}
	if got := b.Decode([]byte(">"), ids); string(got) != ">hi" {
		t.Errorf("got %q", got)
	}
	if b.Piece(Pad) != nil || b.Piece(-1) != nil || b.Piece(int32(b.Size())) != nil {
		t.Error("a special or unknown id has a piece")
	}
	if got := b.Encode(nil, []byte("<|bos|><|end|>")); slices.ContainsFunc(got, func(id int32) bool { return id < NumSpecial }) {
		t.Errorf("text gave special tokens: %v", got)
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	b, text := trained(), sources()
	dst := b.Encode(nil, text)
	dst = slices.Grow(dst, len(text))
	if n := testing.AllocsPerRun(5, func() { dst = b.Encode(dst[:0], text) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, s := range []string{"", "Hello, world 123\n\tx", "aaaaaaaa\xff\xfe", "日本語 “x”", strings.Repeat("ab", 100)} {
		f.Add([]byte(s))
	}
	b := trained()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<12 {
			return // the naive way is quadratic
		}
		sameAsNaive(t, b, text)
	})
}

// BenchmarkEncode reads what it can find of the training corpus and of Go's
// own sources.
func BenchmarkEncode(b *testing.B) {
	v, texts := benchVocab(b)
	tok, err := NewBPE(v)
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			var dst []int32
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				dst = tok.Encode(dst[:0], text)
			}
			b.ReportMetric(float64(len(text))/float64(len(dst)), "bytes/token")
		})
	}
}

func benchVocab(b *testing.B) (Vocab, map[string][]byte) {
	names, _ := filepath.Glob(filepath.Join(runtime.GOROOT(), "src/net/http/*.go"))
	var code []byte
	for _, name := range names {
		s, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		code = append(code, s...)
	}
	if len(code) == 0 {
		b.Skip("no Go sources here")
	}
	texts := map[string][]byte{"code": code, "letters": bytes.Repeat([]byte{'a'}, 1<<20)}
	train := [][]byte{code}
	if book := readBook(b); book != nil {
		texts["book"] = book
		train = append(train, book)
	}
	v, err := Train(train, 8192, nil)
	if err != nil {
		b.Fatal(err)
	}
	return v, texts
}
