package handscroll

import (
	"context"

	"github.com/handscroll/handscroll/internal/engine"
)

// Chat is a conversation with open weights. It belongs to one goroutine.
type Chat struct {
	c    *engine.Conversation
	o    engine.GenerateOptions
	emit func(string)
}

// NewChat begins a conversation; system, if not empty, says how the model is to
// behave.
func (w *Weights) NewChat(system string, o WeightsOptions) (*Chat, error) {
	session, g, err := o.engine()
	if err != nil {
		return nil, err
	}
	c, err := w.w.NewConversation(system, session)
	if err != nil {
		return nil, err
	}
	return &Chat{c, g, o.Emit}, nil
}

// Reply is an answer of a chat.
type Reply struct {
	Text   string
	Tokens int    // of the answer
	Finish string // stop, length (MaxTokens) or context (which is full)
}

// Say adds a message and returns the answer; WeightsOptions.Emit is called with its
// pieces. When ctx is cancelled, the conversation is as before.
func (c *Chat) Say(ctx context.Context, text string) (*Reply, error) {
	g, err := c.c.Say(ctx, text, c.o, c.emit)
	if err != nil {
		return nil, err
	}
	return &Reply{g.Text, len(g.Tokens), string(g.Finish)}, nil
}

// Reset begins anew, with the same system message.
func (c *Chat) Reset() { c.c.Reset() }

// Tokens returns the length of the conversation.
func (c *Chat) Tokens() int { return c.c.Tokens() }
