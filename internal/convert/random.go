package convert

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/tensor"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// RandomShape is the shape of a model whose speed is to be measured: its weights
// are noise of about the size that trained ones have.
type RandomShape struct {
	Name                          string
	Arch                          string // llama, qwen3moe or qwen3
	Layers, Width, Vocab, Context int
	Heads, KVHeads, HeadDim       int
	Hidden, Experts, TopK         int  // Experts 0 is dense
	Bytes                         bool // with a vocabulary: bytes and the control tokens of ChatML
}

// RandomShapes are the shapes that engines are compared with: a like Mixtral, b
// like Qwen3-MoE, c that of Qwen3-0.6B. mixtral is Mixtral 8x7B, tiny is for tests.
var RandomShapes = []RandomShape{
	{"a", "llama", 12, 1024, 32000, 131072, 8, 2, 128, 3584, 8, 2, false},
	{"b", "qwen3moe", 10, 1024, 50304, 131072, 16, 2, 128, 256, 128, 8, false},
	{"c", "qwen3", 28, 1024, 151936, 131072, 16, 8, 128, 3072, 0, 0, false},
	{"mixtral", "llama", 32, 4096, 32000, 32768, 32, 8, 128, 14336, 8, 2, false},
	{"tiny", "qwen3moe", 2, 256, 259, 8192, 4, 2, 64, 256, 4, 2, true},
}

// Random writes a model of random weights of a shape: all matrices in one type, or
// in the mixture that is called Q4_K_M. But for the tiny one, it has no vocabulary.
func Random(path string, shape RandomShape, typ string, seed uint64) error {
	g := random{w: gguf.NewWriter(), s: shape, typ: strings.ToUpper(typ), rng: rand.NewPCG(seed, 0x72616e646f6d)}
	switch g.typ {
	case "Q8_0", "Q4_K_M", "Q6_K", "F16", "MXFP4":
	default:
		return fmt.Errorf("convert: random weights of type %q, want q8_0, q4_k_m, q6_k, mxfp4 or f16", typ)
	}
	g.metadata()
	g.tensors()
	return g.w.WriteFile(path)
}

type random struct {
	w   *gguf.Writer
	s   RandomShape
	typ string
	rng *rand.PCG
}

func (g *random) metadata() {
	s, key := &g.s, g.s.Arch+"."
	g.w.Set("general.architecture", s.Arch)
	g.w.Set("general.name", "random weights of shape "+s.Name)
	for name, v := range map[string]int{
		"block_count": s.Layers, "context_length": s.Context, "embedding_length": s.Width, "vocab_size": s.Vocab,
		"feed_forward_length": s.Hidden, "attention.head_count": s.Heads, "attention.head_count_kv": s.KVHeads,
		"attention.key_length": s.HeadDim, "attention.value_length": s.HeadDim, "rope.dimension_count": s.HeadDim,
	} {
		g.w.Set(key+name, uint32(v))
	}
	if s.Experts > 0 {
		g.w.Set(key+"expert_count", uint32(s.Experts))
		g.w.Set(key+"expert_used_count", uint32(s.TopK))
		g.w.Set(key+"expert_feed_forward_length", uint32(s.Hidden))
	}
	g.w.Set(key+"attention.layer_norm_rms_epsilon", float32(1e-6))
	g.w.Set(key+"rope.freq_base", float32(1e6))
	if s.Bytes {
		g.vocabulary()
		return
	}
	g.w.Set("tokenizer.ggml.model", "no_vocab")
}

// vocabulary sets a byte-level BPE without merges, with the control tokens and the
// template of ChatML.
func (g *random) vocabulary() {
	special := []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
	v := tokenizer.Vocab{Special: len(special)}
	var types []int32
	for _, t := range special {
		v.Pieces, types = append(v.Pieces, []byte(t)), append(types, 3)
	}
	for b := range 256 {
		v.Pieces, types = append(v.Pieces, []byte{byte(b)}), append(types, 1)
	}
	tokens, _ := v.Strings()
	g.w.Set("tokenizer.ggml.model", "gpt2")
	g.w.Set("tokenizer.ggml.pre", "gpt-2")
	g.w.Set("tokenizer.ggml.tokens", tokens)
	g.w.Set("tokenizer.ggml.token_type", types)
	g.w.Set("tokenizer.ggml.merges", []string{})
	g.w.Set("tokenizer.ggml.eos_token_id", uint32(2))
	g.w.Set("tokenizer.ggml.bos_token_id", uint32(0))
	g.w.Set("tokenizer.ggml.add_bos_token", false)
	g.w.Set("tokenizer.chat_template", "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
}

func (g *random) tensors() {
	s := &g.s
	g.matrix("token_embd", 0, s.Vocab, s.Width)
	g.ones("output_norm", s.Width)
	g.matrix("output", 0, s.Vocab, s.Width)
	for i := range s.Layers {
		b := fmt.Sprintf("blk.%d.", i)
		g.ones(b+"attn_norm", s.Width)
		g.ones(b+"ffn_norm", s.Width)
		g.matrix(b+"attn_q", i, s.Heads*s.HeadDim, s.Width)
		g.matrix(b+"attn_k", i, s.KVHeads*s.HeadDim, s.Width)
		g.matrix(b+"attn_v", i, s.KVHeads*s.HeadDim, s.Width)
		g.matrix(b+"attn_output", i, s.Width, s.Heads*s.HeadDim)
		if s.Arch != "llama" {
			g.ones(b+"attn_q_norm", s.HeadDim)
			g.ones(b+"attn_k_norm", s.HeadDim)
		}
		if s.Experts == 0 {
			g.matrix(b+"ffn_gate", i, s.Hidden, s.Width)
			g.matrix(b+"ffn_up", i, s.Hidden, s.Width)
			g.matrix(b+"ffn_down", i, s.Width, s.Hidden)
			continue
		}
		router := make([]float32, s.Experts*s.Width)
		for j := range router {
			router[j] = float32(int8(g.rng.Uint64())) / 4096
		}
		g.w.Add(b+"ffn_gate_inp.weight", tensor.F32, []int{s.Experts, s.Width}, tensor.F32Bytes(router))
		g.matrix(b+"ffn_gate_exps", i, s.Experts, s.Hidden, s.Width)
		g.matrix(b+"ffn_up_exps", i, s.Experts, s.Hidden, s.Width)
		g.matrix(b+"ffn_down_exps", i, s.Experts, s.Width, s.Hidden)
	}
}

func (g *random) ones(name string, n int) {
	g.w.Add(name+".weight", tensor.F32, []int{n}, slices.Repeat([]byte{0, 0, 0x80, 0x3f}, n))
}

// kind is the type of a matrix, in the mixture that is called Q4_K_M.
func (g *random) kind(name string, layer int) tensor.DType {
	switch g.typ {
	case "Q8_0":
		return tensor.Q8_0
	case "Q6_K":
		return tensor.Q6_K
	case "F16":
		return tensor.F16
	case "MXFP4":
		return tensor.MXFP4
	}
	n := g.s.Layers
	more := layer < n/8 || layer >= 7*n/8 || (layer-n/8)%3 == 2
	if name == "output" || more && (strings.HasSuffix(name, "attn_v") || strings.Contains(name, "ffn_down")) {
		return tensor.Q6_K
	}
	return tensor.Q4_K
}

// randomChunk is how many blocks are made at a time.
const randomChunk = 1 << 14

// matrix adds a tensor of noise: bytes at random but for the scales, which make it of
// mean 0 and a deviation of some hundredths. It is made while it is written.
func (g *random) matrix(name string, layer int, shape ...int) {
	t := g.kind(name, layer)
	elements, size, _ := t.Block()
	blocks := 1
	for _, d := range shape {
		blocks *= d
	}
	blocks /= elements
	g.w.AddFunc(name+".weight", t, shape, func(out io.Writer) error {
		data := make([]byte, min(blocks, randomChunk)*size)
		for left := blocks; left > 0; left -= randomChunk {
			part := data[:min(left, randomChunk)*size]
			g.fill(part)
			for p := part; len(p) > 0; p = p[size:] {
				setScales(p, t)
			}
			if _, err := out.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
}

// setScales makes a block of random bytes one of moderate numbers.
func setScales(p []byte, t tensor.DType) {
	half := func(p []byte, x float32) { binary.LittleEndian.PutUint16(p, tensor.FloatToHalf(x)) }
	switch t {
	case tensor.F16:
		half(p, float32(int8(p[0]))/3000)
	case tensor.Q8_0:
		half(p, 0.0004)
	case tensor.MXFP4:
		p[0] = 127 - 6
	case tensor.Q6_K:
		half(p[208:], 0.00002)
	case tensor.Q4_K:
		half(p, 0.0002)
		half(p[2:], 0.0002*7.5)
		copy(p[8:12], p[4:8]) // minima as scales, so that the mean is 0
		for i, x := range p[12:16] {
			p[12+i] = x&15 | x<<4
		}
	}
}

func (g *random) fill(data []byte) {
	for len(data) >= 8 {
		binary.LittleEndian.PutUint64(data, g.rng.Uint64())
		data = data[8:]
	}
	for i := range data {
		data[i] = byte(g.rng.Uint64())
	}
}
