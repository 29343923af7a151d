package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// One history under random chunk sizes, workers and batches of parts.
func TestReadingIsTheSameHoweverItIsCut(t *testing.T) {
	m, _ := newFake()
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 1))
		parts := randomParts(rng, 1+rng.IntN(12), 4000)
		want := wantView(m, parts)
		opts := Options{Workers: 1 + rng.IntN(4), chunk: blockTokens * (1 + rng.IntN(9))}
		mem := NewContext(m, opts)
		stored, err := OpenContext(m, t.TempDir(), opts)
		if err != nil {
			t.Fatal(err)
		}
		for left := parts; len(left) > 0; {
			n := 1 + rng.IntN(len(left))
			mustRead(t, mem, left[:n]...)
			mustRead(t, stored, left[:n]...)
			left = left[n:]
		}
		sameView(t, mem.view, want)
		sameView(t, stored.view, want)
		stored.Close()
	}
}

func TestTokenisingInPiecesIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		text := randomText(rng, 1+rng.IntN(3000))
		want := testTokens.Encode(nil, text)
		var got []int32
		pieces := 0
		for from := 0; from < len(text); pieces++ {
			to := pieceEnd(text, from, rng.IntN(200))
			got = testTokens.Encode(got, text[from:to])
			from = to
		}
		if len(got) != len(want) {
			t.Fatalf("%d tokens in %d pieces, %d at once, of %q", len(got), pieces, len(want), text)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("token %d differs in %q", i, text)
			}
		}
	}
}

func TestProgressEndsAtTheTotal(t *testing.T) {
	m, _ := newFake()
	parts := randomParts(rand.New(rand.NewPCG(1, 1)), 9, 3000)
	c := NewContext(m, Options{chunk: 128})
	var last Progress
	calls := 0
	err := c.Read(context.Background(), parts, func(p Progress) {
		if p.Bytes < last.Bytes || p.Tokens <= last.Tokens || p.Bytes > p.Total {
			t.Errorf("progress from %+v to %+v", last, p)
		}
		last = p
		calls++
	})
	if err != nil || last.Bytes != last.Total || last.Tokens != c.Tokens() || calls < 3 {
		t.Errorf("%d calls, last %+v of %d tokens, %v", calls, last, c.Tokens(), err)
	}
}

func readLog(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "context.log"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Reading that is cancelled at random moments and taken up again makes the same
// file and reads no appended token twice.
func TestCancelledReadingResumes(t *testing.T) {
	m, net := newFake()
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 3))
		parts := randomParts(rng, 4, 6000)
		opts := Options{Workers: 1 + rng.IntN(3), chunk: 128}
		ref, dir := filepath.Join(t.TempDir(), "ref"), filepath.Join(t.TempDir(), "ctx")
		c, err := OpenContext(m, ref, opts)
		if err != nil {
			t.Fatal(err)
		}
		mustRead(t, c, parts...)
		total := c.Tokens()
		c.Close()
		net.made.Store(0)
		for rounds := 0; ; rounds++ {
			if rounds > 500 {
				t.Fatal("no end")
			}
			c, err := OpenContext(m, dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			stop := 1 + rng.IntN(6)
			err = c.Read(ctx, parts, func(Progress) {
				if stop--; stop == 0 {
					cancel()
				}
			})
			cancel()
			c.Close()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(readLog(t, dir), readLog(t, ref)) {
			t.Fatalf("seed %d: another log", seed)
		}
		if made := net.made.Load(); made != int64(total) {
			t.Errorf("seed %d: %d entries made for %d tokens", seed, made, total)
		}
	}
}

const killEnv = "HANDSCROLL_TEST_KILLED_READER"

// TestKilledReader kills a real process (this test, run again) with no chance
// to clean up, at random moments, until one comes to its end.
func TestKilledReader(t *testing.T) {
	parts := randomParts(rand.New(rand.NewPCG(5, 5)), 5, 9000)
	const workers, chunk = 2, 128
	const largest = 12000 // bytes of a record: only one half written may go
	opts := Options{Workers: workers, chunk: chunk}
	m, net := newFake()
	if dir := os.Getenv(killEnv); dir != "" {
		net.delay = 8 * time.Millisecond
		c, err := OpenContext(m, dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		mustRead(t, c, parts...)
		if err := os.WriteFile(dir+".made", []byte(strconv.FormatInt(net.made.Load(), 10)), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	ref, dir := filepath.Join(t.TempDir(), "ref"), filepath.Join(t.TempDir(), "ctx")
	c, err := OpenContext(m, ref, opts)
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, c, parts...)
	total := int64(c.Tokens())
	c.Close()
	want := readLog(t, ref)

	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	kills, before := 0, int64(0)
	for {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledReader$")
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var err error
		select {
		case err = <-done:
		case <-time.After(time.Duration(20+rng.IntN(150)+4*kills) * time.Millisecond):
			cmd.Process.Kill()
			err = <-done
		}
		if err == nil {
			break
		}
		if kills++; kills > 200 {
			t.Fatal("the reader makes no headway")
		}
		// What is in the file is a beginning of the whole.
		log, err := os.ReadFile(filepath.Join(dir, "context.log"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(want, log) {
			t.Fatalf("after %d kills the log is no beginning of the whole one", kills)
		}
		if int64(len(log)) < before-largest {
			t.Fatalf("the log shrank from %d to %d bytes", before, len(log))
		}
		before = int64(len(log))
	}
	t.Logf("killed %d times", kills)
	if !bytes.Equal(readLog(t, dir), want) {
		t.Error("another log than without kills")
	}
	data, err := os.ReadFile(dir + ".made")
	if err != nil {
		t.Fatal(err)
	}
	if made, _ := strconv.ParseInt(string(data), 10, 64); made > total {
		t.Errorf("the last process made %d entries of %d tokens", made, total)
	}
}

// A process that dies costs the chunk that its workers shared.
func TestInterruptionCostsOneChunk(t *testing.T) {
	m, net := newFake()
	rng := rand.New(rand.NewPCG(8, 8))
	parts := randomParts(rng, 1, 20000)
	parts[0].Text = randomText(rng, 20000)
	const workers, chunk = 2, 128
	dir := filepath.Join(t.TempDir(), "ctx")
	c, err := OpenContext(m, dir, Options{Workers: workers, chunk: chunk})
	if err != nil {
		t.Fatal(err)
	}
	// Freeze the state of the disk at a moment of the reading, as a kill does.
	copied := filepath.Join(t.TempDir(), "ctx")
	var made int64
	calls := 0
	err = c.Read(context.Background(), parts, func(p Progress) {
		if calls++; calls == 17 {
			if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
				t.Error(err)
			}
			made = net.made.Load()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(c.Tokens())
	c.Close()
	net.made.Store(0)
	c, err = OpenContext(m, copied, Options{Workers: workers, chunk: chunk})
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, c, parts...)
	c.Close()
	again := net.made.Load()
	if redone := made + again - total; redone < 0 || redone > chunk {
		t.Errorf("%d tokens made before, %d after, of %d: %d were made twice", made, again, total, redone)
	}
	if !bytes.Equal(readLog(t, dir), readLog(t, copied)) {
		t.Error("another log")
	}
}

func TestStoredContextIsNotReadAgain(t *testing.T) {
	m, net := newFake()
	dir := t.TempDir()
	parts := randomParts(rand.New(rand.NewPCG(1, 4)), 3, 2000)
	for round := range 3 {
		c, err := OpenContext(m, dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		cached := c.cached
		net.made.Store(0)
		mustRead(t, c, parts...)
		if round > 0 && (net.made.Load() != 0 || cached != c.Tokens()) {
			t.Errorf("round %d: %d entries made, %d of %d cached", round, net.made.Load(), cached, c.Tokens())
		}
		c.Close()
	}
	// Adding a file reads that file.
	more := media.Part{Source: "more", Text: []byte("and one more\n")}
	c, err := OpenContext(m, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mustRead(t, c, append(parts, more)...)
	if got, want := net.made.Load(), int64(m.CountTokens(more.Text)); got != want {
		t.Errorf("%d entries made, want %d", got, want)
	}
	sameView(t, c.view, wantView(m, append(parts, more)))
}

func TestChangedPart(t *testing.T) {
	m, _ := newFake()
	a, b, other := media.Part{Source: "a", Text: []byte("one\n")}, media.Part{Source: "b", Text: []byte("two\n")}, media.Part{Source: "a", Text: []byte("new\n")}
	dir := t.TempDir()
	c, err := OpenContext(m, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, c, a, b)
	var changed *ChangedError
	if err := c.Read(context.Background(), []media.Part{other}, nil); !errors.As(err, &changed) || changed.Source != "a" {
		t.Errorf("changed part: %v", err)
	}
	sameView(t, c.view, wantView(m, []media.Part{a, b}))
	c.opts.Replace = true
	mustRead(t, c, other)
	sameView(t, c.view, wantView(m, []media.Part{b, other}))
	c.Close()
	if c, err = OpenContext(m, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	sameView(t, c.view, wantView(m, []media.Part{b, other}))
	c.Close()

	c = NewContext(m, Options{})
	if err := c.Read(context.Background(), []media.Part{a, other}, nil); err == nil || !strings.Contains(err.Error(), "two parts") {
		t.Errorf("one name for two texts: %v", err)
	}
	mustRead(t, c, a, a)
	sameView(t, c.view, wantView(m, []media.Part{a}))
}

// interrupted returns a stored context whose last part is half read.
func interrupted(t *testing.T, m *Model, dir string, parts []media.Part) {
	t.Helper()
	c, err := OpenContext(m, dir, Options{Workers: 1, chunk: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = c.Read(ctx, parts, func(p Progress) {
		if p.Source == parts[len(parts)-1].Source {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if src := c.Sources(); src[len(src)-1].Done {
		t.Fatal("the last part is done")
	}
	var unfinished *UnfinishedError
	if _, err := c.Ask(context.Background(), "what?"); !errors.As(err, &unfinished) {
		t.Errorf("asked half read: %v", err)
	}
}

func TestUnfinishedPartIsFinishedFromItsStoredText(t *testing.T) {
	m, _ := newFake()
	rng := rand.New(rand.NewPCG(6, 6))
	parts := []media.Part{{Source: "a", Text: randomText(rng, 500)}, {Source: "b", Text: randomText(rng, 5000)}}
	dir := t.TempDir()
	interrupted(t, m, dir, parts)
	c, err := OpenContext(m, dir, Options{Workers: 2, chunk: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mustRead(t, c) // the file itself may be gone
	sameView(t, c.view, wantView(m, parts))
}

// An interruption between two parts leaves no half-read one, yet what was to
// be read is not all there.
func TestInterruptionBetweenParts(t *testing.T) {
	m, _ := newFake()
	var parts []media.Part
	for i := range 12 { // each more than half a chunk, so that no two share a job
		parts = append(parts, media.Part{Source: fmt.Sprint(i), Text: bytes.Repeat([]byte("the city\n"), 20)})
	}
	parts[11].Text = append(parts[11].Text, "the port = 1\n"...)
	const chunk = 100
	if n := m.CountTokens(parts[0].Text); n > chunk-10 || n <= chunk/2 {
		t.Fatalf("parts of %d tokens", n)
	}
	for _, stored := range []bool{false, true} {
		open := func(dir string) *Context {
			c, err := OpenContext(m, dir, Options{Workers: 1, chunk: chunk})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		dir := t.TempDir()
		c := NewContext(m, Options{Workers: 1, chunk: chunk})
		if stored {
			c = open(dir)
		}
		ctx, cancel := context.WithCancel(context.Background())
		err := c.Read(ctx, parts, func(Progress) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if s := c.Sources(); len(s) == 0 || len(s) > 10 || !s[len(s)-1].Done {
			t.Fatalf("not stopped between parts: %+v", s)
		}
		if stored {
			c.Close()
			c = open(dir)
		}
		var ue *UnfinishedError
		for _, x := range []*Context{c, c.Fork()} {
			if _, err := x.Ask(context.Background(), "the port ="); !errors.As(err, &ue) || ue.Source != "" || ue.Tokens != c.Tokens() {
				t.Errorf("stored %v: %v", stored, err)
			}
		}
		c2 := c.Fork()
		mustRead(t, c2)
		if a := ask(t, c2, "the port ="); a.Found {
			t.Errorf("found in a part that was not read: %+v", a)
		}
		mustRead(t, c, parts...)
		if stored {
			c.Close()
			c = open(dir)
		}
		if a := ask(t, c, "the port ="); !a.Found {
			t.Errorf("stored %v: %+v", stored, a)
		}
		c.Close()
	}
}

func TestUnfinishedPartIsReplaced(t *testing.T) {
	m, _ := newFake()
	rng := rand.New(rand.NewPCG(6, 7))
	parts := []media.Part{{Source: "a", Text: randomText(rng, 500)}, {Source: "b", Text: randomText(rng, 5000)}}
	dir := t.TempDir()
	interrupted(t, m, dir, parts)
	c, err := OpenContext(m, dir, Options{Workers: 2, chunk: 64, Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	b2, d := media.Part{Source: "b", Text: []byte("shorter\n")}, media.Part{Source: "d", Text: []byte("d\n")}
	mustRead(t, c, d, b2)
	c.Close()
	if c, err = OpenContext(m, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sameView(t, c.view, wantView(m, []media.Part{parts[0], b2, d}))
}

func TestContextOfAnotherModelIsRefused(t *testing.T) {
	m, net := newFake()
	dir := t.TempDir()
	c, err := OpenContext(m, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, c, media.Part{Source: "a", Text: []byte("text")})
	c.Close()
	other := NewModel("newer", strings.Repeat("ee", 32), testTokens, net)
	_, err = OpenContext(other, dir, Options{})
	var me *kvcache.ModelError
	if !errors.As(err, &me) || !strings.Contains(err.Error(), "fake (f0f0") || !strings.Contains(err.Error(), "newer (eeee") {
		t.Errorf("%v", err)
	}
}

func TestTooLittleMemoryIsRefusedWithTheNumbers(t *testing.T) {
	m, net := newFake()
	text := randomText(rand.New(rand.NewPCG(1, 9)), 100000)
	need := int64(m.CountTokens(text)*m.EntryBytes() + len(text))
	c := NewContext(m, Options{MaxMemory: need / 2})
	err := c.Read(context.Background(), []media.Part{{Source: "big", Text: text}}, nil)
	var me *MemoryError
	if !errors.As(err, &me) || me.Max != need/2 || me.Bytes < need*8/10 || me.Bytes > need*12/10 {
		t.Errorf("%v; needed %d", err, need)
	}
	if err != nil && !strings.Contains(err.Error(), "tokens needs") {
		t.Error(err)
	}
	if net.made.Load() != 0 {
		t.Error("read before it was refused")
	}
	c = NewContext(m, Options{MaxMemory: need * 13 / 10})
	mustRead(t, c, media.Part{Source: "big", Text: text})
	// What was read before counts.
	err = c.Read(context.Background(), []media.Part{{Source: "more", Text: text}}, nil)
	if !errors.As(err, &me) {
		t.Errorf("the second half: %v", err)
	}
}

// Every second part is one that the estimate does not look at, and has many
// more tokens.
func TestTooLowAnEstimateIsNoticed(t *testing.T) {
	m, net := newFake()
	var parts []media.Part
	var text []byte
	for i := range 64 {
		text = bytes.Repeat([]byte("the city "), 100)
		if i%2 == 1 {
			text = bytes.Repeat([]byte("8"), len(text))
		}
		parts = append(parts, media.Part{Source: fmt.Sprint(i), Text: text})
	}
	all := int64(len(text) * len(parts))
	need := int64(wantView(m, parts).N)*int64(m.EntryBytes()) + all
	c := NewContext(m, Options{MaxMemory: need * 3 / 4})
	err := c.Read(context.Background(), parts, nil)
	var me *MemoryError
	if !errors.As(err, &me) || me.Bytes+all < need*9/10 || me.Bytes+all > need*11/10 || me.Max+all > need*3/4 {
		t.Errorf("%v; needed %d", err, need)
	}
	if net.made.Load() == 0 {
		t.Error("refused before it was read: the estimate was not too low")
	}
}

func TestReadingNothingNewIsNoError(t *testing.T) {
	m, net := newFake()
	part := media.Part{Source: "a", Text: []byte("the city")}
	c := NewContext(m, Options{})
	mustRead(t, c)
	mustRead(t, c, part)
	tokens, made := c.Tokens(), net.made.Load()
	mustRead(t, c, part)
	mustRead(t, c.Fork(), part)
	if c.Tokens() != tokens || net.made.Load() != made {
		t.Errorf("%d tokens, %d entries made; before %d, %d", c.Tokens(), net.made.Load(), tokens, made)
	}
}

func TestPartWithoutTextIsRefused(t *testing.T) {
	m, _ := newFake()
	if err := NewContext(m, Options{}).Read(context.Background(), []media.Part{{Source: "void"}}, nil); err == nil || !strings.Contains(err.Error(), "void") {
		t.Error(err)
	}
}

func TestPanicWhileReadingIsAnError(t *testing.T) {
	m, net := newFake()
	parts := randomParts(rand.New(rand.NewPCG(3, 9)), 6, 5000)
	c := NewContext(m, Options{Workers: 3, chunk: 64})
	net.broken.Store(true)
	if err := c.Read(context.Background(), parts, nil); err == nil || !strings.Contains(err.Error(), "broken on purpose") {
		t.Error(err)
	}
	net.broken.Store(false)
	mustRead(t, c, parts...)
	if c.Tokens() != wantView(m, parts).N {
		t.Errorf("%d tokens", c.Tokens())
	}
}

func TestTokenIDsOfAStoredContextAreChecked(t *testing.T) {
	m, net := newFake()
	dir := t.TempDir()
	c, err := OpenContext(m, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, c, media.Part{Source: "a", Text: []byte("the city")})
	c.Close()
	v := testTokens.Vocab()
	v.Pieces, v.Merges = v.Pieces[:tokenizer.NumSpecial+256], nil
	small, err := tokenizer.NewBPE(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenContext(NewModel("fake", m.Fingerprint(), small, net), dir, Options{}); err == nil || !strings.Contains(err.Error(), "token id") {
		t.Error(err)
	}
}
