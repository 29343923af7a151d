package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string // system, user or assistant
	Content string
}

// segment is a piece of a rendered conversation: the format's own text, in which
// control tokens are parsed, or a message's, in which they are not.
type segment struct {
	text    string
	control bool
}

// placeholder stands for texts when a turn is rendered around them: characters for
// private use, that no format looks for.
const placeholder = "\ue0f0\ue0f1\ue0f2"

// turn returns the tokens before and after a user's message, with the beginning of
// its answer.
func (w *Weights) turn() (head, tail []int32, err error) {
	segments, err := w.render(context.Background(), []Message{{"user", placeholder}})
	if err != nil {
		return nil, nil, err
	}
	for i, s := range segments {
		before, after, ok := strings.Cut(s.text, placeholder)
		if !ok {
			continue
		}
		head, err = w.encode(append(segments[:i:i], segment{before, s.control}))
		if err != nil {
			return nil, nil, err
		}
		if v := w.v; v.AddBOS && v.BOS >= 0 && (len(head) == 0 || head[0] != v.BOS) {
			head = append([]int32{v.BOS}, head...)
		}
		tail, err = w.encode(append([]segment{{after, s.control}}, segments[i+1:]...))
		return head, tail, err
	}
	return nil, nil, fmt.Errorf("engine: %s: its chat template leaves out the user's message", w.f.Name)
}

// encode returns the ids of segments.
func (w *Weights) encode(segments []segment) (ids []int32, err error) {
	if w.v == nil {
		return nil, fmt.Errorf("engine: %s: its tokenizer cannot be used: %w", w.file, w.err)
	}
	for _, s := range segments {
		if s.control {
			ids = w.v.EncodeSpecial(ids, []byte(s.text))
		} else {
			ids = w.v.Encode(ids, []byte(s.text))
		}
	}
	return ids, nil
}

// plain returns the ids of a text in which control tokens are text.
func (w *Weights) plain(text []byte) ([]int32, error) {
	return w.encode([]segment{{string(text), false}})
}

// render writes a conversation and the beginning of its next answer in the model's
// chat format.
func (w *Weights) render(ctx context.Context, messages []Message) ([]segment, error) {
	if w.v == nil {
		return nil, fmt.Errorf("engine: %s: its tokenizer cannot be used: %w", w.file, w.err)
	}
	return w.fallback(messages), nil
}

// fallback is the format of models whose files name none: ChatML if the vocabulary
// has its tokens, else names and colons.
func (w *Weights) fallback(messages []Message) (out []segment) {
	chatML := len(w.v.EncodeSpecial(nil, []byte("<|im_start|>"))) == 1
	for _, m := range messages {
		before, after := m.Role+": ", "\n"
		if chatML {
			before, after = "<|im_start|>"+m.Role+"\n", "<|im_end|>\n"
		}
		out = append(out, segment{before, true}, segment{m.Content, false}, segment{after, true})
	}
	if chatML {
		return append(out, segment{"<|im_start|>assistant\n", true})
	}
	return append(out, segment{"assistant:", true})
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
		c.messages = append(c.messages, Message{"system", system})
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
	messages := append(c.messages[:len(c.messages):len(c.messages)], Message{"user", text})
	segments, err := c.w.render(ctx, messages)
	if err != nil {
		return nil, err
	}
	ids, err := c.w.encode(segments)
	if err != nil {
		return nil, err
	}
	if v := c.w.v; v.AddBOS && v.BOS >= 0 && ids[0] != v.BOS {
		ids = append([]int32{v.BOS}, ids...)
	}
	if _, err := c.s.Prefill(ctx, ids, nil); err != nil {
		return nil, err
	}
	if g, err = c.s.Generate(ctx, o, emit); err != nil {
		return nil, err
	}
	c.messages = append(messages, Message{"assistant", g.Text})
	return g, nil
}

// Reset forgets all turns but the system's.
func (c *Conversation) Reset() {
	if len(c.messages) > 0 && c.messages[0].Role == "system" {
		c.messages = c.messages[:1]
		return
	}
	c.messages = nil
}

// Tokens returns how many tokens the conversation has.
func (c *Conversation) Tokens() int { return c.s.Len() }
