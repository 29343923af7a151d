package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Type is what a model is quantised to: its name, its number in
// general.file_type, and the element type of most matrices.
type Type struct {
	name     string
	fileType uint32
	matrices tensor.DType
}

// The types to quantise to. Q4_K_M is a mix: Q4_K, with more bits where they
// tell most.
var (
	Q8_0   = Type{"q8_0", 7, tensor.Q8_0}
	Q6_K   = Type{"q6_k", 18, tensor.Q6_K}
	Q4_K_M = Type{"q4_k_m", 15, tensor.Q4_K}
)

// ParseType returns the type of a name, in either case.
func ParseType(name string) (Type, error) {
	for _, t := range []Type{Q8_0, Q6_K, Q4_K_M} {
		if strings.EqualFold(name, t.name) {
			return t, nil
		}
	}
	return Type{}, fmt.Errorf("convert: type %q is not known: want q8_0, q6_k or q4_k_m", name)
}

// sensitive are parts of the names of tensors that stay as they are, although
// they may have rows and columns: they are small, and errors in them tell.
var sensitive = []string{"_norm", "ffn_gate_inp", "per_layer_model_proj", "position_embd", "token_types", "conv"}

// stays says whether a tensor keeps its type.
func stays(t *gguf.Tensor) bool {
	if len(t.Shape) < 2 || !strings.HasSuffix(t.Name, ".weight") {
		return true
	}
	for _, s := range sensitive {
		if strings.Contains(t.Name, s) {
			return true
		}
	}
	return false
}

// plan chooses the types of a file's tensors.
type plan struct {
	typ    Type
	layers int
	tied   bool // the embeddings are the output too
}

func newPlan(f *gguf.File, typ Type) plan {
	p := plan{typ: typ, tied: !f.Has("output.weight")}
	for _, t := range f.Tensors {
		if layer, _ := layerOf(t.Name); layer >= p.layers {
			p.layers = layer + 1
		}
	}
	return p
}

// layerOf splits the name of a layer's tensor; other names are of layer −1.
func layerOf(name string) (layer int, rest string) {
	number, rest, ok := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
	layer, err := strconv.Atoi(number)
	if !ok || err != nil || !strings.HasPrefix(name, "blk.") {
		return -1, name
	}
	return layer, rest
}

// target returns the type that a tensor is to have.
func (p plan) target(t *gguf.Tensor) tensor.DType {
	if stays(t) {
		return t.Type
	}
	row := t.Shape[len(t.Shape)-1]
	if row%32 != 0 {
		return t.Type
	}
	want := p.typ.matrices
	if p.typ == Q4_K_M {
		want = p.mixed(t.Name)
	}
	if n, _, _ := want.Block(); row%n == 0 {
		return want
	}
	if want == tensor.Q6_K {
		return tensor.Q8_0
	}
	return tensor.Q5_0
}

// mixed is the type of a tensor in Q4_K_M.
func (p plan) mixed(name string) tensor.DType {
	layer, rest := layerOf(name)
	switch rest {
	case "output.weight":
		return tensor.Q6_K
	case "token_embd.weight":
		if p.tied {
			return tensor.Q6_K
		}
	case "attn_qkv.weight":
		return tensor.Q5_K
	case "attn_v.weight", "ffn_down.weight", "ffn_down_exps.weight", "ffn_down_shexp.weight":
		eighth := p.layers / 8
		if layer < eighth || layer >= 7*p.layers/8 || (layer-eighth)%3 == 2 {
			return tensor.Q6_K
		}
	}
	return tensor.Q4_K
}
