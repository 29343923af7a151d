package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/prompt"
)

// ToolCall is an assistant's request to run a tool.
type ToolCall = prompt.ToolCall

// Dialogue returns the tokens of a conversation in the model's chat format, with the
// beginning of its next answer. Tools are described as OpenAI's API does.
func (w *Weights) Dialogue(ctx context.Context, messages []Message, tools []json.RawMessage) (ids []int32, err error) {
	defer recoverTo(&err)
	w.parse.Do(w.parseTemplate)
	if w.unparsed != nil {
		return nil, w.unparsed
	}
	list, err := w.template.Render(ctx, prompt.Chat{Messages: messages, Tools: tools, AddGenerationPrompt: true, Now: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("engine: %s: %w", w.f.Name, err)
	}
	return w.begin(w.encode(list, true)), nil
}

// SequenceBytes returns the memory that a session of n tokens takes.
func (w *Weights) SequenceBytes(f kvcache.Format, n int) int { return w.m.SequenceBytes(f, n) }

// IDs returns the tokens that the session holds, which are not to be changed.
func (s *Session) IDs() []int32 { return s.ids }

// savedIDs is what a stored session's only part is called: its text is the ids,
// little-endian, 4 bytes each.
const savedIDs = "ids"

// Save stores what the session holds in dir, which is created and must not hold
// anything. A directory without a manifest is one that was not finished.
func (s *Session) Save(dir string) error {
	saved, err := kvcache.OpenSaved(dir, s.w.Identity(), s.seq.Format())
	if err != nil {
		return err
	}
	if err := saved.Edit(); err != nil {
		return err
	}
	defer saved.Close()
	text := make([]byte, 0, 4*len(s.ids))
	for _, id := range s.ids {
		text = binary.LittleEndian.AppendUint32(text, uint32(id))
	}
	if err := saved.SetParts([]kvcache.SavedPart{{Source: savedIDs, Bytes: len(text), Tokens: len(s.ids), Text: text}}); err != nil {
		return err
	}
	if _, err := s.seq.SavePages(dir, 0); err != nil {
		return err
	}
	return saved.Commit(len(s.ids), true)
}

// OpenSession returns the session stored in dir. Its pages are mapped; release gives
// them back, after which neither it nor its forks may be used.
func (w *Weights) OpenSession(dir string, o SessionOptions) (s *Session, release func() error, err error) {
	defer recoverTo(&err)
	saved, err := kvcache.OpenSaved(dir, w.Identity(), o.Cache)
	if err != nil {
		return nil, nil, err
	}
	parts := saved.Parts()
	if !saved.Complete() || len(parts) != 1 || parts[0].Source != savedIDs || len(parts[0].Text)%4 != 0 {
		return nil, nil, fmt.Errorf("engine: %s holds no session", dir)
	}
	if s, err = w.NewSession(o); err != nil {
		return nil, nil, err
	}
	text := parts[0].Text
	for ; len(text) > 0; text = text[4:] {
		id := int32(binary.LittleEndian.Uint32(text))
		if id < 0 || int(id) >= w.m.Vocab {
			return nil, nil, fmt.Errorf("engine: %s: token %d of %d", dir, id, w.m.Vocab)
		}
		s.ids = append(s.ids, id)
	}
	n, release, err := s.seq.LoadPages(dir, len(s.ids))
	if err != nil {
		return nil, nil, err
	}
	s.ids = s.ids[:n]
	return s, release, nil
}

// Embed returns the unit vector of a text's tokens: the mean of what the last layer
// makes of them. f is how keys and values are kept meanwhile.
func (w *Weights) Embed(ctx context.Context, ids []int32, f kvcache.Format) (v []float32, err error) {
	defer recoverTo(&err)
	if len(ids) == 0 {
		return nil, errors.New("engine: there are no tokens to embed")
	}
	if len(ids) > w.m.Context {
		return nil, &ContextError{len(ids), w.m.Context, w.f.Name}
	}
	if err := w.Prepare(0, nil); err != nil {
		return nil, err
	}
	v = make([]float32, w.m.Width)
	seq := w.m.NewSequence(f, 0)
	for part := range slices.Chunk(ids, passTokens) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := w.batch.forward(ctx, model.Piece{Seq: seq, IDs: part, Hidden: v}); err != nil {
			return nil, err
		}
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("engine: %s gives no direction to the text", w.f.Name)
	}
	for i := range v {
		v[i] *= float32(1 / math.Sqrt(sum))
	}
	return v, nil
}
