package data

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/handscroll/handscroll/internal/tokenizer"
)

// newFixture makes a tokenizer and a corpus of this package's own sources and
// a page of prose, so that the tests need no data.
func newFixture(tb testing.TB) (tokenizer.Tokenizer, *Corpus) {
	tb.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		tb.Fatal(err)
	}
	prose, err := os.ReadFile(filepath.Join("testdata", "prose.txt"))
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	paths := []string{filepath.Join(dir, "prose.txt")}
	texts := [][]byte{prose}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		texts = append(texts, text)
		paths = append(paths, name)
	}
	if err := os.WriteFile(paths[0], prose, 0o644); err != nil {
		tb.Fatal(err)
	}
	vocab, err := tokenizer.Train(texts, 1500, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tok, err := tokenizer.NewBPE(vocab)
	if err != nil {
		tb.Fatal(err)
	}
	corpus, err := LoadCorpus(tok, paths, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return tok, corpus
}

func newGenerator(tb testing.TB, opts Options) *Generator {
	tb.Helper()
	tok, corpus := newFixture(tb)
	g, err := NewGenerator(tok, corpus, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func TestExampleIsDeterministic(t *testing.T) {
	g := newGenerator(t, DefaultOptions())
	for i := range uint64(20) {
		if !reflect.DeepEqual(g.Example(3, i, 700), g.Example(3, i, 700)) {
			t.Fatalf("example %d differs between two calls", i)
		}
	}
	if reflect.DeepEqual(g.Example(3, 0, 700), g.Example(4, 0, 700)) {
		t.Fatal("two seeds gave one example")
	}
}

// checkExample holds everything the trainer relies on.
func checkExample(t *testing.T, g *Generator, ex *Example, contextLen int) {
	t.Helper()
	at := 0
	context := 0
	for i, s := range ex.Segments {
		if s.Start != at || s.End <= s.Start {
			t.Fatalf("segment %d is [%d, %d), want a start at %d", i, s.Start, s.End, at)
		}
		at = s.End
		want := tokenizer.BOS
		if s.Question {
			want = tokenizer.Question
		} else {
			context = s.End
		}
		if ex.Tokens[s.Start] != int32(want) {
			t.Fatalf("segment %d starts with %d", i, ex.Tokens[s.Start])
		}
	}
	if at != len(ex.Tokens) || context != contextLen {
		t.Fatalf("%d tokens and a context of %d, want %d and %d", at, context, len(ex.Tokens), contextLen)
	}
	last := int32(-1)
	prev := map[int32]int32{}
	for i, r := range ex.Rows {
		if r.Token < last {
			t.Fatalf("row %d: token %d after %d", i, r.Token, last)
		}
		last = r.Token
		if !r.Answer {
			if r.Group != -1 || ex.Tokens[r.Token+1] != r.Target || int(r.Token) >= context-1 {
				t.Fatalf("row %d: bad language-model row %+v", i, r)
			}
			continue
		}
		if int(r.Token) < context {
			t.Fatalf("row %d: answer row inside the context", i)
		}
		if r.Target != tokenizer.End && ex.Tokens[r.Token+1] != r.Target {
			t.Fatalf("row %d: target %d, next token %d", i, r.Target, ex.Tokens[r.Token+1])
		}
		if r.Source >= int32(context) || r.Source < SourceSink {
			t.Fatalf("row %d: source %d outside the context", i, r.Source)
		}
		if r.Source >= 0 && r.Target != tokenizer.End && r.Target != tokenizer.Sep && ex.Tokens[r.Source] != r.Target {
			t.Fatalf("row %d: source holds %d, target is %d", i, ex.Tokens[r.Source], r.Target)
		}
		want, ok := prev[r.Group]
		if !ok {
			want = -1
			if ex.Tokens[r.Token] != tokenizer.Answer {
				t.Fatalf("row %d: question %d does not begin at its answer mark", i, r.Group)
			}
		}
		if r.Prev != want {
			t.Fatalf("row %d: prev %d, want %d", i, r.Prev, want)
		}
		prev[r.Group] = max(r.Source, -1)
		if (r.Task == TaskAbsent) != (r.Source == SourceSink) {
			t.Fatalf("row %d: task %s with source %d", i, TaskNames[r.Task], r.Source)
		}
	}
	questions := 0
	for _, s := range ex.Segments {
		if s.Question {
			questions++
		}
	}
	if questions == 0 || questions != len(prev) {
		t.Fatalf("%d questions, rows for %d", questions, len(prev))
	}
}

func TestExampleInvariants(t *testing.T) {
	tok, corpus := newFixture(t)
	for task, name := range TaskNames {
		if uint8(task) == TaskAbsent {
			continue
		}
		opts := DefaultOptions()
		opts.Weights = map[string]float64{name: 1}
		g, err := NewGenerator(tok, corpus, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			seen := 0
			for i := range uint64(100) {
				n := []int{64, 256, 511, 1024, 3000}[i%5]
				ex := g.Example(1, i, n)
				checkExample(t, g, ex, n)
				for _, r := range ex.Rows {
					if r.Answer && r.Task == uint8(task) {
						seen++
					}
				}
			}
			if seen == 0 {
				t.Fatal("no question of this task in 100 examples")
			}
		})
	}
}

// TestPoorCorpora: any text will do as filler, if it is all there is.
func TestPoorCorpora(t *testing.T) {
	tok, _ := newFixture(t)
	for name, text := range map[string]string{
		"short":    strings.Repeat("A short text. ", 15),
		"one line": strings.Repeat("word ", 1000),
		"newlines": strings.Repeat("\n", 1000),
		"digits":   strings.Repeat("0123456789", 100),
		"stops":    strings.Repeat("...!!!", 100),
	} {
		for _, kind := range []Kind{Prose, Code} {
			doc := Document{Name: name, Kind: kind}
			for _, id := range tok.Encode(nil, []byte(text)) {
				doc.IDs = append(doc.IDs, uint16(id))
			}
			g, err := NewGenerator(tok, NewCorpus([]Document{doc}), DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			for i := range uint64(8) {
				n := []int{64, 512, 2048}[i%3]
				checkExample(t, g, g.Example(1, i, n), n)
			}
		}
	}
}

func TestHeldOutExampleInvariants(t *testing.T) {
	opts := DefaultOptions()
	opts.HeldOut = true
	g := newGenerator(t, opts)
	for i := range uint64(100) {
		checkExample(t, g, g.Example(2, i, 800), 800)
	}
}

func TestExampleIsSafeForConcurrentUse(t *testing.T) {
	g := newGenerator(t, DefaultOptions())
	var wg sync.WaitGroup
	got := make([]*Example, 16)
	for i := range got {
		wg.Go(func() { got[i] = g.Example(8, uint64(i/2), 600) })
	}
	wg.Wait()
	for i := 0; i < len(got); i += 2 {
		if !reflect.DeepEqual(got[i], got[i+1]) {
			t.Errorf("example %d differs between goroutines", i/2)
		}
	}
}

func TestNewGeneratorRejects(t *testing.T) {
	tok, corpus := newFixture(t)
	for name, change := range map[string]func(*Options){
		"unknown task":    func(o *Options) { o.Weights = map[string]float64{"poetry": 1} },
		"absent weighed":  func(o *Options) { o.Weights = map[string]float64{"absent": 1} },
		"negative weight": func(o *Options) { o.Weights = map[string]float64{"keyvalue": -1} },
		"no weight":       func(o *Options) { o.Weights = nil },
		"density":         func(o *Options) { o.MaxDensity = 1 },
		"bounds":          func(o *Options) { o.MinDensity = 0.7 },
		"no questions":    func(o *Options) { o.MaxQuestions = 0 },
		"a share over 1":  func(o *Options) { o.NearDuplicate = 1.1 },
		"no number":       func(o *Options) { o.AbsentShare = math.NaN() },
	} {
		opts := DefaultOptions()
		change(&opts)
		if _, err := NewGenerator(tok, corpus, opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewGenerator(tok, NewCorpus(nil), DefaultOptions()); err == nil {
		t.Error("empty corpus: no error")
	}
}

func TestRepeats(t *testing.T) {
	ex := &Example{Segments: []Segment{{Start: 0, End: 300}}}
	for i := range int32(300) {
		ex.Tokens = append(ex.Tokens, 1000+i)
	}
	copy(ex.Tokens[200:], ex.Tokens[20:30]) // said again
	copy(ex.Tokens[50:], ex.Tokens[20:24])  // begins alike, goes on otherwise
	for _, c := range []struct{ at, want int32 }{
		{203, 24}, {208, 29},
		{209, SourceNone}, // the repeat ends
		{202, SourceNone}, // three tokens are too few
		{53, SourceNone},  // goes on otherwise
	} {
		if got := repeats(ex, []int{int(c.at)}); got[0] != c.want {
			t.Errorf("position %d: source %d, want %d", c.at, got[0], c.want)
		}
	}
}

func BenchmarkExample(b *testing.B) {
	g := newGenerator(b, DefaultOptions())
	b.ResetTimer()
	tokens := 0
	for i := range b.N {
		tokens += len(g.Example(1, uint64(i), 4096).Tokens)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
