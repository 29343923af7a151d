package openai

import (
	"net/http"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// responseStream sends a response as named events, numbered from 0.
type responseStream struct {
	*stream
	u         *turn
	seq       int
	begun     bool
	messageID string
	answer    sentAnswer
}

type fields map[string]any

// event sends an event of a type.
func (s *responseStream) event(typ string, f fields) error {
	if f == nil {
		f = fields{}
	}
	f["type"], f["sequence_number"] = typ, s.seq
	s.seq++
	return s.send(typ, f)
}

func (h *handler) streamResponse(w http.ResponseWriter, r *http.Request, u *turn) {
	s := &responseStream{stream: h.newStream(w, r), u: u, messageID: newID("msg_")}
	u.req.Progress = true
	resp, err := h.b.Generate(r.Context(), u.req, s.emit)
	if err == nil {
		err = s.end(resp)
	}
	if err != nil {
		s.failed(u.t.located(err))
	}
}

func (s *responseStream) emit(e backend.Event) error {
	switch {
	case e.Progress != nil && s.u.body.ReturnProgress:
		if err := s.begin(); err != nil {
			return err
		}
		return s.event("response.prompt_progress", fields{"prompt_progress": s.progressOf(e.Progress)})
	case e.Progress != nil:
		return s.busy(e.Progress)
	case e.Delta != nil && e.Delta.Index == 0:
		return s.piece(e.Delta.Text, e.Delta.Tokens)
	}
	return nil
}

// begin says that there is a response.
func (s *responseStream) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	if err := s.event("response.created", fields{"response": &s.u.out}); err != nil {
		return err
	}
	return s.event("response.in_progress", fields{"response": &s.u.out})
}

// piece sends a further piece of the answer, which is the first item of the output.
func (s *responseStream) piece(text string, tokens []backend.Token) error {
	if err := s.begin(); err != nil {
		return err
	}
	if !s.answer.begun {
		s.answer.begun = true
		item := &messageItem{"message", s.messageID, "in_progress", "assistant", []outputText{}}
		if err := s.event("response.output_item.added", fields{"output_index": 0, "item": item}); err != nil {
			return err
		}
		part := outputText{Type: "output_text", Annotations: []citation{}, Logprobs: []wireLogprob{}}
		if err := s.inMessage("response.content_part.added", fields{"part": part}); err != nil {
			return err
		}
	}
	if text == "" && len(tokens) == 0 {
		return nil
	}
	s.answer.text.WriteString(text)
	logprobs := []wireLogprob{}
	if s.u.req.Logprobs >= 0 {
		logprobs = logprobsOf(tokens)
	}
	return s.inMessage("response.output_text.delta", fields{"delta": text, "logprobs": logprobs})
}

// inMessage sends an event about the message's text.
func (s *responseStream) inMessage(typ string, f fields) error {
	f["item_id"], f["output_index"], f["content_index"] = s.messageID, 0, 0
	return s.event(typ, f)
}

// end sends what is left, and the whole response.
func (s *responseStream) end(resp *backend.Response) error {
	if len(resp.Choices) == 1 {
		c := &resp.Choices[0]
		text, tokens, err := s.answer.rest(c)
		if err != nil {
			return err
		}
		if text != "" || s.answer.begun || len(c.Calls) == 0 {
			if err := s.piece(text, tokens); err != nil {
				return err
			}
		}
	}
	if err := s.begin(); err != nil {
		return err
	}
	if err := s.u.complete(resp, s.messageID); err != nil {
		return err
	}
	for i, item := range s.u.out.Output {
		var err error
		switch item := item.(type) {
		case *messageItem:
			err = s.endMessage(item)
		case *callItem:
			err = s.call(i, item)
		}
		if err != nil {
			return err
		}
	}
	return s.event("response."+s.u.out.Status, fields{"response": &s.u.out})
}

func (s *responseStream) endMessage(item *messageItem) error {
	part := item.Content[0]
	for i, a := range part.Annotations {
		if err := s.inMessage("response.output_text.annotation.added", fields{"annotation_index": i, "annotation": a}); err != nil {
			return err
		}
	}
	if err := s.inMessage("response.output_text.done", fields{"text": part.Text, "logprobs": part.Logprobs}); err != nil {
		return err
	}
	if err := s.inMessage("response.content_part.done", fields{"part": part}); err != nil {
		return err
	}
	return s.event("response.output_item.done", fields{"output_index": 0, "item": item})
}

func (s *responseStream) call(index int, item *callItem) error {
	begun := *item
	begun.Status, begun.Arguments = "in_progress", ""
	if err := s.event("response.output_item.added", fields{"output_index": index, "item": &begun}); err != nil {
		return err
	}
	if err := s.event("response.function_call_arguments.delta", fields{"output_index": index, "item_id": item.ID, "delta": item.Arguments}); err != nil {
		return err
	}
	if err := s.event("response.function_call_arguments.done",
		fields{"output_index": index, "item_id": item.ID, "name": item.Name, "arguments": item.Arguments}); err != nil {
		return err
	}
	return s.event("response.output_item.done", fields{"output_index": index, "item": item})
}

// failed says what went wrong: by a response that failed, then by an event that makes
// the SDKs return an error. Fields stand in the event itself, as in OpenAI's
// reference, and in error, where the SDKs look.
func (s *responseStream) failed(err error) {
	e := s.fail(err)
	if e == nil || s.begin() != nil {
		return
	}
	body, _ := wire(e)
	s.u.out.Status, s.u.out.Error = "failed", &responseError{"server_error", e.Message}
	switch e.Kind {
	case backend.Busy:
		s.u.out.Error.Code = "rate_limit_exceeded"
	case backend.Invalid, backend.TooLong, backend.Precondition, backend.NotFound, backend.Unsupported, backend.TooLarge:
		s.u.out.Error.Code = "invalid_prompt"
	}
	if s.event("response.failed", fields{"response": &s.u.out}) != nil {
		return
	}
	// Who it is sent to has left, if it cannot be.
	_ = s.event("error", fields{"code": body.Code, "message": body.Message, "param": body.Param, "error": body})
}
