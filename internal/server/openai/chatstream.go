package openai

import (
	"net/http"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// chatStream sends chunks of a chat completion.
type chatStream struct {
	*stream
	t         *translator
	model     *backend.Model
	head      chatCompletion
	logprobs  bool
	progress  bool // is asked for
	withUsage bool
	single    bool // at most one call
	answers   []sentAnswer
}

// sentAnswer is what was sent of one answer.
type sentAnswer struct {
	begun bool
	text  strings.Builder
}

func (h *handler) streamChat(w http.ResponseWriter, r *http.Request, body *chatRequest, req *backend.Request, m *backend.Model, t *translator) {
	s := &chatStream{
		stream: h.newStream(w, r), t: t, model: m,
		logprobs: req.Logprobs >= 0, progress: body.ReturnProgress, single: one(body.ParallelToolCalls),
		withUsage: body.StreamOptions != nil && body.StreamOptions.IncludeUsage,
		answers:   make([]sentAnswer, req.Count),
	}
	s.head = chatCompletion{ID: newID("chatcmpl-"), Object: "chat.completion.chunk", Created: s.start.Unix(), Model: m.ID}
	req.Progress = true
	resp, err := h.b.Generate(r.Context(), req, s.event)
	if err == nil {
		err = s.end(resp)
	}
	if err != nil {
		s.failData(t.located(err))
		return
	}
	s.done()
}

func (s *chatStream) event(e backend.Event) error {
	switch {
	case e.Progress != nil && s.progress:
		c := s.chunk()
		c.Progress = s.progressOf(e.Progress)
		return s.send("", c)
	case e.Progress != nil:
		return s.busy(e.Progress)
	case e.Delta != nil:
		return s.piece(e.Delta.Index, e.Delta.Text, e.Delta.Tokens)
	}
	return nil
}

func (s *chatStream) chunk(choices ...chatChoice) chatCompletion {
	c := s.head
	if c.Choices = choices; choices == nil {
		c.Choices = []chatChoice{}
	}
	if s.withUsage {
		c.Usage = (*wireUsage)(nil)
	}
	return c
}

func (s *chatStream) delta(i int, d chatDelta) error {
	return s.send("", s.chunk(chatChoice{Index: i, Delta: &d}))
}

// piece sends a further piece of an answer, and its role before the first.
func (s *chatStream) piece(i int, text string, tokens []backend.Token) error {
	if i < 0 || i >= len(s.answers) {
		return backend.Errorf(backend.Internal, "answer %d of %d", i, len(s.answers))
	}
	a := &s.answers[i]
	if !a.begun {
		a.begun = true
		empty := ""
		if err := s.delta(i, chatDelta{Role: "assistant", Content: &empty}); err != nil {
			return err
		}
	}
	if text == "" && len(tokens) == 0 {
		return nil
	}
	a.text.WriteString(text)
	c := chatChoice{Index: i, Delta: &chatDelta{Content: &text}}
	if s.logprobs {
		c.Logprobs = &chatLogprob{Content: logprobsOf(tokens)}
	}
	return s.send("", s.chunk(c))
}

// end sends what is left of each answer: its end, its calls, and why it ended.
func (s *chatStream) end(resp *backend.Response) error {
	for i := range resp.Choices {
		c := &resp.Choices[i]
		if i >= len(s.answers) {
			return backend.Errorf(backend.Internal, "answer %d of %d", i, len(s.answers))
		}
		tail, tokens, err := s.answers[i].rest(c)
		if err != nil {
			return err
		}
		if err := s.piece(i, tail, tokens); err != nil {
			return err
		}
		if calls := callsOf(c.Calls, s.single, true); len(calls) > 0 {
			if err := s.delta(i, chatDelta{ToolCalls: calls}); err != nil {
				return err
			}
		}
		finish := finishReason(c.Finish)
		last := chatChoice{Index: i, Finish: &finish, Delta: &chatDelta{
			Annotations: s.t.chatCitations(c.Text, c.Evidence), chatExtra: s.t.extra(c, s.model),
		}}
		end := s.chunk(last)
		end.Skipped = skippedOf(&resp.Skipped)
		if err := s.send("", end); err != nil {
			return err
		}
	}
	if s.withUsage {
		c := s.chunk()
		c.Usage = usageOf(&resp.Usage)
		return s.send("", c)
	}
	return nil
}

// rest is what of an answer has not been sent in pieces; its tokens are sent with
// them, or all at the end.
func (a *sentAnswer) rest(c *backend.Choice) (text string, tokens []backend.Token, err error) {
	text, ok := strings.CutPrefix(c.Text, a.text.String())
	if !ok {
		return "", nil, backend.Errorf(backend.Internal, "the answer is not what was streamed of it")
	}
	if !a.begun {
		tokens = c.Tokens
	}
	return text, tokens, nil
}
