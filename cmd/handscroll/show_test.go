package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/gguf"
)

func TestShow(t *testing.T) {
	h := newHouse(t)
	path := h.tinyWeights()
	h.want(exitOK, []string{"model", "show", path}, "qwen3moe", "Q8_0: ", "in 16 tensors", "million of them active for a token", "2 of width 256",
		"4 heads, 2 of keys and values, of 64 dimensions", "4 a layer, 2 a token", "8192 tokens", "259 tokens", "gpt2 (gpt-2)", "yes",
		"with 8192 tokens of context, keys and values as f16", "weights laid out", "estimated", "in all")
	h.want(exitOK, []string{"model", "show", path, "--context", "9000"}, "longer than the 8192 tokens")
	var doc struct {
		handscroll.Description
		Fits *bool `json:"fits"`
	}
	args := []string{"model", "show", path, "--json", "--context", "2000", "--cache", "q8_0"}
	if err := json.Unmarshal([]byte(h.want(exitOK, args)), &doc); err != nil {
		t.Fatal(err)
	}
	m := doc.Memory
	if doc.Fits == nil || *doc.Fits != m.Fits() || doc.Context != 2000 || doc.Cache != "q8_0" || doc.Layers != 2 || m.Total != m.Weights+m.Context+m.Scratch || m.Weights == 0 {
		t.Errorf("%+v, fits %v", doc.Description, doc.Fits)
	}
}

func TestShowNative(t *testing.T) {
	h := newHouse(t)
	out := h.want(exitOK, []string{"model", "show", h.model, "--context", "1000"}, "handscroll", "parameters", "with 1000 tokens of context", "the text aside")
	for _, s := range []string{"weights laid out", "chat template", "trained on"} {
		if strings.Contains(out, s) {
			t.Errorf("a native model has %q in\n%s", s, out)
		}
	}
	var d handscroll.Description
	if err := json.Unmarshal([]byte(h.want(exitOK, []string{"model", "show", h.model, "--context", "1000", "--json"})), &d); err != nil {
		t.Fatal(err)
	}
	m, err := handscroll.Open(h.model)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Native || d.Memory.Context != 1000*int64(m.EntryBytes()) || d.Parameters <= 0 || d.Active > d.Parameters {
		t.Errorf("%+v", d)
	}
}

// What does not fit is said in words, with what to do.
func TestShowWarns(t *testing.T) {
	for says, d := range map[string]handscroll.Description{
		"weights alone": {Memory: handscroll.MemoryPlan{Weights: 9e9, Context: 1e9, Total: 10e9, Limit: 8e9}},
		"--context":     {Memory: handscroll.MemoryPlan{Weights: 7e9, Context: 3e9, Total: 10e9, Limit: 8e9}},
		"read -c":       {Native: true, Memory: handscroll.MemoryPlan{Context: 10e9, Total: 10e9, Limit: 8e9}},
	} {
		if got := warnings(&d); !strings.Contains(got, "10 GB") || !strings.Contains(got, "8 GB") || !strings.Contains(got, says) {
			t.Errorf("%q does not say %q", got, says)
		}
	}
	for _, limit := range []int64{0, 10e9} {
		if got := warnings(&handscroll.Description{Memory: handscroll.MemoryPlan{Total: 10e9, Limit: limit}}); got != "" {
			t.Errorf("with a limit of %d: %q", limit, got)
		}
	}
}

func TestShowRejects(t *testing.T) {
	h := newHouse(t)
	path, other := h.tinyWeights(), filepath.Join(h.dir, "other.gguf")
	w := gguf.NewWriter()
	w.Set("general.architecture", "mamba")
	if err := w.WriteFile(other); err != nil {
		t.Fatal(err)
	}
	h.want(exitUsage, []string{"model", "show"}, "show")
	h.want(exitUsage, []string{"model", "show", path, "--context", "-1"}, "--context")
	h.want(exitUsage, []string{"model", "show", path, "--context", "x"}, "--context")
	h.want(exitUsage, []string{"model", "show", path, "--cache", "q4"}, "--cache")
	h.want(exitError, []string{"model", "show", other}, `"mamba" is not supported`, "qwen3moe")
	h.want(exitError, []string{"model", "show", filepath.Join(h.dir, "nope.gguf")}, "nope.gguf")
}
