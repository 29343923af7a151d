package engine

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
)

// native adapts the native model.
type native struct{ *model.Native }

func (n native) Prefiller() func(dst kvcache.Run, ids []int32, pos, lead int) {
	s := new(nn.Scratch)
	return func(dst kvcache.Run, ids []int32, pos, lead int) { n.Prefill(s, dst, ids, pos, lead) }
}

func (n native) NewDecoder(view kvcache.View, question []int32) Decoder {
	return n.Native.NewDecoder(view, question)
}

// OpenModel reads a model's GGUF file.
func OpenModel(path string) (*Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return load(f, path)
}

// ParseModel reads a model from the bytes of a GGUF file called name.
func ParseModel(data []byte, name string) (*Model, error) {
	f, err := gguf.Parse(data, name)
	if err != nil {
		return nil, err
	}
	return load(f, name)
}

func load(f *gguf.File, path string) (m *Model, err error) {
	defer recoverTo(&err)
	n, err := model.LoadNative(f)
	if err != nil {
		return nil, fmt.Errorf("engine: %s: %w", path, err)
	}
	name, err := f.Meta.String("general.name")
	if err != nil {
		name = model.Architecture
	}
	m = NewModel(name, n.Fingerprint, n.Tokens, native{n})
	m.senses, m.locate, m.query = &n.Senses, n.Locate, n.AskerQuery
	if h := n.Senses.Hearing; h != nil {
		if e := &h.Config.Ears; e.Key != m.id.DK || e.Value != m.id.DV {
			return nil, fmt.Errorf("engine: %s: entries of sound of %d and %d, of text of %d and %d", path, e.Key, e.Value, m.id.DK, m.id.DV)
		}
		m.words = encoder.NewWords(h.Lexicon, h.Prior)
		m.dictionary = encoder.NewDictionary(h.Lexicon.Words)
	}
	if v := n.Senses.Seeing; v != nil && (v.Config.Value != m.id.DV || v.Config.Value != m.id.DK) {
		return nil, fmt.Errorf("engine: %s: values of scenes of %d, keys and values of text of %d and %d", path, v.Config.Value, m.id.DK, m.id.DV)
	}
	return m, nil
}
