package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
)

// matrix is a tensor of random numbers to be written.
type matrix struct {
	name  string
	dtype tensor.DType
	shape []int
}

// tinyLlama are the tensors of a small Llama. Its embeddings are more than a
// piece.
func tinyLlama() []matrix {
	const d, hidden, vocab = 256, 256, 1100
	list := []matrix{{"token_embd.weight", tensor.F16, []int{vocab, d}}, {"output_norm.weight", tensor.F32, []int{d}}, {"output.weight", tensor.BF16, []int{vocab, d}}}
	for i := range 2 {
		for _, m := range []matrix{
			{"attn_norm", tensor.F32, []int{d}}, {"ffn_norm", tensor.F32, []int{d}}, {"attn_q", tensor.F16, []int{d, d}}, {"attn_k", tensor.F16, []int{d / 2, d}},
			{"attn_v", tensor.F16, []int{d / 2, d}}, {"attn_output", tensor.F32, []int{d, d}},
			{"ffn_gate", tensor.F16, []int{hidden, d}}, {"ffn_up", tensor.F16, []int{hidden, d}}, {"ffn_down", tensor.F16, []int{d, hidden}},
		} {
			list = append(list, matrix{fmt.Sprintf("blk.%d.%s.weight", i, m.name), m.dtype, m.shape})
		}
	}
	return list
}

var llamaMeta = map[string]any{
	"general.architecture": "llama", "llama.embedding_length": uint32(256), "llama.block_count": uint32(2),
	"llama.context_length": uint32(128), "llama.attention.head_count": uint32(4), "llama.attention.head_count_kv": uint32(2),
	"llama.feed_forward_length": uint32(256), "llama.attention.layer_norm_rms_epsilon": float32(1e-5),
	"general.file_type": uint32(1), "general.alignment": uint32(32), "other.bools": []bool{true, false}, "other.nested": []any{[]int8{-1}},
}

// write writes a file of tensors; change may alter a tensor's numbers before.
func write(t *testing.T, path string, meta map[string]any, list []matrix, change func(name string, x []float32)) string {
	t.Helper()
	w := gguf.NewWriter()
	for key, v := range meta {
		w.Set(key, v)
	}
	for i, m := range list {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		n := 1
		for _, s := range m.shape {
			n *= s
		}
		x := make([]float32, n)
		for j := range x {
			x[j] = float32(r.NormFloat64() / 16)
			if len(m.shape) == 1 {
				x[j]++
			}
		}
		if change != nil {
			change(m.name, x)
		}
		data := map[tensor.DType]func([]float32) []byte{tensor.F32: tensor.F32Bytes, tensor.F16: tensor.F16Bytes, tensor.BF16: tensor.BF16Bytes}[m.dtype](x)
		w.Add(m.name, m.dtype, m.shape, data)
	}
	if err := w.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func quantize(t *testing.T, in, out string, o Options) Report {
	t.Helper()
	r, err := Quantize(context.Background(), in, out, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// types lists the types of a file's tensors that are not as in the source.
func types(t *testing.T, in, out string) map[string]tensor.DType {
	t.Helper()
	f, g, changed := open(t, in), open(t, out), map[string]tensor.DType{}
	for i, x := range f.Tensors {
		y := g.Tensors[i]
		if y.Name != x.Name || !slices.Equal(y.Shape, x.Shape) {
			t.Fatalf("tensor %s %v became %s %v", x.Name, x.Shape, y.Name, y.Shape)
		}
		if y.Type != x.Type {
			changed[y.Name] = y.Type
		} else if !bytes.Equal(x.Data, y.Data) {
			t.Errorf("tensor %s has the same type and other data", x.Name)
		}
	}
	return changed
}

// logits runs ids through a model.
func logits(t *testing.T, path string, ids []int32) (out []float32, vocab int) {
	t.Helper()
	m, err := model.LoadTransformer(open(t, path))
	if err != nil {
		t.Fatal(err)
	}
	out = make([]float32, len(ids)*m.Vocab)
	if err := m.Forward(new(nn.Scratch), model.Piece{Seq: m.NewSequence(kvcache.F32, 0), IDs: ids, Logits: out}); err != nil {
		t.Fatal(err)
	}
	return out, m.Vocab
}

// divergence returns the mean KL divergence of got from want, rows of n logits.
func divergence(got, want []float32, n int) (kl float64) {
	logSoftmax := func(x []float32) []float64 {
		sum, out := 0.0, make([]float64, len(x))
		for _, v := range x {
			sum += math.Exp(float64(v))
		}
		for i, v := range x {
			out[i] = float64(v) - math.Log(sum)
		}
		return out
	}
	rows := len(want) / n
	for i := range rows {
		p, q := logSoftmax(want[i*n:(i+1)*n]), logSoftmax(got[i*n:(i+1)*n])
		for j := range p {
			kl += math.Exp(p[j]) * (p[j] - q[j]) / float64(rows)
		}
	}
	return kl
}

// most is how far a type's predictions may be from the source's.
var most = map[Type]float64{Q8_0: 2e-3, Q6_K: 2e-3, Q4_K_M: 1e-2}

// checkLogits quantises a model to every type and compares what it predicts.
func checkLogits(t *testing.T, in string, ids []int32) {
	t.Helper()
	want, vocab := logits(t, in, ids)
	for typ, most := range most {
		out := filepath.Join(t.TempDir(), typ.name+".gguf")
		r := quantize(t, in, out, Options{Type: typ})
		got, _ := logits(t, out, ids)
		if kl := divergence(got, want, vocab); !(kl <= most && kl > 0) {
			t.Errorf("%s: mean divergence %.2g, want %g", typ.name, kl, most)
		} else {
			t.Logf("%s: mean divergence %.2g, %.2f bits a weight", typ.name, kl, r.Bits)
		}
	}
}

func TestQuantize(t *testing.T) {
	in := write(t, filepath.Join(t.TempDir(), "in.gguf"), llamaMeta, tinyLlama(), func(name string, x []float32) {
		if name == "token_embd.weight" { // larger than what a layer adds, as in trained models
			for i := range x {
				x[i] *= 32
			}
		}
	})
	r := rand.New(rand.NewPCG(1, 1))
	ids := make([]int32, 24)
	for i := range ids {
		ids[i] = r.Int32N(1100)
	}
	checkLogits(t, in, ids)
}

func TestQuantizeGolden(t *testing.T) {
	const models = "../../../shared/goldens/models"
	in := filepath.Join(models, "quant-F16.gguf")
	text, err := os.ReadFile(filepath.Join(models, "tokens.txt"))
	if err != nil {
		t.Skipf("no golden models in %s beside this checkout", models)
	}
	var ids []int32
	for s := range strings.FieldsSeq(string(text)) {
		id, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, int32(id))
	}
	checkLogits(t, in, ids)
}

// TestFile: all of the metadata stay, the report says what the file is, and the
// bytes do not depend on the processors.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	in := write(t, filepath.Join(dir, "in.gguf"), llamaMeta, tinyLlama(), nil)
	var done, total int64
	a := filepath.Join(dir, "a.gguf")
	r := quantize(t, in, a, Options{Type: Q4_K_M, Progress: func(d, n int64) {
		if d <= done || d > n {
			t.Errorf("progress from %d to %d of %d", done, d, n)
		}
		done, total = d, n
	}})
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	runtime.GOMAXPROCS(before%2 + 1)
	b := filepath.Join(dir, "b.gguf")
	quantize(t, in, b, Options{Type: Q4_K_M})
	x, err := os.ReadFile(a)
	y, err2 := os.ReadFile(b)
	if err != nil || err2 != nil || !bytes.Equal(x, y) {
		t.Errorf("the file depends on the number of processors: %v, %v", err, err2)
	}

	f, g := open(t, in), open(t, a)
	sizes, weights := [2]int64{}, int64(0)
	for i := range f.Tensors {
		sizes[0] += int64(len(f.Tensors[i].Data))
		sizes[1] += int64(len(g.Tensors[i].Data))
		weights += int64(elements(f.Tensors[i]))
	}
	want := Report{f.Size, int64(len(x)), weights, 8 * float64(sizes[1]) / float64(weights)}
	if r != want || done != total || total != sizes[0] {
		t.Errorf("report %+v, want %+v; progress to %d of %d", r, want, done, total)
	}
	for key, v := range llamaMeta {
		switch got := g.Meta.Value(key); key {
		case "general.file_type":
			v = uint32(15)
			fallthrough
		default:
			if !reflect.DeepEqual(got, v) {
				t.Errorf("%s is %v, want %v", key, got, v)
			}
		case "general.alignment":
			if got != nil {
				t.Errorf("%s is %v, which is of the source's layout", key, got)
			}
		}
	}
	if v := g.Meta.Value("general.quantization_version"); v != uint32(2) {
		t.Errorf("general.quantization_version is %v", v)
	}
}

// TestTypes: which tensor is stored as what.
func TestTypes(t *testing.T) {
	dir := t.TempDir()
	list := []matrix{
		{"token_embd.weight", tensor.F32, []int{2, 256}},
		{"output.weight", tensor.F32, []int{2, 256}},
		{"output.bias", tensor.F32, []int{2, 256}},
		{"blk.0.attn_qkv.weight", tensor.F32, []int{2, 256}},
		{"blk.0.attn_q.weight", tensor.F32, []int{2, 96}},
		{"blk.0.attn_k.weight", tensor.F32, []int{2, 40}},
		{"blk.0.attn_k_norm.weight", tensor.F32, []int{2, 256}},
		{"blk.0.ffn_gate_inp.weight", tensor.F32, []int{2, 256}},
		{"blk.0.ffn_up_exps.weight", tensor.F32, []int{2, 3, 256}},
		{"blk.0.ffn_up_exps.bias", tensor.F32, []int{2, 256}},
		{"blk.0.ffn_down_exps.weight", tensor.F32, []int{2, 2, 96}},
		{"blk.15.attn_norm.weight", tensor.F32, []int{256}},
		{"per_layer_model_proj.weight", tensor.F32, []int{2, 256}},
		{"blk.x.weight", tensor.F32, []int{1, 256}},
	}
	in := write(t, filepath.Join(dir, "in.gguf"), map[string]any{"general.architecture": "any"}, list, nil)
	for typ, want := range map[Type]map[string]tensor.DType{
		Q8_0: {
			"token_embd.weight": tensor.Q8_0, "output.weight": tensor.Q8_0, "blk.0.attn_qkv.weight": tensor.Q8_0, "blk.0.attn_q.weight": tensor.Q8_0,
			"blk.0.ffn_up_exps.weight": tensor.Q8_0, "blk.0.ffn_down_exps.weight": tensor.Q8_0, "blk.x.weight": tensor.Q8_0,
		},
		Q6_K: {
			"token_embd.weight": tensor.Q6_K, "output.weight": tensor.Q6_K, "blk.0.attn_qkv.weight": tensor.Q6_K, "blk.0.attn_q.weight": tensor.Q8_0,
			"blk.0.ffn_up_exps.weight": tensor.Q6_K, "blk.0.ffn_down_exps.weight": tensor.Q8_0, "blk.x.weight": tensor.Q6_K,
		},
		Q4_K_M: {
			"token_embd.weight": tensor.Q4_K, "output.weight": tensor.Q6_K, "blk.0.attn_qkv.weight": tensor.Q5_K, "blk.0.attn_q.weight": tensor.Q5_0,
			"blk.0.ffn_up_exps.weight": tensor.Q4_K, "blk.0.ffn_down_exps.weight": tensor.Q8_0, "blk.x.weight": tensor.Q4_K,
		},
	} {
		out := filepath.Join(dir, typ.name+".gguf")
		quantize(t, in, out, Options{Type: typ})
		if got := types(t, in, out); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%v, want\n%v", typ.name, got, want)
		}
	}
}

// TestMix: in 24 layers of Q4_K_M, the first and the last three and every third
// between have more bits; without an output of their own, embeddings have, too.
func TestMix(t *testing.T) {
	dir := t.TempDir()
	list := []matrix{{"token_embd.weight", tensor.F16, []int{1, 256}}}
	for i := range 24 {
		for _, name := range []string{"attn_v", "attn_k", "ffn_down"} {
			list = append(list, matrix{fmt.Sprintf("blk.%d.%s.weight", i, name), tensor.F16, []int{1, 256}})
		}
	}
	in, out := write(t, filepath.Join(dir, "in.gguf"), map[string]any{"general.architecture": "any"}, list, nil), filepath.Join(dir, "out.gguf")
	quantize(t, in, out, Options{Type: Q4_K_M})
	got := types(t, in, out)
	more := []int{0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23}
	want := map[string]tensor.DType{"token_embd.weight": tensor.Q6_K}
	for _, m := range list[1:] {
		layer, rest := layerOf(m.name)
		want[m.name] = tensor.Q4_K
		if slices.Contains(more, layer) && rest != "attn_k.weight" {
			want[m.name] = tensor.Q6_K
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want\n%v", got, want)
	}
}

func TestSplitSource(t *testing.T) {
	dir := t.TempDir()
	list := tinyLlama()[1:12]
	whole, parts := map[string]any{"general.architecture": "llama"}, filepath.Join(dir, "in-%05d-of-00002.gguf")
	meta := func(no uint16) map[string]any {
		return map[string]any{"general.architecture": "llama", "split.no": no, "split.count": uint16(2), "split.tensors.count": int32(len(list))}
	}
	zero := func(_ string, x []float32) { clear(x) }
	in := write(t, filepath.Join(dir, "in.gguf"), whole, list, zero)
	first := write(t, fmt.Sprintf(parts, 1), meta(0), list[:4], zero)
	write(t, fmt.Sprintf(parts, 2), meta(1), list[4:], zero)
	a, b := filepath.Join(dir, "a.gguf"), filepath.Join(dir, "b.gguf")
	quantize(t, in, a, Options{Type: Q6_K})
	quantize(t, first, b, Options{Type: Q6_K})
	x, err := os.ReadFile(a)
	y, err2 := os.ReadFile(b)
	if err != nil || err2 != nil || !bytes.Equal(x, y) {
		t.Errorf("a split model became another file than the whole one: %v, %v", err, err2)
	}
}

// TestRequantize: what is quantised stays or is refused, unless asked for.
func TestRequantize(t *testing.T) {
	dir := t.TempDir()
	in := write(t, filepath.Join(dir, "in.gguf"), llamaMeta, tinyLlama(), nil)
	q8, again, q4 := filepath.Join(dir, "q8.gguf"), filepath.Join(dir, "again.gguf"), filepath.Join(dir, "q4.gguf")
	quantize(t, in, q8, Options{Type: Q8_0})
	quantize(t, q8, again, Options{Type: Q8_0})
	if got := types(t, q8, again); len(got) > 0 {
		t.Errorf("the same type over again changed %v", got)
	}
	_, err := Quantize(context.Background(), q8, q4, Options{Type: Q4_K_M})
	for _, says := range []string{q8, `"token_embd.weight"`, "Q8_0", "--requantize"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v does not say %q", err, says)
		}
	}
	quantize(t, q8, q4, Options{Type: Q4_K_M, Requantize: true})
	if got := types(t, q8, q4); got["token_embd.weight"] != tensor.Q4_K {
		t.Errorf("types %v", got)
	}
}

// TestErrors: whatever goes wrong, the folder is as it was.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	in := write(t, filepath.Join(dir, "in.gguf"), llamaMeta, tinyLlama(), nil)
	nan := write(t, filepath.Join(dir, "nan.gguf"), llamaMeta, tinyLlama(), func(name string, x []float32) {
		if name == "token_embd.weight" {
			x[piece+77] = float32(math.NaN())
		}
	})
	native := write(t, filepath.Join(dir, "native.gguf"), map[string]any{"general.architecture": "handscroll"}, nil, nil)
	nameless := write(t, filepath.Join(dir, "nameless.gguf"), nil, nil, nil)
	w := gguf.NewWriter()
	w.Set("general.architecture", "llama")
	w.Add("output.weight", tensor.IQ1_S, []int{1, 256}, make([]byte, 50))
	odd := filepath.Join(dir, "odd.gguf")
	if err := w.WriteFile(odd); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	before, _ := filepath.Glob(filepath.Join(dir, "*"))
	for says, c := range map[string]struct {
		in, out string
		force   bool
	}{
		"nope.gguf":                                 {filepath.Join(dir, "nope.gguf"), "out.gguf", false},
		"nan.gguf is there already":                 {in, "nan.gguf", false},
		"is the source itself":                      {in, "in.gguf", true},
		"no regular file":                           {in, "folder", true},
		fmt.Sprint("element ", piece+77, " is NaN"): {nan, "out.gguf", false},
		`tensor "token_embd.weight"`:                {nan, "out.gguf", false},
		"native model":                              {native, "out.gguf", false},
		"general.architecture":                      {nameless, "out.gguf", false},
		"IQ1_S":                                     {odd, "out.gguf", false},
		"no-folder":                                 {in, "no-folder/out.gguf", false},
	} {
		if _, err := Quantize(context.Background(), c.in, filepath.Join(dir, c.out), Options{Type: Q4_K_M, Force: c.force}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v does not say %q", err, says)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Quantize(ctx, in, filepath.Join(dir, "out.gguf"), Options{Type: Q8_0, Progress: func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if after, _ := filepath.Glob(filepath.Join(dir, "*")); !slices.Equal(after, before) {
		t.Errorf("left %q of %q", after, before)
	}
	quantize(t, in, nan, Options{Type: Q8_0, Force: true})
	if got := types(t, in, nan); got["output.weight"] != tensor.Q8_0 {
		t.Errorf("replaced by %v", got)
	}
}

func TestParseType(t *testing.T) {
	for name, want := range map[string]Type{"q8_0": Q8_0, "Q6_K": Q6_K, "q4_K_m": Q4_K_M} {
		if got, err := ParseType(name); got != want || err != nil {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	if _, err := ParseType("q4"); err == nil || !strings.Contains(err.Error(), "q4_k_m") {
		t.Errorf("q4: %v", err)
	}
}
