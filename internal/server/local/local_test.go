package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// open returns a backend of the shipped model over dir; close it, or it is closed.
func open(t *testing.T, o Options) *Backend {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// crash gives up a backend as the end of its process does: nothing is written.
func (b *Backend) crash() {
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	b.stop()
	b.requests.Wait()
	b.running.Wait()
	b.entries.close()
	b.lock.Close()
}

// haystack is text of about so many bytes with a sentence at its middle.
func haystack(seed uint64, n int, needle string) string {
	r := rand.New(rand.NewPCG(seed, 9))
	words := strings.Fields("the old river ran past a quiet mill where seven brown geese slept under one broken oar and nobody asked why it was so")
	var s strings.Builder
	for s.Len() < n {
		if needle != "" && s.Len() > n/2 {
			s.WriteString(needle + "\n")
			needle = ""
		}
		for range 6 + r.IntN(10) {
			s.WriteString(words[r.IntN(len(words))] + " ")
		}
		s.WriteString("\n")
	}
	return s.String()
}

const (
	gateLine = "The gate code for the north entrance is 4471."
	gateAsk  = "What is the gate code for the north entrance?"
	portLine = "max_retries = 17"
	portAsk  = "What is max_retries set to?"
)

func say(parts ...backend.Part) []backend.Message {
	return []backend.Message{{Role: backend.User, Parts: parts}}
}

func text(s string) backend.Part { return backend.Part{Text: s} }

func request(parts ...backend.Part) *backend.Request {
	return &backend.Request{Model: "handscroll", Messages: say(parts...), Logprobs: -1}
}

func generate(t *testing.T, b *Backend, r *backend.Request) *backend.Response {
	t.Helper()
	out, err := b.Generate(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantKind(t *testing.T, err error, k backend.Kind, parts ...string) {
	t.Helper()
	var e *backend.Error
	if !errors.As(err, &e) || e.Kind != k {
		t.Errorf("%v, want an error of kind %d", err, k)
		return
	}
	for _, p := range parts {
		if !strings.Contains(e.Message, p) {
			t.Errorf("%q does not say %q", e.Message, p)
		}
	}
}

func send(t *testing.T, b *Backend, owner, name string, data []byte) *backend.File {
	t.Helper()
	ctx := t.Context()
	u, err := b.Begin(ctx, backend.NewUpload{Owner: owner, Name: name, Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ctx, owner, u.ID, 0, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	f, err := b.Finish(ctx, owner, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnswer(t *testing.T) {
	b := open(t, Options{})
	file := send(t, b, "", "docs/notes.txt", []byte(haystack(1, 18<<10, gateLine)))
	csv := []byte("name,age\nAnna,31\nBert,27\n")
	for _, test := range []struct {
		name     string
		messages []backend.Message
		want     string
		source   string
	}{
		{"one text", say(text(haystack(2, 4<<10, gateLine) + "\n" + gateAsk)), "4471", "message 1 (before the question)"},
		{"text and question", say(text(haystack(2, 2<<10, gateLine)), text(gateAsk)), "4471", "message 1"},
		{"question first", say(text(gateAsk + "\n\n" + haystack(2, 2<<10, gateLine))), "4471", "message 1 (before the question)"},
		{"question after an answer's cue", say(text(haystack(2, 2<<10, gateLine) + "\n" + gateAsk + "\nAnswer:")), "4471", "message 1 (before the question)"},
		{"a sentence and a question", say(text(gateLine + " " + gateAsk)), "4471", "message 1 (before the question)"},
		{"a file", say(backend.Part{File: file.ID}, text(gateAsk)), "4471", "docs/notes.txt"},
		{"data", say(backend.Part{Data: []byte(haystack(3, 4<<10, portLine)), Name: "app.conf"}, text(portAsk)), "17", "app.conf"},
		{"two names alike", say(backend.Part{Data: csv, Name: "a.txt"}, backend.Part{Data: []byte(gateLine), Name: "a.txt"}, text(gateAsk)), "4471", "a (2).txt"},
		{"nameless data", say(backend.Part{Data: []byte(gateLine)}, text(gateAsk)), "4471", "file 1.txt"},
		{"earlier turns", []backend.Message{
			{Role: backend.User, Parts: []backend.Part{text("Remember this. " + gateLine)}},
			{Role: backend.Assistant, Parts: []backend.Part{text("I will.")}},
			{Role: backend.User, Parts: []backend.Part{text(gateAsk)}},
		}, "4471", "message 1"},
		{"not there", say(text(haystack(4, 3000, "")), text(gateAsk)), "", ""},
		{"nothing but a question", say(text("What is the serial number of the compressor?")), "", ""},
	} {
		var streamed strings.Builder
		out, err := b.Generate(t.Context(), &backend.Request{Model: "handscroll", Messages: test.messages, Logprobs: -1}, func(e backend.Event) error {
			streamed.WriteString(e.Delta.Text)
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		c := out.Choices[0]
		if c.Found != (test.want != "") || !strings.Contains(c.Text, test.want) || streamed.String() != c.Text {
			t.Errorf("%s: %q, found %v, streamed %q", test.name, c.Text, c.Found, streamed.String())
			continue
		}
		if c.Found && (len(c.Evidence) == 0 || c.Evidence[0].Source != test.source) {
			t.Errorf("%s: evidence %+v, want %s", test.name, c.Evidence, test.source)
		}
		if sum := out.Usage.ByKind[backend.Text]; out.Usage.Prompt == 0 || sum != out.Usage.Prompt {
			t.Errorf("%s: usage %+v", test.name, out.Usage)
		}
	}
}

func TestRefused(t *testing.T) {
	b := open(t, Options{MaxMemory: 1 << 20})
	ask := func(change func(*backend.Request)) *backend.Request {
		r := request(text(gateLine), text(gateAsk))
		change(r)
		return r
	}
	for name, test := range map[string]struct {
		r    *backend.Request
		kind backend.Kind
		says []string
	}{
		"model":     {ask(func(r *backend.Request) { r.Model = "gemini-9" }), backend.NotFound, []string{"gemini-9", "handscroll"}},
		"tools":     {ask(func(r *backend.Request) { r.Tools = []backend.Tool{{Name: "f"}} }), backend.Invalid, []string{"open weights"}},
		"schema":    {ask(func(r *backend.Request) { r.Sampling.Schema = []byte("{}") }), backend.Invalid, []string{"schema"}},
		"logprobs":  {ask(func(r *backend.Request) { r.Logprobs = 0 }), backend.Invalid, []string{"probabilities"}},
		"empty":     {&backend.Request{Model: "handscroll", Logprobs: -1}, backend.Invalid, []string{"messages"}},
		"silence":   {request(text(" ")), backend.Invalid, []string{"question"}},
		"file":      {request(backend.Part{File: "nope"}, text("?")), backend.NotFound, []string{"nope"}},
		"context":   {ask(func(r *backend.Request) { r.Context = "nope" }), backend.NotFound, []string{"nope"}},
		"binary":    {request(backend.Part{Data: []byte("\x00\x01\x02\x03\xff\xfe\x00\x00")}, text(gateAsk)), backend.Unsupported, []string{"file 1.bin"}},
		"too long":  {request(text(haystack(1, 64<<10, gateLine)), text(gateAsk)), backend.TooLong, []string{"tokens", fmt.Sprint((1<<20 - 1<<17) / 140)}},
		"role":      {&backend.Request{Model: "handscroll", Logprobs: -1, Messages: append([]backend.Message{{Role: "robot"}}, say(text("?"))...)}, backend.Invalid, []string{"robot"}},
		"n":         {ask(func(r *backend.Request) { r.Count = 99 }), backend.Invalid, []string{"16"}},
		"bad image": {request(backend.Part{Data: []byte("\x89PNG\r\n\x1a\nrubbish and more rubbish")}, text("What does it say?")), backend.Unsupported, []string{"image 1.png"}},
	} {
		_, err := b.Generate(t.Context(), test.r, nil)
		t.Run(name, func(t *testing.T) { wantKind(t, err, test.kind, test.says...) })
		if err != nil && strings.Contains(err.Error(), b.opts.Dir) {
			t.Errorf("%s: %q tells a path", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(b.opts.Dir, "tmp", "*")); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

// A prompt that begins with one that was read before is not read again, nor after a
// crash.
func TestPrefixes(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	first, second := haystack(1, 24<<10, gateLine), haystack(2, 18<<10, portLine)
	a := generate(t, b, request(text(first), text(gateAsk)))
	if a.Usage.Cached != 0 {
		t.Errorf("first %+v", a.Usage)
	}
	read := b.Stats().ReadTokens
	again := generate(t, b, request(text(first), text("Which entrance has the code 4471?")))
	if again.Usage.Cached < 4000 || b.Stats().ReadTokens != read {
		t.Errorf("again %+v, %d tokens read, then %d", again.Usage, read, b.Stats().ReadTokens)
	}
	more := generate(t, b, request(text(first), text(second), text(portAsk)))
	if more.Usage.Cached != again.Usage.Cached || !strings.Contains(more.Choices[0].Text, "17") {
		t.Errorf("with more: %+v, %q", more.Usage, more.Choices[0].Text)
	}
	// Another owner does not learn what was read.
	r := request(text(first), text(gateAsk))
	r.Owner = "other"
	if other := generate(t, b, r); other.Usage.Cached != 0 {
		t.Errorf("another owner: %+v", other.Usage)
	}
	b.crash()
	b = open(t, Options{Dir: dir})
	after := generate(t, b, request(text(first), text(second), text(gateAsk)))
	if !strings.Contains(after.Choices[0].Text, "4471") || b.Stats().ReadTokens != 0 {
		t.Errorf("after a crash %q, %+v, %d tokens read", after.Choices[0].Text, after.Usage, b.Stats().ReadTokens)
	}
	if after.Choices[0].Evidence[0].Line != a.Choices[0].Evidence[0].Line {
		t.Errorf("after a crash the evidence is %+v, before %+v", after.Choices[0].Evidence[0], a.Choices[0].Evidence[0])
	}
}

func TestStored(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	hay := haystack(1, 18<<10, gateLine)
	n := backend.NewStored{Model: "handscroll", Owner: "me", Name: "notes", System: "Answer briefly.", Messages: say(backend.Part{Data: []byte(hay), Name: "notes.txt"})}
	var last backend.Progress
	s, err := b.Store(t.Context(), n, func(e backend.Event) error {
		last = *e.Progress
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Fraction < 0.99 || last.Source != "notes.txt" || s.Tokens < 3000 || len(s.Sources) != 2 || !s.Expires.After(time.Now()) {
		t.Errorf("stored %+v, last progress %+v", s, last)
	}
	ask := func(owner string) *backend.Request {
		r := request(text(gateAsk))
		r.Owner, r.Context = owner, s.ID
		return r
	}
	if _, err := b.Generate(t.Context(), ask("you"), nil); err == nil {
		t.Error("another owner may use a stored context")
	} else {
		wantKind(t, err, backend.NotFound)
	}
	b.crash()
	b = open(t, Options{Dir: dir})
	a := generate(t, b, ask("me"))
	if !strings.Contains(a.Choices[0].Text, "4471") || a.Usage.Cached != s.Tokens || b.Stats().ReadTokens != 0 {
		t.Errorf("after a crash %q, %+v", a.Choices[0].Text, a.Usage)
	}
	if e := a.Choices[0].Evidence[0]; e.Source != "notes.txt" {
		t.Errorf("evidence %+v", e)
	}
	if list, err := b.StoredList(t.Context(), "me"); err != nil || len(list) != 1 || list[0].Name != "notes" {
		t.Errorf("list %+v, %v", list, err)
	}
	if list, err := b.StoredList(t.Context(), "you"); err != nil || len(list) != 0 {
		t.Errorf("another owner's list %+v, %v", list, err)
	}
	if _, err := b.Extend(t.Context(), "me", s.ID, time.Now().Add(-time.Second)); err == nil {
		t.Error("extended into the past")
	}
	if _, err := b.Extend(t.Context(), "me", s.ID, time.Time{}); err != nil {
		t.Error(err)
	}
	wantKind(t, b.DeleteStored(t.Context(), "you", s.ID), backend.NotFound)
	if err := b.DeleteStored(t.Context(), "me", s.ID); err != nil {
		t.Error(err)
	}
	_, err = b.Generate(t.Context(), ask("me"), nil)
	wantKind(t, err, backend.NotFound)
	if st := b.Stats(); st.Stored != 0 || st.StoredBytes != 0 {
		t.Errorf("after all was deleted: %+v", st)
	}
}

// Reading stops soon when its client leaves, and goes on where it stopped when the
// same is asked again.
func TestCancelled(t *testing.T) {
	b := open(t, Options{})
	hay := haystack(1, 160<<10, gateLine)
	ctx, cancel := context.WithCancel(t.Context())
	r := request(text(hay), text(gateAsk))
	r.Progress = true
	var left time.Time
	_, err := b.Generate(ctx, r, func(e backend.Event) error {
		if e.Progress != nil && e.Progress.Tokens > 8000 && left.IsZero() {
			left = time.Now()
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if took := time.Since(left); took > 5*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	before := b.Stats().ReadTokens
	a := generate(t, b, request(text(hay), text(gateAsk)))
	if got := b.Stats().ReadTokens - before; !strings.Contains(a.Choices[0].Text, "4471") || before < 8000 || got+before > int64(a.Usage.Prompt)+8192 {
		t.Errorf("%d tokens were read, then %d of %d: %q", before, got, a.Usage.Prompt, a.Choices[0].Text)
	}
	// A deadline is another kind of end.
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = b.Generate(ctx, request(text(haystack(5, 256<<10, gateLine)), text(gateAsk)), nil)
	wantKind(t, err, backend.Deadline)
	// So is a client that cannot be told.
	gone := errors.New("gone")
	_, err = b.Generate(t.Context(), request(text(gateLine), text(gateAsk)), func(backend.Event) error { return gone })
	if !errors.Is(err, gone) {
		t.Errorf("a failing emit: %v", err)
	}
}

func TestEviction(t *testing.T) {
	const quota = 3 << 20 // four of them
	ctx := t.Context()
	b := open(t, Options{Quota: quota})
	put := func(seed uint64) *backend.Request {
		r := request(text(haystack(seed, 17<<10, gateLine)), text(gateAsk))
		generate(t, b, r)
		return r
	}
	s, err := b.Store(ctx, backend.NewStored{Model: "handscroll", Messages: say(text(haystack(100, 17<<10, gateLine)))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// One in use is kept.
	first := put(1)
	p, err := b.nativePrompt(ctx, b.models[0], first)
	if err != nil {
		t.Fatal(err)
	}
	g, err := b.entries.gather(ctx, &job{m: b.models[0], p: p, pass: &pass{}}, false)
	if err != nil {
		t.Fatal(err)
	}
	second := put(2)
	for seed := range uint64(6) {
		put(10 + seed)
	}
	st := b.Stats()
	if st.Evicted == 0 || st.StoredBytes > quota {
		t.Errorf("stats %+v", st)
	}
	if b.entries.find(p.units[0].key) == nil {
		t.Error("a context in use was evicted")
	}
	g.release()
	read := st.ReadTokens
	if generate(t, b, first); b.Stats().ReadTokens != read {
		t.Error("a context in use was read again")
	}
	r := request(text(gateAsk))
	r.Context = s.ID
	if generate(t, b, r); b.Stats().ReadTokens != read {
		t.Error("a stored context was read again")
	}
	if generate(t, b, second); b.Stats().ReadTokens == read {
		t.Error("the context that was not used for longest is still there")
	}
	// What can never fit is refused, and nothing is left of it.
	before := b.Stats()
	_, err = b.Generate(ctx, request(text(haystack(50, 2<<20, gateLine)), text(gateAsk)), nil)
	wantKind(t, err, backend.Unavailable, fmt.Sprint(quota))
	if after := b.Stats(); after.StoredBytes > before.StoredBytes {
		t.Errorf("%d bytes before a refusal, %d after", before.StoredBytes, after.StoredBytes)
	}
}

// A short question is answered while much is read, and reading goes on.
func TestQuestionsGoFirst(t *testing.T) {
	b := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reading := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		r := request(text(haystack(1, 1<<20, gateLine)), text(gateAsk))
		r.Progress = true
		once := sync.OnceFunc(func() { close(reading) })
		_, err := b.Generate(ctx, r, func(e backend.Event) error {
			if e.Progress != nil && e.Progress.Tokens > 0 {
				once()
			}
			return nil
		})
		ended <- err
	}()
	<-reading
	var worst time.Duration
	for i := range 5 {
		begin := time.Now()
		var first time.Duration
		_, err := b.Generate(t.Context(), request(text(haystack(uint64(20+i), 1<<10, gateLine)), text(gateAsk)), func(backend.Event) error {
			first = time.Since(begin)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, first)
	}
	select {
	case err := <-ended:
		t.Fatalf("reading ended before the questions: %v", err)
	default:
	}
	t.Logf("time to first token while reading: at most %v", worst)
	if worst > 3*time.Second { // one second on a machine that does nothing else
		t.Errorf("time to first token %v", worst)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestBusy(t *testing.T) {
	g := &gate{limit: [classes]int{1, 1, 1}, queue: 1}
	ctx, cancel := context.WithCancel(t.Context())
	p, err := g.enter(ctx, quick, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan struct{})
	second := make(chan error)
	go func() {
		_, err := g.enter(ctx, quick, 0, func() error { close(told); return nil })
		second <- err
	}()
	<-told
	_, err = g.enter(ctx, quick, 0, nil)
	wantKind(t, err, backend.Busy)
	var e *backend.Error
	if errors.As(err, &e) && e.RetryAfter < time.Second {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	p.exit()
	if err := <-second; err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := g.enter(ctx, quick, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is done: %v", err)
	}
	if g.running != [classes]int{quick: 1} || len(g.waiting[quick]) != 0 {
		t.Errorf("running %v, waiting %v", g.running, g.waiting)
	}
}

// Many at once, some of whom leave: every answer is as if alone.
func TestManyAtOnce(t *testing.T) {
	before := runtime.NumGoroutine()
	b := open(t, Options{})
	type kind struct {
		r    *backend.Request
		want string
	}
	var kinds []kind
	for i := range 12 {
		code := fmt.Sprint(1000 + 37*i)
		size := 1 << 10
		if i%3 == 0 {
			size = 17 << 10
		}
		r := request(text(haystack(uint64(i), size, "The gate code for the north entrance is "+code+".")), text(gateAsk))
		kinds = append(kinds, kind{r, code})
	}
	alone := open(t, Options{})
	for i := range kinds {
		if got := generate(t, alone, kinds[i].r).Choices[0].Text; !strings.Contains(got, kinds[i].want) {
			t.Fatalf("alone %q, want %s", got, kinds[i].want)
		} else {
			kinds[i].want = got
		}
	}
	var all sync.WaitGroup
	for c := range 64 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(c), 1))
			for range 2 {
				k := kinds[r.IntN(len(kinds))]
				ctx, cancel := context.WithCancel(t.Context())
				leaves := r.IntN(10) == 0
				if leaves {
					time.AfterFunc(time.Duration(r.IntN(30))*time.Millisecond, cancel)
				}
				out, err := b.Generate(ctx, k.r, nil)
				cancel()
				var e *backend.Error
				switch {
				case errors.As(err, &e) && e.Kind == backend.Busy && e.RetryAfter > 0:
				case err != nil && leaves && errors.Is(err, context.Canceled):
				case err != nil:
					t.Errorf("client %d: %v", c, err)
				case out.Choices[0].Text != k.want:
					t.Errorf("client %d: %q, alone %q", c, out.Choices[0].Text, k.want)
				}
			}
		})
	}
	all.Wait()
	for _, x := range []*Backend{b, alone} {
		if st := x.Stats(); st.Running != 0 || st.Waiting != 0 || st.ContextBytes != 0 {
			t.Errorf("afterwards %+v", st)
		}
		if err := x.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after\n%s", before, n, buf[:runtime.Stack(buf, true)])
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	if _, err := New(Options{Dir: dir}); err == nil {
		t.Error("two servers have one directory")
	}
	reading := make(chan struct{})
	ended := make(chan error, 1)
	hay := haystack(1, 200<<10, gateLine)
	go func() {
		r := request(text(hay), text(gateAsk))
		r.Progress = true
		once := sync.OnceFunc(func() { close(reading) })
		_, err := b.Generate(context.Background(), r, func(e backend.Event) error {
			once()
			return nil
		})
		ended <- err
	}()
	<-reading
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
	wantKind(t, <-ended, backend.Unavailable)
	_, err := b.Generate(t.Context(), request(text(gateLine), text(gateAsk)), nil)
	wantKind(t, err, backend.Unavailable)
	// What was read is there for the next.
	if list, err := os.ReadDir(filepath.Join(dir, "entries")); err != nil || len(list) != 2 {
		t.Errorf("entries %v, %v", list, err)
	}
	b = open(t, Options{Dir: dir})
	a := generate(t, b, request(text(hay), text(gateAsk)))
	if st := b.Stats(); st.ReadTokens >= int64(a.Usage.Prompt) {
		t.Errorf("%d of %d tokens read", st.ReadTokens, a.Usage.Prompt)
	}
}

// When the disk is full nothing half-written stays.
func TestDiskFull(t *testing.T) {
	b := open(t, Options{})
	s, m := b.entries, b.models[0]
	pr := b.newPrompter(m, "")
	pr.text(haystack(1, 20<<10, ""), "message 1", "")
	u := pr.p.units[0]
	e, err := s.place(m, pr.p.units, true)
	if err != nil {
		t.Fatal(err)
	}
	failed := fmt.Errorf("kvcache: %w", &os.PathError{Op: "write", Path: b.opts.Dir, Err: syscall.ENOSPC})
	err = s.settle(e, pr.p.units, &opened{}, false, failed)
	wantKind(t, err, backend.Unavailable, "full")
	if strings.Contains(err.Error(), b.opts.Dir) {
		t.Errorf("%q tells a path", err)
	}
	if left, err := os.ReadDir(filepath.Join(b.opts.Dir, "entries")); err != nil || len(left) > 0 || s.find(u.key) != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

// A stored context of a model that is not served now stays for when it is.
func TestModelGone(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir, Models: []ModelSpec{{ID: "one"}}})
	n := backend.NewStored{Model: "one", Messages: say(text(gateLine))}
	s, err := b.Store(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.crash()
	weights := []ModelSpec{{"tiny", tiny(t)}}
	b = open(t, Options{Dir: dir, Models: weights})
	r := tinyRequest(text(gateAsk))
	r.Context = s.ID
	_, err = b.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.Invalid, "one", "tiny")
	b.crash()
	b = open(t, Options{Dir: dir, Models: append(weights, ModelSpec{ID: "one"})})
	r = request(text(gateAsk))
	r.Model, r.Context = "one", s.ID
	if a := generate(t, b, r); !strings.Contains(a.Choices[0].Text, "4471") || b.Stats().ReadTokens != 0 {
		t.Errorf("%q, %d tokens read", a.Choices[0].Text, b.Stats().ReadTokens)
	}
}
