package engine

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
)

// Description is what a file says about its model, and the memory that it would
// take to run. What does not apply to the native model is left out for it.
type Description struct {
	File      string      `json:"file"`
	FileBytes int64       `json:"file_bytes"` // of all parts
	Parts     int         `json:"parts"`
	Types     []TypeShare `json:"types"` // the largest first

	Native       bool   `json:"native"`
	Architecture string `json:"architecture"`
	Name         string `json:"name"`
	Type         string `json:"type"` // of most of the weights

	Parameters int64 `json:"parameters"`
	Active     int64 `json:"active_parameters"`         // in a token's pass: all but of experts those it is not sent to
	TokenBytes int64 `json:"bytes_per_token,omitempty"` // of the file's weights that a token's pass reads

	Layers    int               `json:"layers"`
	Width     int               `json:"width"`
	Attention []AttentionLayers `json:"attention,omitempty"` // each shape that there is
	Experts   int               `json:"experts"`             // a layer; 0 for a dense model
	TopK      int               `json:"experts_used"`        // a token
	Trained   int               `json:"trained_context,omitempty"`

	Vocab          int    `json:"vocabulary"`
	Tokenizer      string `json:"tokenizer"`                 // its kind; "" if there is none
	TokenizerError string `json:"tokenizer_error,omitempty"` // why it cannot be used
	ChatTemplate   bool   `json:"chat_template"`

	Context int        `json:"context"`         // tokens that Memory is for
	Cache   string     `json:"cache,omitempty"` // how keys and values are kept
	Memory  MemoryPlan `json:"memory"`
}

// TypeShare is what a file holds of a type.
type TypeShare struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Bytes   int64  `json:"bytes"`
}

// AttentionLayers are layers whose attention has the same shape.
type AttentionLayers struct {
	Layers  int `json:"layers"`
	Heads   int `json:"heads"`
	KVHeads int `json:"kv_heads"` // 0: they read the keys and values of earlier layers
	HeadDim int `json:"head_dim"`
	Window  int `json:"window"` // tokens; 0 is all
}

// MemoryPlan is the memory, in bytes, that a model would take with a context. Of the
// native model, only what the context takes is known beforehand.
type MemoryPlan struct {
	Weights int64 `json:"weights,omitempty"` // laid out
	Experts int64 `json:"experts,omitempty"` // of these, experts, which can be read from the file when they are needed
	Context int64 `json:"context"`           // keys and values
	Scratch int64 `json:"scratch,omitempty"` // of a pass: an estimate
	Total   int64 `json:"total"`
	Limit   int64 `json:"limit"` // what may be used; 0 if the system does not say
}

// Fits reports whether there is the memory, as far as is known.
func (p MemoryPlan) Fits() bool { return p.Limit <= 0 || p.Total <= p.Limit }

const (
	defaultDescribed = 8192    // tokens of context
	maxDescribed     = 1 << 30 // more would be no number to plan with
)

// Describe says what is in a model file of any architecture and what memory it takes
// with a context of so many tokens, 0 for the smaller of 8192 and what it was trained
// on. Matrices are mapped and not read.
func Describe(path string, context int, cache kvcache.Format) (d *Description, err error) {
	defer recoverTo(&err)
	if context < 0 || context > maxDescribed {
		return nil, fmt.Errorf("engine: a context of %d tokens, want 0 to %d", context, maxDescribed)
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d = &Description{File: f.Name, FileBytes: f.Size, Parts: f.Parts(), Types: typeShares(f), Context: context}
	if arch, err := f.Meta.String("general.architecture"); err == nil && arch == model.Architecture {
		return d, d.native(f)
	}
	return d, d.weights(f, cache)
}

// weights describes open weights.
func (d *Description) weights(f *gguf.File, cache kvcache.Format) error {
	m, err := model.Outline(f)
	if err != nil {
		return err
	}
	d.Architecture, d.Name, d.Type = m.Architecture, m.Name, m.Type.String()
	d.Layers, d.Width, d.Vocab, d.Trained, d.Experts, d.TopK = m.Layers, m.Width, m.Vocab, m.Context, m.Experts, m.TopK
	n := m.Count(f)
	d.Parameters, d.Active, d.TokenBytes = n.Parameters, n.Active, n.TokenBytes
	for _, s := range m.LayerShapes() {
		same := func(a AttentionLayers) bool {
			return a.Heads == s.Heads && a.KVHeads == s.KVHeads && a.HeadDim == s.HeadDim && a.Window == s.Window
		}
		i := slices.IndexFunc(d.Attention, same)
		if i < 0 {
			i = len(d.Attention)
			d.Attention = append(d.Attention, AttentionLayers{0, s.Heads, s.KVHeads, s.HeadDim, s.Window})
		}
		d.Attention[i].Layers++
	}
	d.tokenizer(f)
	if d.Context == 0 {
		d.Context = min(m.Context, defaultDescribed)
	}
	d.Cache = cache.String()
	weights, experts := m.LaidSize()
	p := MemoryPlan{
		Weights: int64(weights), Experts: int64(experts), Context: int64(m.SequenceBytes(cache, d.Context)),
		Scratch: int64(m.ScratchBytes(min(passTokens, d.Context), runtime.GOMAXPROCS(0))), Limit: MemoryLimit(),
	}
	p.Total = p.Weights + p.Context + p.Scratch
	d.Memory = p
	return nil
}

// tokenizer describes the tokenizer of open weights.
func (d *Description) tokenizer(f *gguf.File) {
	text := func(key string) string {
		s, _ := f.Meta.Value(key).(string) // a broken one is in the error below
		return s
	}
	d.Tokenizer = text("tokenizer.ggml.model")
	if pre := text("tokenizer.ggml.pre"); pre != "" {
		d.Tokenizer += " (" + pre + ")"
	}
	d.ChatTemplate = text("tokenizer.chat_template") != ""
	if _, err := model.LoadVocabulary(f); err != nil {
		d.TokenizerError = err.Error()
	}
}

// native describes a model of the native architecture.
func (d *Description) native(f *gguf.File) error {
	m, err := load(f, f.Name)
	if err != nil {
		return err
	}
	c := m.net.(native).Config
	d.Native, d.Architecture, d.Name, d.Type, d.Tokenizer = true, model.Architecture, m.Name(), d.Types[0].Type, model.Architecture
	d.Layers, d.Width, d.Vocab, d.Experts, d.TopK = c.SelfLayers+c.CrossLayers, c.Width, c.Vocab, c.Experts, c.TopK
	for _, t := range f.Tensors {
		n := model.Elements(t)
		d.Parameters += n
		if c.Experts > 0 && strings.Contains(t.Name, "_exps.") {
			n = n * int64(c.TopK) / int64(c.Experts)
		}
		d.Active += n
	}
	if d.Context == 0 {
		d.Context = defaultDescribed
	}
	bytes := int64(d.Context) * int64(m.EntryBytes())
	d.Memory = MemoryPlan{Context: bytes, Total: bytes, Limit: MemoryLimit()}
	return nil
}

// typeShares adds up a file's tensors by type.
func typeShares(f *gguf.File) (shares []TypeShare) {
	for _, t := range f.Tensors {
		name := t.Type.String()
		i := slices.IndexFunc(shares, func(s TypeShare) bool { return s.Type == name })
		if i < 0 {
			i = len(shares)
			shares = append(shares, TypeShare{Type: name})
		}
		shares[i].Tensors++
		shares[i].Bytes += int64(len(t.Data))
	}
	slices.SortStableFunc(shares, func(a, b TypeShare) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return shares
}
