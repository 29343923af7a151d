package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

const goldens = "../../../shared/goldens"

// TestScoreGolden: the probabilities are those of the reference logits.
func TestScoreGolden(t *testing.T) {
	path := filepath.Join(goldens, "models", "qwen3moe.gguf")
	raw, err := os.ReadFile(strings.TrimSuffix(path, ".gguf") + ".logits.f32")
	if err != nil {
		t.Skipf("no golden models in %s beside this checkout", goldens)
	}
	logits := make([]float32, len(raw)/4)
	tensor.F32FromBytes(logits, raw)
	text, err := os.ReadFile(filepath.Join(goldens, "models", "tokens.txt"))
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.Fields(string(text))
	out, code := command(t, "score", "-m", path, "--tokens", strings.Join(ids, ","), "--json")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, out)
	}
	var doc struct {
		Tokens []struct {
			ID      int      `json:"id"`
			LogProb *float64 `json:"logprob"`
			Top     []struct {
				ID      int     `json:"id"`
				LogProb float64 `json:"logprob"`
			} `json:"top"`
		} `json:"tokens"`
		Perplexity float64 `json:"perplexity"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	const vocab = 256
	if len(doc.Tokens) != len(ids) || doc.Tokens[0].LogProb != nil {
		t.Fatalf("%d tokens of %d, the first has %v", len(doc.Tokens), len(ids), doc.Tokens[0].LogProb)
	}
	sum := 0.0
	for i := 1; i < len(ids); i++ {
		row := logits[(i-1)*vocab : i*vocab]
		z := 0.0
		best := 0
		for j, v := range row {
			z += math.Exp(float64(v))
			if v > row[best] {
				best = j
			}
		}
		want := float64(row[doc.Tokens[i].ID]) - math.Log(z)
		sum += want
		if d := math.Abs(*doc.Tokens[i].LogProb - want); d > 1e-4 {
			t.Errorf("token %d: log-probability %g, want %g", i, *doc.Tokens[i].LogProb, want)
		}
		if top := doc.Tokens[i-1].Top; len(top) != scoreTop || top[0].ID != best {
			t.Errorf("token %d: likeliest %v, want %d first", i-1, top, best)
		}
	}
	if want := math.Exp(-sum / float64(len(ids)-1)); math.Abs(doc.Perplexity-want) > 1e-3*want {
		t.Errorf("perplexity %g, want %g", doc.Perplexity, want)
	}
	for says, args := range map[string][]string{
		"outside of the vocabulary": {"--tokens", "1,9999"},
		"no token id":               {"--tokens", "1,x"},
		"tokenizer cannot be used":  {"hello"},
		"want one of":               {},
		"no such file":              {"-f", "nope.txt"},
	} {
		if out, code := command(t, append([]string{"score", "-m", path}, args...)...); code == exitOK || !strings.Contains(out, says) {
			t.Errorf("%v: exit code %d, %q does not say %q", args, code, out, says)
		}
	}
}

func TestTokenizeGolden(t *testing.T) {
	path := filepath.Join(goldens, "vocabs", "ggml-vocab-gpt-2.gguf")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no golden vocabularies in %s beside this checkout", goldens)
	}
	if out, code := command(t, "tokenize", "-m", path, "Hello world"); code != exitOK || out != "15496\t\"Hello\"\n995\t\" world\"\n" {
		t.Errorf("exit code %d: %q", code, out)
	}
	for control, want := range map[string]string{"--special=false": `"count":7`, "--special": `"count":1`} {
		if out, code := command(t, "tokenize", "-m", path, "--json", control, "<|endoftext|>"); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d: %q", control, code, out)
		}
	}
}

func TestWeightsCommandsReject(t *testing.T) {
	for says, args := range map[string][]string{
		"--model FILE": {"score", "x"}, "no such file": {"tokenize", "-m", "nope.gguf", "x"},
	} {
		if out, code := command(t, args...); code == exitOK || !strings.Contains(out, says) {
			t.Errorf("%v: exit code %d, %q does not say %q", args, code, out, says)
		}
	}
}

// command runs the program and returns all that it prints.
func command(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	code, stdout, stderr := newHouse(t).run(args...)
	return stdout + stderr, code
}
