package handscroll

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/sample"
)

// Message is one turn of a conversation with open weights.
type Message struct {
	Role       string // system, user, assistant or tool
	Content    string
	Calls      []ToolCall // of an assistant
	ToolCallID string     // of a tool: the call that it answers
	Name       string     // of a tool
}

// ToolCall is an assistant's request to run a tool.
type ToolCall struct {
	ID, Name  string
	Arguments json.RawMessage // an object; empty for one without members
}

// Dialogue returns the tokens of a conversation in the model's chat format, with the
// beginning of its next answer. Tools are objects as OpenAI's API describes them:
// {"type": "function", "function": {"name": …}}.
func (w *Weights) Dialogue(ctx context.Context, messages []Message, tools []json.RawMessage) ([]int32, error) {
	list := make([]engine.Message, len(messages))
	for i, m := range messages {
		list[i] = engine.NewMessage(m.Role, m.Content)
		list[i].ToolCallID, list[i].Name = m.ToolCallID, m.Name
		for _, c := range m.Calls {
			list[i].ToolCalls = append(list[i].ToolCalls, engine.ToolCall{ID: c.ID, Name: c.Name, Arguments: c.Arguments})
		}
	}
	return w.w.Dialogue(ctx, list, tools)
}

// SessionBytes returns the memory that a session of n tokens takes with keys and
// values kept as cache says.
func (w *Weights) SessionBytes(cache string, n int) (int64, error) {
	f, err := cacheFormat(cache)
	if err != nil {
		return 0, err
	}
	return int64(w.w.SequenceBytes(f, n)), nil
}

// Embed returns the unit vector of a text of these tokens.
func (w *Weights) Embed(ctx context.Context, ids []int32) ([]float32, error) {
	f, err := cacheFormat("")
	if err != nil {
		return nil, err
	}
	return w.w.Embed(ctx, ids, f)
}

// Session is a sequence of tokens that open weights have read, for programs that
// write their own prompts. It belongs to one goroutine; sessions of the same weights
// that run at once share passes over them.
type Session struct {
	w       *Weights
	s       *engine.Session
	release func() error
}

// NewSession returns an empty session. What o says of sampling is not used.
func (w *Weights) NewSession(o WeightsOptions) (*Session, error) {
	so, _, err := o.engine()
	if err != nil {
		return nil, err
	}
	s, err := w.w.NewSession(so)
	if err != nil {
		return nil, err
	}
	return &Session{w, s, nil}, nil
}

// OpenSession returns the session that Save has stored in dir, to be forked and
// closed.
func (w *Weights) OpenSession(dir string, o WeightsOptions) (*Session, error) {
	so, _, err := o.engine()
	if err != nil {
		return nil, err
	}
	s, release, err := w.w.OpenSession(dir, so)
	if err != nil {
		return nil, err
	}
	return &Session{w, s, release}, nil
}

// Save stores what the session holds in dir, which must not hold anything yet.
func (s *Session) Save(dir string) error { return s.s.Save(dir) }

// Close gives back what OpenSession mapped; forks must not be used afterwards.
func (s *Session) Close() error {
	if s.release == nil {
		return nil
	}
	return s.release()
}

// Fork returns a session that has read the same and goes on by itself.
func (s *Session) Fork() *Session { return &Session{s.w, s.s.Fork(), nil} }

// IDs returns the tokens that the session holds.
func (s *Session) IDs() []int32 { return slices.Clone(s.s.IDs()) }

// Common returns how many of the first of ids the session holds.
func (s *Session) Common(ids []int32) int {
	n, held := 0, s.s.IDs()
	for n < len(ids) && n < len(held) && ids[n] == held[n] {
		n++
	}
	return n
}

// Len returns how many tokens the session holds.
func (s *Session) Len() int { return s.s.Len() }

// Read makes the session hold exactly ids. What it holds of them from the beginning
// is not read again: kept says how many. Progress may be nil. When ctx is cancelled,
// the session holds what was read until then. A prompt that is longer than the
// session may be is a [*ContextError].
func (s *Session) Read(ctx context.Context, ids []int32, progress func(done, total int)) (kept int, err error) {
	return s.s.Prefill(ctx, ids, progress)
}

// ChosenToken is a token of an answer, and the likeliest in its place if they were
// asked for.
type ChosenToken struct {
	Token
	Top []Token
}

// Generation is an answer of a session.
type Generation struct {
	Text   string
	Tokens []ChosenToken // its end included
	Finish string        // stop, length or context
	Stop   string        // the stop text that ended it
}

// Generate answers what was read. top is how many of the likeliest tokens are to be
// told of at each place. emit, if not nil, is called with each piece of text as soon
// as it is certain, and the tokens since the piece before; if it fails, Generate stops
// and returns that error.
func (s *Session) Generate(ctx context.Context, o Sampling, top int, emit func(text string, tokens []ChosenToken) error) (*Generation, error) {
	g, err := o.engine()
	if err != nil {
		return nil, err
	}
	g.Logprobs = top
	if err := g.Validate(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var pending []ChosenToken
	var say func(string)
	if emit != nil {
		g.Chosen = func(c sample.Choice) { pending = append(pending, s.chosen(c)) }
		say = func(text string) {
			if ctx.Err() != nil {
				return
			}
			if err := emit(text, pending); err != nil {
				stop(err)
			}
			pending = nil
		}
	}
	a, err := s.s.Generate(ctx, g, say)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause // also if the last piece could not be emitted
	}
	if err != nil {
		return nil, err
	}
	out := &Generation{Text: a.Text, Finish: string(a.Finish), Stop: a.Stop}
	for _, c := range a.Tokens {
		out.Tokens = append(out.Tokens, s.chosen(c))
	}
	return out, nil
}

func (s *Session) chosen(c sample.Choice) ChosenToken {
	t := ChosenToken{Token: Token{c.ID, s.w.w.Text(c.ID), c.Logprob}}
	for _, o := range c.Top {
		t.Top = append(t.Top, Token{o.ID, s.w.w.Text(o.ID), o.Logprob})
	}
	return t
}
