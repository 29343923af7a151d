package model

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tensor"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// savedModel returns a tiny model with a vocabulary, and its file.
func savedModel(t testing.TB, dtype tensor.DType) (*Native, []byte) {
	t.Helper()
	vocab, err := tokenizer.Train([][]byte{[]byte("the quick brown fox jumps over the lazy dog, the fox")}, 280, nil)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.NewBPE(vocab)
	if err != nil {
		t.Fatal(err)
	}
	c := tinyConfig()
	c.Vocab = tok.Size()
	m, err := New(c, tok, RouterLoss{})
	if err != nil {
		t.Fatal(err)
	}
	m.Params.Reset(3)
	m.AbsentBias = -1.25
	return m, fileOf(t, m, dtype)
}

func fileOf(t testing.TB, m *Native, dtype tensor.DType) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := m.Writer(dtype).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func loadBytes(b []byte) (*Native, error) {
	f, err := gguf.Parse(b, "test.gguf")
	if err != nil {
		return nil, err
	}
	return LoadNative(f)
}

// TestSaveLoad checks that a file gives back what was saved: in float32 all of
// it, in bfloat16 the matrices rounded, but for those that choose experts.
func TestSaveLoad(t *testing.T) {
	for _, dtype := range []tensor.DType{tensor.F32, tensor.BF16} {
		m, b := savedModel(t, dtype)
		got, err := loadBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Config
		c.Precision = nn.BF16 // what LoadNative computes in
		if got.Config != c || got.AbsentBias != m.AbsentBias || got.Tokens.Size() != m.Tokens.Size() {
			t.Errorf("%v: loaded %+v with bias %g, want %+v with %g", dtype, got.Config, got.AbsentBias, c, m.AbsentBias)
		}
		for _, p := range m.Params.List {
			want := slices.Clone(p.Of(m.Params.Data))
			exact := len(p.Shape) == 1 || strings.Contains(p.Name, "gate_inp") || strings.Contains(p.Name, "conv.")
			if dtype == tensor.BF16 && !exact {
				tensor.BF16FromBytes(want, tensor.BF16Bytes(want))
			}
			if !slices.Equal(p.Of(got.Params.Data), want) {
				t.Errorf("%v: %s changed", dtype, p.Name)
			}
		}
	}
}

// TestFingerprint: another bias of absent is the same model to a stored
// context; another hyper-parameter, vocabulary, weight or rounding is not.
func TestFingerprint(t *testing.T) {
	m, b := savedModel(t, tensor.F32)
	print := func(b []byte) string {
		got, err := loadBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return got.Fingerprint
	}
	first := print(b)
	m.AbsentBias++
	if print(fileOf(t, m, tensor.F32)) != first {
		t.Error("calibration changes the fingerprint")
	}
	seen := map[string]string{first: "the same"}
	differ := func(what string, b []byte) {
		f := print(b)
		if seen[f] != "" {
			t.Errorf("%s: fingerprint of %s", what, seen[f])
		}
		seen[f] = what
	}
	differ("bfloat16", fileOf(t, m, tensor.BF16))
	m.Params.Data[5]++
	differ("a weight", fileOf(t, m, tensor.F32))
	m.Params.Data[5]--
	differ("window", patchUint32(t, b, "handscroll.attention.sliding_window", 21))
	differ("look-ahead", patchUint32(t, b, "handscroll.key_lookahead", 6))
	differ("rope", patchUint32(t, b, "handscroll.rope.freq_base", math.Float32bits(999)))
	vocab, err := tokenizer.Train([][]byte{[]byte("other words have other merges, other ones")}, m.Config.Vocab, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Tokens, err = tokenizer.NewBPE(vocab); err != nil {
		t.Fatal(err)
	}
	differ("vocabulary", fileOf(t, m, tensor.F32))
}

// patchUint32 returns b with the four-byte value of a metadata key replaced.
func patchUint32(t testing.TB, b []byte, key string, v uint32) []byte {
	t.Helper()
	at := bytes.Index(b, []byte(key))
	if at < 0 {
		t.Fatalf("no %s in the file", key)
	}
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[at+len(key)+4:], v)
	return b
}

// TestLoadErrors breaks one thing at a time: an error that names it.
func TestLoadErrors(t *testing.T) {
	_, whole := savedModel(t, tensor.F32)
	replace := func(old, new string) []byte {
		if !bytes.Contains(whole, []byte(old)) || len(old) != len(new) {
			t.Fatalf("cannot replace %q by %q", old, new)
		}
		return bytes.Replace(whole, []byte(old), []byte(new), 1)
	}
	nan := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(nan[len(nan)-4:], 0x7fc00000) // in the last tensor
	bits := math.Float32bits
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"architecture": {replace("architecture\x08\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00handscroll", "architecture\x08\x00\x00\x00\x0a\x00\x00\x00\x00\x00\x00\x00handscrowl"), "handscrowl"},
		"missing key":  {replace("handscroll.conv.taps", "handscroll.conv.caps"), "handscroll.conv.taps"},
		"missing":      {replace("blk.1.ffn_norm.weight", "blk.1.ffn_gnom.weight"), "blk.1.ffn_norm.weight"},
		"width":        {patchUint32(t, whole, "handscroll.embedding_length", 64), "token_embd.weight"},
		"odd width":    {patchUint32(t, whole, "handscroll.embedding_length", 30), "width"},
		"layers":       {patchUint32(t, whole, "handscroll.block_count", 3), "blk.2."},
		"no layers":    {patchUint32(t, whole, "handscroll.block_count", 0), "self_layers"},
		"experts":      {patchUint32(t, whole, "handscroll.expert_count", 200), "ffn_gate_inp.weight"},
		"top k":        {patchUint32(t, whole, "handscroll.expert_used_count", 5), "top_k"},
		"vocabulary":   {patchUint32(t, whole, "handscroll.vocab_size", 281), "pieces"},
		"rope":         {patchUint32(t, whole, "handscroll.rope.freq_base", bits(float32(math.NaN()))), "rope_base"},
		"bias":         {patchUint32(t, whole, "handscroll.absent_bias", bits(float32(math.Inf(1)))), "absent_bias"},
		"special":      {patchUint32(t, whole, "tokenizer.ggml.special_count", 4), "special_count"},
		"not a number": {nan, "entry.attn_output.weight"},
	} {
		if _, err := loadBytes(c.file); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v does not say %q", name, err, c.says)
		}
	}
}

// TestHostileConfig sets each hyper-parameter to its largest values: an error,
// before memory is taken that the file's size does not account for.
func TestHostileConfig(t *testing.T) {
	_, whole := savedModel(t, tensor.F32)
	var c Config
	for _, x := range c.fields() {
		for _, v := range []uint32{0, 1, 16, 64, 256, 1024, 8192, 1 << 16, 1 << 20, 1 << 31, math.MaxUint32} {
			var before, after runtime.MemStats
			b := patchUint32(t, whole, x.key, v)
			runtime.ReadMemStats(&before)
			m, err := loadBytes(b)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20+uint64(16*len(whole)) {
				t.Errorf("%s = %d: %d bytes taken for a file of %d", x.key, v, n, len(whole))
			}
			if err == nil {
				if err := decodeSome(t, m); err != nil {
					t.Errorf("%s = %d: %v", x.key, v, err)
				}
			}
		}
	}
}

// TestHostileBytes changes random bytes: an error, or a model that answers
// something.
func TestHostileBytes(t *testing.T) {
	_, whole := savedModel(t, tensor.F32)
	r := rand.New(rand.NewPCG(1, 2))
	data := len(whole) / 4 // headers and vocabulary come first
	for i := range 200 {
		b := bytes.Clone(whole)
		end := len(b)
		if i%2 == 0 {
			end = data
		}
		for range 1 + r.IntN(3) {
			b[r.IntN(end)] = byte(r.Uint32())
		}
		if m, err := loadBytes(b); err == nil && i%10 == 0 {
			_ = decodeSome(t, m) // any answer will do
		}
	}
}

// TestHostileWeights answers with weights that are all zero, or large, or make
// infinities and NaNs of every activation: an answer or an error.
func TestHostileWeights(t *testing.T) {
	for scale, works := range map[float32]bool{0: true, 3: true, 1e30: false} {
		m, _ := savedModel(t, tensor.F32)
		for i := range m.Params.Data {
			m.Params.Data[i] *= scale
		}
		got, err := loadBytes(fileOf(t, m, tensor.F32))
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeSome(t, got); (err == nil) != works || err != nil && !strings.Contains(err.Error(), "damaged") {
			t.Errorf("weights times %g: %v", scale, err)
		}
	}
}

// decodeSome reads a little text and takes three steps of an answer.
func decodeSome(t *testing.T, m *Native) error {
	t.Helper()
	ids := m.Tokens.Encode([]int32{tokenizer.BOS}, []byte("the quick brown fox jumps over the lazy dog"))
	d := m.NewDecoder(readAll(m, ids, []int{0, len(ids)}), ids[3:9])
	for range 3 {
		st, err := d.Next(context.Background())
		if err != nil {
			return err
		}
		if st.ID < 0 || int(st.ID) >= m.Config.Vocab || st.Source >= len(ids) {
			t.Fatalf("step to id %d of %d from position %d of %d", st.ID, m.Config.Vocab, st.Source, len(ids))
		}
	}
	return nil
}

// TestFormatsDocument holds docs/formats.md to the names that are written.
func TestFormatsDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	want := func(name string) {
		if !bytes.Contains(doc, []byte("`"+name+"`")) {
			t.Errorf("docs/formats.md does not name %s", name)
		}
	}
	layer := regexp.MustCompile(`^(blk|cross)\.\d+\.`)
	for _, experts := range []int{0, 4} {
		c := tinyConfig()
		c.Experts = experts
		for _, p := range tinyModel(t, c).Params.List {
			name := layer.ReplaceAllString(p.Name, "$1.N.")
			if _, ff, ok := strings.Cut(name, ".N.ffn_"); ok && ff != "norm.weight" {
				name = "ffn_" + ff
			}
			want(name)
		}
	}
	_, b := savedModel(t, tensor.F32)
	f, err := gguf.Parse(b, "test.gguf")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range f.Meta.Keys() {
		want(key)
	}
}
