package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/prompt"
)

// Message is one turn of a conversation.
type Message = prompt.Message

// NewMessage returns a message of a role: system, user, assistant or tool.
func NewMessage(role, content string) Message {
	return Message{Role: prompt.Role(role), Content: content}
}

// placeholder stands for texts when a turn is rendered around them: characters for
// private use, that no format looks for.
const placeholder = "\ue0f0\ue0f1\ue0f2"

// turn returns the tokens of a user's turn up to and with the beginning of the message,
// and those after the message with the beginning of its answer.
func (w *Weights) turn(message string) (head, tail []int32, err error) {
	segments, err := w.render(context.Background(), []Message{{Role: prompt.User, Content: placeholder}})
	if err != nil {
		return nil, nil, err
	}
	for i, s := range segments {
		before, after, ok := strings.Cut(s.Text, placeholder)
		if !ok {
			continue
		}
		head = w.begin(w.encode(append(segments[:i:i], prompt.Segment{Text: before + message}), true))
		return head, w.encode(append([]prompt.Segment{{Text: after}}, segments[i+1:]...), false), nil
	}
	return nil, nil, fmt.Errorf("engine: %s: its chat template leaves out the user's message", w.f.Name)
}

// encode returns the ids of segments; begins says that they begin a text.
func (w *Weights) encode(segments []prompt.Segment, begins bool) (ids []int32) {
	for _, s := range segments {
		switch {
		case s.Control:
			ids = w.v.EncodeSpecial(ids, []byte(s.Text))
		case begins:
			ids = w.v.Encode(ids, []byte(s.Text))
		default:
			ids = w.v.EncodeOn(ids, []byte(s.Text))
		}
		begins = s.Control
	}
	return ids
}

// begin puts the token before ids that texts begin with, if the vocabulary wants one
// and the template has not written it.
func (w *Weights) begin(ids []int32) []int32 {
	if v := w.v; v.AddBOS && v.BOS >= 0 && (len(ids) == 0 || ids[0] != v.BOS) {
		return append([]int32{v.BOS}, ids...)
	}
	return ids
}

// plain returns the ids of a text that goes on after another, in which control tokens
// are text.
func (w *Weights) plain(text []byte) []int32 { return w.v.EncodeOn(nil, text) }

// render writes a conversation and the beginning of its next answer in the model's
// chat format.
func (w *Weights) render(ctx context.Context, messages []Message) ([]prompt.Segment, error) {
	w.parse.Do(w.parseTemplate)
	if w.unparsed != nil {
		return nil, w.unparsed
	}
	list, err := w.template.Render(ctx, prompt.Chat{Messages: messages, AddGenerationPrompt: true, Now: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("engine: %s: %w", w.f.Name, err)
	}
	return list, nil
}

// parseTemplate reads the file's chat template, or takes a common format if it has
// none.
func (w *Weights) parseTemplate() {
	v := w.v
	if v == nil {
		w.unparsed = fmt.Errorf("engine: %s: its tokenizer cannot be used: %w", w.file, w.err)
		return
	}
	words := prompt.Vocabulary{BOS: v.ControlText(v.BOS), EOS: v.ControlText(v.EOS), Control: v.Control()}
	if w.template, w.unparsed = prompt.Fallback(words); v.Template != "" {
		w.template, w.unparsed = prompt.Parse(v.Template, words)
	}
	if w.unparsed != nil {
		w.unparsed = fmt.Errorf("engine: %s: %w", w.f.Name, w.unparsed)
	}
}

// Conversation is a chat with open weights. It belongs to one goroutine.
type Conversation struct {
	w        *Weights
	s        *Session
	messages []Message
}

// NewConversation begins a chat; system, if not empty, says how the model is to
// behave.
func (w *Weights) NewConversation(system string, o SessionOptions) (*Conversation, error) {
	s, err := w.NewSession(o)
	if err != nil {
		return nil, err
	}
	c := &Conversation{w: w, s: s}
	if system != "" {
		c.messages = append(c.messages, Message{Role: prompt.System, Content: system})
	}
	return c, nil
}

// Say adds a user's message and answers it, calling emit, if not nil, with each
// piece of the answer. What was read of the conversation before is not read again.
// If it fails, the conversation is as before.
func (c *Conversation) Say(ctx context.Context, text string, o GenerateOptions, emit func(string)) (g *Generation, err error) {
	defer recoverTo(&err)
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("engine: the message is empty")
	}
	messages := append(c.messages[:len(c.messages):len(c.messages)], Message{Role: prompt.User, Content: text})
	segments, err := c.w.render(ctx, messages)
	if err != nil {
		return nil, err
	}
	if _, err := c.s.Prefill(ctx, c.w.begin(c.w.encode(segments, true)), nil); err != nil {
		return nil, err
	}
	if g, err = c.s.Generate(ctx, o, emit); err != nil {
		return nil, err
	}
	c.messages = append(messages, Message{Role: prompt.Assistant, Content: g.Text})
	return g, nil
}

// Reset forgets all turns but the system's.
func (c *Conversation) Reset() {
	if len(c.messages) > 0 && c.messages[0].Role == prompt.System {
		c.messages = c.messages[:1]
		return
	}
	c.messages = nil
}

// Tokens returns how many tokens the conversation has.
func (c *Conversation) Tokens() int { return c.s.Len() }
