package model

import (
	"fmt"
	"slices"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Vocabulary is a file's tokenizer and the tokens that mean something to an
// engine, −1 where the file names none.
type Vocabulary struct {
	*tokenizer.Open
	BOS, EOS, EOT  int32 // of a text, of an answer
	AddBOS, AddEOS bool  // around a text
	Template       string
}

// endTexts are tokens that end an answer in the chat formats of supported models,
// where the file does not say so itself.
var endTexts = []string{"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<turn|>", "<|end|>", "<|return|>", "<|call|>", "<|endoftext|>"}

// Ends returns the tokens that end an answer.
func (v *Vocabulary) Ends() []int32 {
	var ends []int32
	add := func(id int32) {
		if id >= 0 && !slices.Contains(ends, id) {
			ends = append(ends, id)
		}
	}
	add(v.EOS)
	add(v.EOT)
	for _, text := range endTexts {
		if ids := v.EncodeSpecial(nil, []byte(text)); len(ids) == 1 && len(v.Piece(ids[0])) == 0 {
			add(ids[0])
		}
	}
	return ends
}

// LoadVocabulary reads the tokenizer of an open-weights file.
func LoadVocabulary(f *gguf.File) (*Vocabulary, error) {
	const p = "tokenizer.ggml."
	var src tokenizer.Source
	var err error
	if src.Model, err = f.Meta.String(p + "model"); err != nil {
		return nil, err
	}
	if src.Tokens, err = f.Meta.Strings(p + "tokens"); err != nil {
		return nil, err
	}
	if f.Meta.Has(p + "token_type") {
		types, err := f.Meta.Ints(p + "token_type")
		if err != nil {
			return nil, err
		}
		for _, t := range types {
			src.Types = append(src.Types, int32(t))
		}
	}
	if f.Meta.Has(p + "merges") {
		if src.Merges, err = f.Meta.Strings(p + "merges"); err != nil {
			return nil, err
		}
	}
	if f.Meta.Has(p + "scores") {
		if src.Scores, err = f.Meta.Float32s(p + "scores"); err != nil {
			return nil, err
		}
	}
	flag := func(name string, otherwise bool) bool {
		if !f.Meta.Has(p + name) {
			return otherwise
		}
		v, e := f.Meta.Bool(p + name)
		if err == nil {
			err = e
		}
		return v
	}
	text := func(key string) string {
		if !f.Meta.Has(key) {
			return ""
		}
		v, e := f.Meta.String(key)
		if err == nil {
			err = e
		}
		return v
	}
	id := func(name string) int32 {
		if !f.Meta.Has(p + name) {
			return -1
		}
		v, e := f.Meta.Uint32(p + name)
		if e == nil && int(v) >= len(src.Tokens) {
			e = fmt.Errorf("model: %s: %s%s is %d of %d tokens", f.Name, p, name, v, len(src.Tokens))
		}
		if err == nil {
			err = e
		}
		return int32(v)
	}
	src.Pre, src.AddSpacePrefix = text(p+"pre"), flag("add_space_prefix", true)
	// SentencePiece and Gemma 4 begin with BOS unless told otherwise.
	v := &Vocabulary{
		BOS: id("bos_token_id"), EOS: id("eos_token_id"), EOT: id("eot_token_id"), Template: text("tokenizer.chat_template"),
		AddBOS: flag("add_bos_token", src.Model != "gpt2"), AddEOS: flag("add_eos_token", false),
	}
	if err != nil {
		return nil, err
	}
	if v.Open, err = tokenizer.NewOpen(src); err != nil {
		return nil, fmt.Errorf("model: %s: %w", f.Name, err)
	}
	return v, nil
}
