package model

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
)

// goldenModels has more models than testdata.
const goldenModels = "../../../shared/goldens/models"

// golden opens a tiny model with its reference logits [40, 256].
func golden(t *testing.T, name string) (m *Transformer, ids []int32, want []float32) {
	t.Helper()
	dir := "testdata"
	path := filepath.Join(dir, name+".gguf")
	if _, err := os.Stat(path); err != nil {
		dir = goldenModels
		path = filepath.Join(dir, name+".gguf")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no golden model %s in %s beside this checkout", name, goldenModels)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if m, err = LoadTransformer(f); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, name+".logits.f32"))
	if err != nil {
		t.Fatal(err)
	}
	want = make([]float32, len(raw)/4)
	tensor.F32FromBytes(want, raw)
	text, err := os.ReadFile(filepath.Join(dir, "tokens.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strings.Fields(string(text)) {
		id, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, int32(id))
	}
	if len(want) != len(ids)*m.Vocab {
		t.Fatalf("%d logits for %d ids of %d", len(want), len(ids), m.Vocab)
	}
	return m, ids, want
}

// logits runs ids in chunks of the given sizes, the rest at once.
func logits(t *testing.T, m *Transformer, ids []int32, chunks ...int) []float32 {
	t.Helper()
	var out []float32
	seq, s := m.NewSequence(kvcache.F32, 0), new(nn.Scratch)
	for len(ids) > 0 {
		n := len(ids)
		if len(chunks) > 0 {
			n, chunks = min(n, chunks[0]), chunks[1:]
		}
		part := make([]float32, n*m.Vocab)
		if err := m.Forward(s, Piece{Seq: seq, IDs: ids[:n], Logits: part}); err != nil {
			t.Fatal(err)
		}
		out, ids = append(out, part...), ids[n:]
	}
	return out
}

func maxDiff(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		if d := math.Abs(float64(a[i] - b[i])); !(d <= worst) {
			worst = d
		}
	}
	return worst
}

// TestGoldenLogits compares each architecture with its reference, at once and in
// chunks.
func TestGoldenLogits(t *testing.T) {
	for _, name := range []string{"llama-dense", "mixtral", "qwen3moe", "gemma4-e", "gemma4-moe", "gpt-oss", "phi2", "minicpm", "quant-F32"} {
		t.Run(name, func(t *testing.T) {
			m, ids, want := golden(t, name)
			got := logits(t, m, ids)
			if d := maxDiff(got, want); !(d <= 2e-3) {
				t.Errorf("logits differ by up to %g, want 2e-3", d)
			} else {
				t.Logf("logits differ by up to %.2g", d)
			}
			if d := maxDiff(logits(t, m, ids, 1, 7, 1, 20, 3), got); !(d <= 1e-4) {
				t.Errorf("in chunks the logits differ by up to %g", d)
			}
			m.Lay(nil, 0, nil)
			got = logits(t, m, ids)
			if d := maxDiff(got, want); !(d <= 2e-3) {
				t.Errorf("laid out, logits differ by up to %g, want 2e-3", d)
			} else {
				t.Logf("laid out, logits differ by up to %.2g", d)
			}
		})
	}
}

// TestGoldenQuantised compares quantised files by the mean divergence of what
// they predict and by the likeliest token.
func TestGoldenQuantised(t *testing.T) {
	var files []string
	for _, dir := range []string{goldenModels, "testdata"} {
		found, err := filepath.Glob(filepath.Join(dir, "quant-*.gguf"))
		if err != nil {
			t.Fatal(err)
		}
		if files = found; len(files) > 0 {
			break
		}
	}
	mean := 0.0 // share of the same likeliest token, laid out
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".gguf")
		t.Run(name, func(t *testing.T) {
			m, ids, want := golden(t, name)
			most, least := 2e-3, 0.95
			if strings.Contains(name, "Q2_K") || strings.Contains(name, "Q3_K") {
				most, least = 1e-2, 0.9
			}
			for _, how := range []string{"as stored", "laid out"} {
				if how == "laid out" {
					m.Lay(nil, 0, nil)
				}
				kl, same := divergence(logits(t, m, ids), want, m.Vocab)
				if how == "laid out" {
					// Rounded activations flip near ties, of which these models of
					// random weights have many: a few of 40 in one file, few of all.
					mean += same / float64(len(files))
					least = 0.9
				}
				if !(kl <= most && same >= least) {
					t.Errorf("%s: mean divergence %.2g, same likeliest token %.1f %%; want %g and %g %%", how, kl, 100*same, most, 100*least)
				} else {
					t.Logf("%s: mean divergence %.2g, same likeliest token %.1f %%", how, kl, 100*same)
				}
			}
		})
	}
	if !(mean >= 0.95) {
		t.Errorf("laid out, the likeliest token is the same in %.1f %% of all, want 95 %%", 100*mean)
	}
}

// divergence returns the mean KL divergence of got from want, rows of n logits,
// and the share of rows whose largest is the same.
func divergence(got, want []float32, n int) (kl, same float64) {
	rows := 0
	for ; len(want) > 0; got, want = got[n:], want[n:] {
		p, q := logSoftmax(want[:n]), logSoftmax(got[:n])
		for i := range p {
			kl += math.Exp(p[i]) * (p[i] - q[i])
		}
		if slices.Index(p, slices.Max(p)) == slices.Index(q, slices.Max(q)) {
			same++
		}
		rows++
	}
	return kl / float64(rows), same / float64(rows)
}

func logSoftmax(x []float32) []float64 {
	top, sum := float64(slices.Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v) - top - math.Log(sum)
	}
	return out
}

// tinyLlama writes a Llama of random weights; change may alter it before.
func tinyLlama(t *testing.T, change func(meta map[string]any, shapes map[string][]int)) string {
	t.Helper()
	const d, heads, hidden, vocab = 32, 4, 48, 40
	meta := map[string]any{
		"general.architecture": "llama", "llama.embedding_length": uint32(d), "llama.block_count": uint32(2),
		"llama.context_length": uint32(128), "llama.attention.head_count": uint32(heads), "llama.attention.head_count_kv": uint32(2),
		"llama.feed_forward_length": uint32(hidden), "llama.attention.layer_norm_rms_epsilon": float32(1e-5),
	}
	shapes := map[string][]int{"token_embd.weight": {vocab, d}, "output_norm.weight": {d}}
	for i := range 2 {
		for name, shape := range map[string][]int{
			"attn_norm": {d}, "ffn_norm": {d}, "attn_q": {d, d}, "attn_k": {d / 2, d}, "attn_v": {d / 2, d}, "attn_output": {d, d},
			"ffn_gate": {hidden, d}, "ffn_up": {hidden, d}, "ffn_down": {d, hidden},
		} {
			shapes[fmt.Sprintf("blk.%d.%s.weight", i, name)] = shape
		}
	}
	if change != nil {
		change(meta, shapes)
	}
	w := gguf.NewWriter()
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		w.Set(k, meta[k])
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n := 1
		for _, s := range shapes[name] {
			n *= s
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64() / 4)
			if strings.HasPrefix(name, "rope_factors") { // divisors
				x[i] = 1 + max(x[i], -x[i])
			}
		}
		w.Add(name, tensor.F32, shapes[name], tensor.F32Bytes(x))
	}
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := w.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadTiny(t *testing.T, path string) (*Transformer, error) {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return LoadTransformer(f)
}

// TestTransformerChunks: however a text is cut, and after going back, the logits
// are the same, up to the rounding of sums in another order.
func TestTransformerChunks(t *testing.T) {
	m, err := loadTiny(t, tinyLlama(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	ids := make([]int32, 100)
	for i := range ids {
		ids[i] = int32(r.IntN(m.Vocab))
	}
	want := logits(t, m, ids)
	for range 5 {
		var cuts []int
		for range 12 {
			cuts = append(cuts, 1+r.IntN(20))
		}
		if d := maxDiff(logits(t, m, ids, cuts...), want); !(d <= 1e-4) {
			t.Errorf("cut into %v the logits differ by up to %g", cuts, d)
		}
	}
	seq, s := m.NewSequence(kvcache.F32, 0), new(nn.Scratch)
	last := make([]float32, m.Vocab)
	for _, part := range [][]int32{ids[:60], {5, 6, 7}, ids[60:]} {
		if err := m.Forward(s, Piece{Seq: seq, IDs: part, Logits: last}); err != nil {
			t.Fatal(err)
		}
		if len(part) == 3 {
			seq.Truncate(60)
		}
	}
	if d := maxDiff(last, want[99*m.Vocab:]); !(d <= 1e-4) {
		t.Errorf("after going back the logits differ by up to %g", d)
	}
	if err := m.Forward(s, Piece{Seq: seq, IDs: []int32{int32(m.Vocab)}, Logits: last}); err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("an id outside of the vocabulary: %v", err)
	}
}

// TestTransformerRejects: a file that does not hold what its numbers promise is
// an error that names the key or the tensor.
func TestTransformerRejects(t *testing.T) {
	for says, change := range map[string]func(meta map[string]any, shapes map[string][]int){
		`"mamba" is not supported`: func(m map[string]any, _ map[string][]int) { m["general.architecture"] = "mamba" },
		"llama.block_count":        func(m map[string]any, _ map[string][]int) { delete(m, "llama.block_count") },
		"2000 layers":              func(m map[string]any, _ map[string][]int) { m["llama.block_count"] = uint32(2000) },
		"no multiple of 3": func(m map[string]any, _ map[string][]int) {
			m["llama.attention.head_count_kv"] = uint32(3)
		},
		"llama.attention.head_count is 0": func(m map[string]any, _ map[string][]int) { m["llama.attention.head_count"] = uint32(0) },
		`no tensor "blk.1.ffn_up.weight"`: func(_ map[string]any, s map[string][]int) { delete(s, "blk.1.ffn_up.weight") },
		`"blk.0.attn_k.weight" has shape [32 32]`: func(_ map[string]any, s map[string][]int) {
			s["blk.0.attn_k.weight"] = []int{32, 32}
		},
		"rotary dimensions": func(m map[string]any, _ map[string][]int) { m["llama.rope.dimension_count"] = uint32(10) },
		"rotary positions of 7": func(m map[string]any, s map[string][]int) {
			m["llama.attention.key_length"], m["llama.attention.value_length"] = uint32(7), uint32(7)
			for i := range 2 {
				b := fmt.Sprintf("blk.%d.", i)
				s[b+"attn_q.weight"], s[b+"attn_k.weight"], s[b+"attn_v.weight"] = []int{28, 32}, []int{14, 32}, []int{14, 32}
				s[b+"attn_output.weight"] = []int{32, 28}
			}
		},
		"rope.scaling.type": func(m map[string]any, _ map[string][]int) { m["llama.rope.scaling.type"] = "odd" },
		"ffn_gate_inp": func(m map[string]any, _ map[string][]int) {
			m["llama.expert_count"], m["llama.expert_used_count"] = uint32(4), uint32(2)
		},
	} {
		if _, err := loadTiny(t, tinyLlama(t, change)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %s, got %v", says, err)
		}
	}
}

// TestLongRoPE: a model with two sets of factors turns by the long ones if the
// sequence may become longer than what it was first trained on.
func TestLongRoPE(t *testing.T) {
	long, short := "rope_factors_long.weight", "rope_factors_short.weight"
	load := func(tensors ...string) *Transformer {
		m, err := loadTiny(t, tinyLlama(t, func(meta map[string]any, shapes map[string][]int) {
			meta["llama.rope.scaling.type"] = "longrope"
			meta["llama.rope.scaling.original_context_length"] = uint32(50)
			for _, name := range tensors {
				shapes[name] = []int{4}
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	run := func(m *Transformer, limit int) []float32 {
		out := make([]float32, 3*m.Vocab)
		p := Piece{Seq: m.NewSequence(kvcache.F32, limit), IDs: []int32{1, 2, 3}, Logits: out}
		if err := m.Forward(new(nn.Scratch), p); err != nil {
			t.Fatal(err)
		}
		return out
	}
	both := load(long, short)
	if slices.Equal(run(both, 50), run(both, 51)) {
		t.Error("sequences of up to 50 and of up to 51 tokens are turned alike")
	}
	if !slices.Equal(run(both, 0), run(both, both.Context)) {
		t.Error("no limit is not the trained context")
	}
}
