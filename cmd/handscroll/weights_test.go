package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// newWeights writes a tiny model of random weights with a byte vocabulary.
func (h *house) newWeights() string {
	h.t.Helper()
	path := filepath.Join(h.dir, "tiny.gguf")
	h.want(exitOK, []string{"model", "random", path, "--shape", "tiny", "--type", "q8_0"})
	return path
}

func TestAskOpenWeights(t *testing.T) {
	h := newHouse(t)
	model, text := h.newWeights(), h.file("notes.txt", "alpha is 7\nbeta is 8\ngamma is 9\n")
	ask := func(more ...string) (a answerJSON) {
		t.Helper()
		code, out, stderr := h.run(append([]string{"ask", "-m", model, "--json", "--max-tokens", "12"}, more...)...)
		if code != exitOK && code != exitNotFound {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := ask("-f", text, "--temperature", "1.5", "--seed", "4", "What is beta?")
	if a.Usage.AnswerTokens == 0 || a.Usage.PromptTokens < 100 || !strings.HasPrefix(a.Model, "random weights of shape tiny@") || a.Seed != 4 {
		t.Errorf("answer %+v", a)
	}
	if a.Found && (len(a.Evidence) == 0 || a.Evidence[0].Source != text) {
		t.Errorf("evidence %+v", a.Evidence)
	}
	// The same seed, the same answer; stored, the same answer.
	if b := ask("-f", text, "--temperature", "1.5", "--seed", "4", "What is beta?"); b.Answer != a.Answer {
		t.Errorf("the same seed answers %q and %q", a.Answer, b.Answer)
	}
	h.want(exitOK, []string{"read", "-m", model, "-c", "notes", text}, "notes: ", "1 parts")
	h.want(exitOK, []string{"read", "-m", model, "-c", "notes", text}, "0 read now")
	b := ask("-c", "notes", "--temperature", "1.5", "--seed", "4", "What is beta?")
	if b.Answer != a.Answer || b.Usage.CachedTokens == 0 {
		t.Errorf("stored, it answers %q with %d tokens cached, want %q", b.Answer, b.Usage.CachedTokens, a.Answer)
	}
	ask("-c", "notes", "-f", h.file("more.txt", "delta is 10\n"), "What is delta?")
	h.want(exitOK, []string{"context", "show", "notes"}, text)
	h.want(exitError, []string{"ask", "-c", "notes", "What is beta?"}, "was made by model random weights")
	h.want(exitOK, []string{"context", "rm", "notes"})
	// By a schema.
	schema := h.file("schema.json", `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)
	c := ask("-f", text, "--schema", schema, "--temperature", "1", "What is beta?")
	var doc struct{ N *int }
	if err := json.Unmarshal([]byte(c.Answer), &doc); err != nil && c.Usage.AnswerTokens < 12 {
		t.Errorf("by a schema it answers %q: %v", c.Answer, err)
	}
}

func TestAskOpenWeightsRejects(t *testing.T) {
	h := newHouse(t)
	model, text := h.newWeights(), h.file("notes.txt", strings.Repeat("alpha is 7\n", 100))
	ask := func(more ...string) []string {
		return append([]string{"ask", "-m", model, "-f", text}, append(more, "What?")...)
	}
	h.want(exitError, ask("--context-size", "500"), "tokens, the context of "+model+" holds 500")
	h.want(exitError, ask("--temperature", "-1"), "temperature is -1")
	h.want(exitError, ask("--cache", "q2"), `"q2"`, "f16, f32 or q8_0")
	h.want(exitError, ask("--schema", h.file("bad.json", `{"not":{}}`)), "not")
	h.want(exitError, ask("--schema", filepath.Join(h.dir, "none.json")), "none.json")
	h.want(exitError, ask("--memory", "100kB"), "needs", "may be used")
	h.want(exitError, ask("--weights-memory", "10kB"), "the weights of "+model, "may be used")
	h.want(exitUsage, ask("--context-size", "-1"), "--context-size -1")
	h.want(exitError, []string{"ask", "-m", filepath.Join(h.dir, "none.gguf"), "-f", text, "What?"}, "none.gguf")
}

// Experts that do not fit into memory come from the file; the answer is the same.
func TestAskFewExperts(t *testing.T) {
	h := newHouse(t)
	model, text := h.newWeights(), h.file("notes.txt", "alpha is 7\n")
	ask := func(more ...string) string {
		_, out, stderr := h.run(append([]string{"ask", "-m", model, "-f", text, "--max-tokens", "12"}, append(more, "What is alpha?")...)...)
		if out == "" {
			t.Fatal(stderr)
		}
		return out
	}
	if all, some := ask(), ask("--weights-memory", "1500kB"); all != some {
		t.Errorf("with all experts in memory %q, with some %q", all, some)
	}
}

func TestChat(t *testing.T) {
	h := newHouse(t)
	model := h.newWeights()
	h.stdin = "Hello\n\"\"\"two\nlines\"\"\"\n/reset\n\nHello\n/bye\nnever\n"
	out := h.want(exitOK, []string{"chat", "-m", model, "--max-tokens", "6", "--system", "Be brief."})
	answers := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(answers) < 3 || answers[0] != answers[len(answers)-1] {
		t.Errorf("three messages, the last as the first after /reset, gave %q", answers)
	}
	h.want(exitUsage, []string{"chat"}, "--model")
	h.want(exitUsage, []string{"chat", "-m", model, "--max-tokens", "0"}, "--max-tokens 0")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.ctx, h.stdin = ctx, "Hello\n"
	if code, _, stderr := h.run("chat", "-m", model); code != exitInterrupted {
		t.Errorf("cancelled: exit code %d, %s", code, stderr)
	}
}
