package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tinyRecipe writes a corpus and a recipe that trains in seconds.
func (h *house) tinyRecipe(steps int) string {
	r := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields("the old river ran past a quiet mill where seven brown geese slept under one broken oar and nobody asked why")
	var b strings.Builder
	for range 3000 {
		b.WriteString("So")
		for range 6 + r.IntN(12) {
			b.WriteString(" " + words[r.IntN(len(words))])
		}
		b.WriteString(".\n")
	}
	book := h.file("corpus/book.txt", b.String())
	h.t.Setenv("HANDSCROLL_TEST_CORPUS", filepath.Dir(book))
	return h.file("tiny.yaml", fmt.Sprintf(`
name: tiny
seed: 5
model: {width: 32, self_layers: 1, cross_layers: 1, heads: 2, window: 16, taps: 2, experts: 2, top_k: 1, hidden: 16, cross_heads: 2, key_dim: 64, value_dim: 64, lookahead: 8, rope_base: 1000}
tokenizer: {size: 400}
corpus: [$HANDSCROLL_TEST_CORPUS]
steps: %d
batch_tokens: 256
lengths: [{from: 0, length: 128}]
schedule: {rate: 0.003, warmup: 2, decay: 2, final: 0.1}
loss: {lm: 0.2, pointer: 0.4, first: 2}
`, steps))
}

func TestTrainErrors(t *testing.T) {
	h := newHouse(t)
	recipe := h.tinyRecipe(3)
	h.want(exitUsage, []string{"train"}, "-r", "recipes/nano.yaml")
	h.want(exitError, []string{"train", "-r", filepath.Join(h.dir, "none.yaml")}, "none.yaml")
	h.want(exitError, []string{"train", "-r", h.file("bad.yaml", "nam: x\n")}, "bad.yaml", "nam")
	h.t.Setenv("HANDSCROLL_TEST_CORPUS", "")
	h.want(exitError, []string{"train", "-r", recipe}, recipe, "corpus[0]", "HANDSCROLL_TEST_CORPUS is not set")
	h.t.Setenv("HANDSCROLL_TEST_CORPUS", filepath.Join(h.dir, "nowhere"))
	h.want(exitError, []string{"train", "-r", recipe, "--out", filepath.Join(h.dir, "run")}, "nowhere")
}

// TestTrain stops a run, goes on with the same command, and asks the model.
func TestTrain(t *testing.T) {
	h := newHouse(t)
	out := filepath.Join(h.dir, "run")
	args := []string{"train", "-r", h.tinyRecipe(60), "--out", out}
	// The checkpoint of a stop is the first there is: stop once steps are logged.
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for range 6000 {
			if b, err := os.ReadFile(filepath.Join(out, "train.jsonl")); err == nil && len(b) > 0 {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	h.ctx = ctx
	h.want(exitInterrupted, args, "parameters, seed 5, from step 0 of 60", "goes on from "+filepath.Join(out, "checkpoint.gguf"), "interrupted")
	h.ctx = context.Background()
	code, _, stderr := h.run(args...)
	if code != exitOK || strings.Contains(stderr, "from step 0 ") {
		t.Errorf("exit code %d, want to go on from the checkpoint:\n%s", code, stderr)
	}
	for _, s := range []string{"step 60/60", "calibrated", filepath.Join(out, "model.gguf")} {
		if !strings.Contains(stderr, s) {
			t.Errorf("no %q in\n%s", s, stderr)
		}
	}
	log, err := os.ReadFile(filepath.Join(out, "train.jsonl"))
	if err != nil || strings.Count(string(log), "\n") != 60 {
		t.Errorf("the log has %d lines, want 60: %v", strings.Count(string(log), "\n"), err)
	}
	if _, err := os.Stat(filepath.Join(out, "curves.png")); err != nil {
		t.Error(err)
	}
	if code, stdout, stderr := h.run("ask", "--model", filepath.Join(out, "model.gguf"), "-f", h.file("a.txt", "The code is 7.\n"), "What is the code?"); code != exitOK && code != exitNotFound {
		t.Errorf("asking the model: exit code %d\n%s%s", code, stdout, stderr)
	}
}
