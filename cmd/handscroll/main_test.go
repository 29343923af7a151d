package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/engine/enginetest"
)

// house is a place for one test's files, models and stored contexts.
type house struct {
	t     *testing.T
	dir   string
	model string // answers nonsense
	ctx   context.Context
	stdin string
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, dir: t.TempDir(), ctx: context.Background(), stdin: "typed in\n"}
	t.Setenv("HANDSCROLL_HOME", filepath.Join(h.dir, "home"))
	h.model = h.newModel("model.gguf", 1, false)
	return h
}

func (h *house) newModel(name string, seed uint64, absent bool) string {
	path := filepath.Join(h.dir, name)
	enginetest.WriteModel(h.t, path, seed, absent)
	return path
}

func (h *house) file(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// run runs a command line with the nonsense model, unless it names another.
func (h *house) run(args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	if (args[0] == "ask" || args[0] == "read") && !strings.Contains(strings.Join(args, " "), "--model") && !slices.Contains(args, "-m") {
		args = append([]string{args[0], "--model", h.model}, args[1:]...)
	}
	code = run(h.ctx, args, strings.NewReader(h.stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// want fails unless a run exits with code and says each of texts.
func (h *house) want(code int, args []string, texts ...string) (stdout string) {
	h.t.Helper()
	got, out, errs := h.run(args...)
	if got != code {
		h.t.Errorf("%q: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	for _, s := range texts {
		if !strings.Contains(out+errs, s) {
			h.t.Errorf("%q: no %q in\n%s%s", args, s, out, errs)
		}
	}
	return out
}

func TestAskPrintsAnswerAndEvidence(t *testing.T) {
	h := newHouse(t)
	a, b := h.file("a.txt", "first\nsecond line of text\n"), h.file("b.txt", "other\n")
	out := h.want(exitOK, []string{"ask", "-f", a, "-f", b, "what is it?"})
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) < 3 || !strings.Contains(out, ".txt:") {
		t.Errorf("output:\n%s", out)
	}
	// As a shell leaves it when it expands -f *.txt.
	again := h.want(exitOK, []string{"ask", "-f", a, b, "what is it?"})
	if out != again {
		t.Errorf("the same files as arguments:\n%s\ninstead of\n%s", again, out)
	}
	h.want(exitOK, []string{"ask", "-f", "-", "what is it?"}, "-:1: ")
}

func TestAskAbsent(t *testing.T) {
	h := newHouse(t)
	absent := h.newModel("absent.gguf", 1, true)
	f := h.file("a.txt", strings.Repeat("some text to look through\n", 20))
	h.want(exitNotFound, []string{"ask", "--model", absent, "-f", f, "what?"}, "Not found in the context.")
	out := h.want(exitNotFound, []string{"ask", "--model", absent, "--json", "-f", f, "what?"}, `"found":false`)
	if !strings.Contains(out, `"evidence":[]`) {
		t.Errorf("no empty list in %s", out)
	}
}

// The object's shape is a promise: names, kinds and nothing more.
func TestAskJSON(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", "caf\xe9 <b>&\n"+strings.Repeat("more\n", 50))
	out := h.want(exitOK, []string{"ask", "--json", "--seed", "42", "-f", f, "what?"})
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	shape := func(path string, v any, keys ...string) map[string]any {
		t.Helper()
		m, ok := v.(map[string]any)
		if !ok || len(m) != len(keys) {
			t.Fatalf("%s is %v, want keys %q", path, v, keys)
		}
		for _, k := range keys {
			if _, ok := m[k]; !ok {
				t.Errorf("%s lacks %s", path, k)
			}
		}
		return m
	}
	shape("object", got, "answer", "found", "evidence", "usage", "timings", "model", "seed")
	usage := shape("usage", got["usage"], "prompt_tokens", "cached_tokens", "answer_tokens")
	timings := shape("timings", got["timings"], "read_s", "answer_s")
	evidence := got["evidence"].([]any)
	if len(evidence) == 0 {
		t.Fatal("no evidence")
	}
	e := shape("evidence", evidence[0], "source", "line", "offset", "quote", "weight")
	if got["found"] != true || got["seed"] != 42.0 || usage["cached_tokens"] != 0.0 || usage["prompt_tokens"].(float64) < 100 || timings["answer_s"].(float64) < 0 {
		t.Errorf("%s", out)
	}
	if e["source"] != f || e["line"].(float64) < 1 || e["weight"].(float64) <= 0 {
		t.Errorf("evidence %v", e)
	}
	if m := got["model"].(string); !strings.HasPrefix(m, "Handscroll@") || len(m) != len("Handscroll@")+12 {
		t.Errorf("model %q", m)
	}
}

func TestReadThenAsk(t *testing.T) {
	h := newHouse(t)
	a, b := h.file("d/a.txt", strings.Repeat("alpha beta\n", 100)), h.file("d/b.txt", "gamma\n")
	h.want(exitOK, []string{"context", "ls"}, "no stored contexts", "handscroll read -c NAME")
	if out := h.want(exitOK, []string{"context", "ls", "--json"}); out != "[]\n" {
		t.Errorf("no contexts are %q", out)
	}
	h.want(exitOK, []string{"read", "-c", "lib", filepath.Dir(a)}, "in 2 parts", "tokens/s")
	direct := h.want(exitOK, []string{"ask", "-f", filepath.Dir(a), "what?"})
	stored := h.want(exitOK, []string{"ask", "-c", "lib", "what?"})
	if direct != stored {
		t.Errorf("stored:\n%s\nread now:\n%s", stored, direct)
	}
	h.want(exitOK, []string{"read", "-c", "lib", filepath.Dir(a)}, "0 read now")
	if err := os.RemoveAll(filepath.Dir(a)); err != nil {
		t.Fatal(err)
	}
	if again := h.want(exitOK, []string{"ask", "-c", "lib", "what?"}); again != stored {
		t.Errorf("without the files:\n%s", again)
	}
	out := h.want(exitOK, []string{"ask", "--json", "-c", "lib", "what?"})
	if strings.Contains(out, `"cached_tokens":0,`) {
		t.Errorf("nothing cached: %s", out)
	}
	h.want(exitOK, []string{"context", "ls"}, "lib", "complete", "Handscroll@")
	h.want(exitOK, []string{"context", "show", "lib"}, a, b, "1.1 kB")
	h.want(exitOK, []string{"context", "ls", "--json"}, `"name":"lib"`, `"parts":2`, `"text_bytes":1106`, `"state":"complete"`)
	h.want(exitOK, []string{"context", "show", "--json", "lib"}, `b.txt","bytes":6`, `"read":true`)
	// More text for one question, after the stored one.
	extra := h.file("extra.txt", "delta\n")
	h.want(exitOK, []string{"ask", "-c", "lib", "-f", extra, "what?"})
	h.want(exitOK, []string{"context", "show", "lib"}, "b.txt")
	h.want(exitOK, []string{"context", "rm", "lib"})
	h.want(exitError, []string{"ask", "-c", "lib", "what?"}, `no stored context "lib"`, "handscroll read -c lib")
	h.want(exitError, []string{"context", "rm", "lib"}, `no stored context "lib"`)
}

func TestChangedFile(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", "old\n")
	h.want(exitOK, []string{"read", "-c", "lib", f})
	h.file("a.txt", "new text\n")
	h.want(exitError, []string{"read", "-c", "lib", f}, "changed since it was read", "--replace")
	h.want(exitOK, []string{"read", "-c", "lib", "--replace", f}, "in 1 parts")
}

func TestUsageErrors(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", "text\n")
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"ask"}, "no question"},
		{[]string{"ask", "what?"}, "-f PATH or -c NAME"},
		{[]string{"ask", "-f", f, " \n"}, "question is empty"},
		{[]string{"ask", "-f", f, "What", "is", "it?"}, `no file "What"; a question of several words needs quotes`},
		{[]string{"ask", "-f", f, "--nonsense", "what?"}, "unknown flag"},
		{[]string{"ask", "-f", f, "--memory", "lots", "what?"}, "is no size"},
		{[]string{"ask", "-f", f, "--max-tokens", "0", "what?"}, "--max-tokens 0"},
		{[]string{"ask", "-f", f, "--threads", "-1", "what?"}, "--threads -1"},
		{[]string{"ask", "-c", "../escape", "what?"}, "no name for a context"},
		{[]string{"read", f}, "-c NAME"},
		{[]string{"read", "-c", "new"}, "name what to read"},
		{[]string{"read", "-c", ".hidden", f}, "no name for a context"},
		{[]string{"context", "show"}, "accepts 1 arg"},
		{[]string{"context", "melt"}, `unknown command "melt"`},
		{[]string{"telepathy"}, `unknown command "telepathy"`},
	} {
		h.want(exitUsage, c.args, c.text)
	}
}

func TestBadFiles(t *testing.T) {
	h := newHouse(t)
	good := h.file("good.txt", "good\n")
	binary := h.file("program.bin", "\x7fELF\x02\x01\x00\x00")
	h.want(exitError, []string{"ask", "-f", filepath.Join(h.dir, "gone.txt"), "what?"}, "gone.txt", "no such file")
	h.want(exitError, []string{"ask", "-f", h.file("void.txt", ""), "what?"}, "void.txt", "empty file")
	h.want(exitError, []string{"ask", "-f", binary, "what?"}, "skipped", "program.bin: binary file", "nothing to read")
	h.want(exitOK, []string{"ask", "-f", good, "-f", binary, "what?"}, "program.bin: binary file")
	var many []string
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		many = append(many, "-f", h.file("bin"+n, "\x00"))
	}
	h.want(exitOK, append(append([]string{"ask", "-f", good}, many...), "what?"), "skipped 7 files: 7 × binary file")
	h.want(exitOK, []string{"ask", "-f", h.file("latin1.txt", "caf\xe9 \xff\n"), "what?"})
	if os.Getuid() != 0 && runtime.GOOS != "windows" {
		secret := h.file("secret.txt", "s")
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		h.want(exitError, []string{"ask", "-f", secret, "what?"}, "secret.txt", "permission denied")
	}
}

func TestBadModels(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", "text\n")
	data, err := os.ReadFile(h.model)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 3, 100, len(data) / 2, len(data) - 100} {
		cut := h.file("cut.gguf", string(data[:n]))
		h.want(exitError, []string{"ask", "--model", cut, "-f", f, "what?"}, "cut.gguf")
	}
	// The magic, the version, the numbers of tensors and of keys, a key's length.
	for _, at := range []int{0, 4, 15, 23, 31} {
		bad := bytes.Clone(data)
		bad[at] ^= 0x40
		h.want(exitError, []string{"ask", "--model", h.file("bad.gguf", string(bad)), "-f", f, "what?"}, "bad.gguf")
	}
	h.want(exitError, []string{"ask", "--model", h.file("text.gguf", strings.Repeat("no model ", 100)), "-f", f, "what?"}, "text.gguf")
	h.want(exitError, []string{"ask", "--model", filepath.Join(h.dir, "gone.gguf"), "-f", f, "what?"}, "gone.gguf")
}

func TestStoredContextOfAnotherModel(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", "text\n")
	h.want(exitOK, []string{"read", "-c", "lib", f})
	other := h.newModel("other.gguf", 2, false)
	for _, args := range [][]string{{"ask", "--model", other, "-c", "lib", "what?"}, {"read", "--model", other, "-c", "lib", f}} {
		h.want(exitError, args, "was made by model Handscroll (", ", not by Handscroll (", "--model")
	}
}

func TestDamagedStoredContext(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", strings.Repeat("text\n", 200))
	h.want(exitOK, []string{"read", "-c", "lib", f})
	log := filepath.Join(h.dir, "home", "contexts", "lib", "context.log")
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(bad []byte) {
		t.Helper()
		if err := os.WriteFile(log, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"ask", "-c", "lib", "what?"}, {"read", "-c", "lib", f}, {"context", "show", "lib"}} {
			h.want(exitError, args, "context.log: offset ", "handscroll context rm NAME")
		}
	}
	damage(data[:len(data)-100])
	flipped := bytes.Clone(data)
	flipped[len(data)/2] ^= 4
	damage(flipped)
	h.want(exitOK, []string{"context", "rm", "lib"})
}

func TestContextLargerThanMemory(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", strings.Repeat("quick brown fox\n", 500))
	h.want(exitError, []string{"ask", "-f", f, "--memory", "100kB", "what?"}, "tokens needs", "0.1 MB may be used", "handscroll read -c NAME")
	h.want(exitError, []string{"ask", "-f", f, "--memory", "1kB", "what?"}, "1000 are allowed", "--memory")
	h.want(exitOK, []string{"ask", "-f", f, "--memory", "1GiB", "what?"})
}

// lateContext is cancelled when Done is asked for the second time: the first
// watches the files being opened, the second their being read.
type lateContext struct {
	context.Context
	cancel func()
	asked  atomic.Int32
}

func (c *lateContext) Done() <-chan struct{} {
	if c.asked.Add(1) == 2 {
		c.cancel()
	}
	return c.Context.Done()
}

func (h *house) interruptReading() {
	ctx, cancel := context.WithCancel(context.Background())
	h.ctx = &lateContext{Context: ctx, cancel: cancel}
}

func TestInterrupt(t *testing.T) {
	h := newHouse(t)
	f := h.file("a.txt", strings.Repeat("text\n", 200))
	h.interruptReading()
	h.want(exitInterrupted, []string{"read", "-c", "lib", f}, "interrupted", "stored in lib", "the same command goes on")
	h.interruptReading()
	h.want(exitInterrupted, []string{"ask", "-f", f, "what?"}, "interrupted")
	h.ctx = context.Background()
	h.want(exitOK, []string{"context", "ls"}, "unfinished")
	h.want(exitError, []string{"ask", "-c", "lib", "what?"}, "has not been finished", "Go on with")
	h.want(exitOK, []string{"read", "-c", "lib", f}, "in 1 parts")
}

// Nobody types, and Ctrl-C must not wait for it.
func TestInterruptWhileStandardInputIsAwaited(t *testing.T) {
	h := newHouse(t)
	typing, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs bytes.Buffer
	code := make(chan int)
	go func() { code <- run(ctx, []string{"ask", "--model", h.model, "-f", "-", "what?"}, typing, &out, &errs) }()
	w.Write([]byte("half a line"))
	cancel()
	select {
	case got := <-code:
		if got != exitInterrupted {
			t.Errorf("exit code %d: %s", got, errs.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting")
	}
}

// The source of evidence from an archive names the archive and the file in it.
func TestAskOfAnArchive(t *testing.T) {
	h := newHouse(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range []string{"one.txt", "two.txt"} {
		text := "x\n" + strings.Repeat("some text in "+name+"\n", 50)
		if err := w.WriteHeader(&tar.Header{Name: "src/" + name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	w.Close()
	z.Close()
	f := h.file("src.tar.gz", b.String())
	out := h.want(exitOK, []string{"ask", "--json", "-f", f, "what?"})
	var got answerJSON
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Evidence) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, e := range got.Evidence {
		name, ok := strings.CutPrefix(e.Source, f+"/src/")
		if !ok || name != "one.txt" && name != "two.txt" || !strings.Contains(e.Quote, name) && e.Line != 1 {
			t.Errorf("evidence %+v", e)
		}
	}
}

func TestHintsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		text string
	}{
		{&os.PathError{Op: "write", Path: "context.log", Err: syscall.ENOSPC}, "Free some space"},
		{&handscroll.LockedError{Dir: "lib"}, "Wait for that process"},
		{&handscroll.UnfinishedError{Source: "a"}, "handscroll read -c NAME"},
		{errors.New("no idea"), ""},
	} {
		got := hint(fmt.Errorf("wrapped: %w", c.err))
		if !strings.Contains(got, c.text) || (got == "") != (c.text == "") {
			t.Errorf("%v: %q", c.err, got)
		}
	}
}

func TestOutputCommandsNoTerminal(t *testing.T) {
	var b strings.Builder
	a := &handscroll.Answer{Text: "red \x1b[31m", Evidence: []handscroll.Evidence{{Source: "f\x1bc", Line: 1, Quote: "caf\xe9 \u009b2J"}}}
	if err := printAnswer(&b, a, false); err != nil || b.String() != "red ␛[31m\n\nf␛c:1: caf\xe9 ␛[2J\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestVersionAndHelp(t *testing.T) {
	h := newHouse(t)
	h.want(exitOK, []string{"version"}, "handscroll ", "model")
	h.want(exitOK, []string{"--help"}, "ask", "read", "context")
	h.want(exitOK, []string{"ask", "--help"}, "The exit code is 0", "--max-tokens")
}

func TestSizeFlag(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "512MB": 512e6, "1.5GiB": 3 << 29, "4g": 4e9, "2k": 2000, "1TiB": 1 << 40, "10 MB": 10e6} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "0", "1e30", "5 apples", "1MM", "NaN", "inf"} {
		var s size
		if err := s.Set(text); err == nil {
			t.Errorf("%q is accepted as %d", text, s)
		}
	}
}
