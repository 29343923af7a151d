package engine

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/convert"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kvcache"
)

func randomFile(t *testing.T, shape convert.RandomShape, typ string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "random.gguf")
	if err := convert.Random(path, shape, typ, 5); err != nil {
		t.Fatal(err)
	}
	return path
}

func describe(t *testing.T, path string, n int, f kvcache.Format) *Description {
	t.Helper()
	d, err := Describe(path, n, f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescribe(t *testing.T) {
	tiny := convert.RandomShapes[len(convert.RandomShapes)-1]
	path := randomFile(t, tiny, "q8_0")
	d := describe(t, path, 3000, kvcache.Q8)
	// Two layers of attention and four experts of three matrices, a router and norms;
	// embedding, output and the last norm.
	attention, router, expert := 256*256*2+128*256*2, 4*256, 3*256*256
	rest := 2*259*256 + 256 + 2*(attention+router+2*256+2*64)
	if want := int64(rest + 2*4*expert); d.Parameters != want {
		t.Errorf("%d parameters, want %d", d.Parameters, want)
	}
	if want := int64(rest + 2*2*expert); d.Active != want {
		t.Errorf("%d active parameters, want %d", d.Active, want)
	}
	if want := []AttentionLayers{{2, 4, 2, 64, 0}}; !slices.Equal(d.Attention, want) {
		t.Errorf("attention %v, want %v", d.Attention, want)
	}
	if len(d.Types) != 2 || d.Types[0].Type != "Q8_0" || d.Types[1].Type != "F32" || d.Types[0].Tensors != 2+2*7 {
		t.Errorf("types %+v", d.Types)
	}
	if d.Tokenizer != "gpt2 (gpt-2)" || d.TokenizerError != "" || !d.ChatTemplate || d.Vocab != 259 || d.Trained != 8192 || d.Parts != 1 {
		t.Errorf("described as %+v", d)
	}
	w := tinyWeights(t, "q8_0")
	if want := laidSize(w); d.Memory.Weights != want {
		t.Errorf("weights take %d, want %d", d.Memory.Weights, want)
	}
	if want := int64(w.m.SequenceBytes(kvcache.Q8, 3000)); d.Memory.Context != want || d.Cache != "q8_0" {
		t.Errorf("the context takes %d as %s, want %d", d.Memory.Context, d.Cache, want)
	}
	if m := d.Memory; m.Total != m.Weights+m.Context+m.Scratch || m.Fits() != (m.Limit == 0 || m.Total <= m.Limit) {
		t.Errorf("memory %+v", m)
	}
	if (MemoryPlan{Total: 2, Limit: 1}).Fits() {
		t.Error("2 bytes fit in 1")
	}
	// Heads that are interleaved in the file are copied to be run, not to be described.
	tiny.Arch = "llama"
	path = randomFile(t, tiny, "q4_k_m")
	llama, err := OpenWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	defer llama.Close()
	if got, want := describe(t, path, 0, kvcache.F16).Memory.Weights, laidSize(llama); got != want {
		t.Errorf("weights of a llama take %d, want %d", got, want)
	}
	if all := describe(t, path, 0, kvcache.F16); all.Context != 8192 {
		t.Errorf("%d tokens of context by default", all.Context)
	}
}

// The estimate is not less than what passes take, and not much more.
func TestScratchIsEstimated(t *testing.T) {
	for _, test := range []struct {
		shape convert.RandomShape
		typ   string
	}{
		{convert.RandomShape{Name: "sparse", Arch: "qwen3moe", Layers: 1, Width: 768, Vocab: 500, Context: 4096, Heads: 16, KVHeads: 2, HeadDim: 128, Hidden: 256, Experts: 8, TopK: 4}, "q4_k_m"},
		{convert.RandomShape{Name: "dense", Arch: "qwen3", Layers: 1, Width: 768, Vocab: 500, Context: 4096, Heads: 16, KVHeads: 8, HeadDim: 128, Hidden: 2560}, "q8_0"},
		{convert.RandomShape{Name: "half", Arch: "qwen3", Layers: 1, Width: 768, Vocab: 500, Context: 4096, Heads: 16, KVHeads: 8, HeadDim: 128, Hidden: 2560}, "f16"},
	} {
		path := randomFile(t, test.shape, test.typ)
		w, err := OpenWeights(path)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		// Only the first of two passes takes scratch; both take keys and values.
		var held [3]int64
		var sessions [2]*Session
		for i := range held {
			if i > 0 {
				sessions[i-1] = newSession(t, w, kvcache.F16)
				if _, err := sessions[i-1].Prefill(context.Background(), randomIDs(1, passTokens), nil); err != nil {
					t.Fatal(err)
				}
			} else if err := w.Prepare(0, nil); err != nil {
				t.Fatal(err)
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			held[i] = int64(m.HeapAlloc)
		}
		runtime.KeepAlive(sessions)
		got, want := describe(t, path, 0, kvcache.F16).Memory.Scratch, (held[1]-held[0])-(held[2]-held[1])
		if got < want || got > 2*want+int64(runtime.GOMAXPROCS(0))<<19 {
			t.Errorf("%s: %d bytes of scratch estimated, passes take %d", test.shape.Name, got, want)
		}
	}
}

func TestDescribeRejects(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.gguf")
	g := gguf.NewWriter()
	g.Set("general.architecture", "mamba")
	if err := g.WriteFile(other); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage.gguf")
	if err := os.WriteFile(garbage, []byte("not a model"), 0o666); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{other: "qwen3moe", garbage: "magic", filepath.Join(dir, "nope.gguf"): "nope.gguf"} {
		if _, err := Describe(path, 0, kvcache.F16); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", path, err, says)
		}
	}
	if _, err := Describe(other, -1, kvcache.F16); err == nil || !strings.Contains(err.Error(), "-1 tokens") {
		t.Errorf("a negative context: %v", err)
	}
}

func laidSize(w *Weights) int64 {
	all, _ := w.m.LaidSize()
	return int64(all)
}
