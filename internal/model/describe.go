package model

import (
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
)

// LayerShape is the shape of a layer's attention.
type LayerShape struct {
	Heads, HeadDim int
	KVHeads        int // 0: the layer reads the keys and values of an earlier one
	Window         int // tokens that are looked back at, the own one included; 0 is all
}

// Outline is LoadTransformer without what takes time or memory for a large file:
// what it returns has the model's sizes, and is not to be run.
func Outline(f *gguf.File) (*Transformer, error) { return loadTransformer(f, true) }

// LayerShapes returns the shape of each layer's attention.
func (m *Transformer) LayerShapes() []LayerShape {
	shapes := make([]LayerShape, m.Layers)
	for i := range shapes {
		a, _, _ := m.forward.parts(i)
		shapes[i] = LayerShape{a.Heads, a.HeadDim, m.kv[i].Heads, a.Window}
	}
	return shapes
}

// ScratchBytes estimates the memory that a pass over t tokens takes beside weights,
// keys and values, rather too much than too little, with weights that are laid out.
func (m *Transformer) ScratchBytes(t, workers int) int {
	const (
		perWorker = 512 << 10 // tiles of attention and of feed-forwards
		gaps      = 8 << 20   // memory is taken in chunks, which are not all filled
	)
	layer, rows, hidden := 0, 0, 0 // the most that a layer takes: floats, elements rounded to int8
	for i := range m.Layers {
		a, dense, moe := m.forward.parts(i)
		heads := (2*a.Heads + 2*a.KVHeads) * a.HeadDim // queries and their results, keys and values
		n, r, h := t*heads, t*max(m.Width, a.Heads*a.HeadDim), t*dense
		if !m.quantised() {
			n, h = n+3*t*dense, 0
		}
		if moe != nil {
			slots := t * m.TopK
			n += t*len(moe.Experts) + slots*m.Width
			r, h = max(r, slots*m.Width), max(h, slots*moe.Hidden)
		}
		layer, rows, hidden = max(layer, n), max(rows, r), max(hidden, h)
	}
	floats := 4*t*m.Width + layer + m.Vocab // the stream of tokens, its norms, what is added
	if g, ok := m.forward.(*gemma4); ok {
		floats += 2 * t * m.Layers * g.perLayer
	}
	// An element in int8 takes up to 2½ bytes, scales and sums included.
	return 4*floats + gaps + (rows+hidden)*5/2 + workers*perWorker
}

// quantised reports whether most weights are multiplied in int8.
func (m *Transformer) quantised() bool {
	elements, _, _ := m.Type.Block()
	return elements > 1
}

// Count is how much of a file's tensors there is.
type Count struct {
	Parameters int64 // in all
	Active     int64 // that a token's pass takes part of: all, but of experts those that it is sent to
	TokenBytes int64 // of the file's tensors that a token's pass reads
}

// Count counts the parameters of f, which m is of.
func (m *Transformer) Count(f *gguf.File) (c Count) {
	for _, t := range f.Tensors {
		n, bytes := Elements(t), int64(len(t.Data))
		c.Parameters += n
		switch {
		case m.Experts > 0 && strings.Contains(t.Name, "_exps."):
			n, bytes = n*int64(m.TopK)/int64(m.Experts), bytes*int64(m.TopK)/int64(m.Experts)
		case t.Name == "per_layer_token_embd.weight", t.Name == "token_embd.weight" && f.Has("output.weight"):
			bytes /= int64(m.Vocab) // one row
		}
		c.Active, c.TokenBytes = c.Active+n, c.TokenBytes+bytes
	}
	return c
}

// Elements returns how many elements a tensor has.
func Elements(t *gguf.Tensor) int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}
