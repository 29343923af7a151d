package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/handscroll/handscroll/internal/server/sse"
)

// interrupted is a failure after an answer's headers.
type interrupted struct{ err error }

func (e *interrupted) Error() string { return "the answer broke off: " + e.err.Error() }
func (e *interrupted) Unwrap() error { return e.err }

// stream sends a request and hands on the events of its answer. A server that does
// not stream answers all at once, which is one event. A stream that ends before ended
// says so is an error.
func (c *Client) stream(ctx context.Context, url string, v any, event func([]byte) error, ended func() bool) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, call{method: "POST", url: url, body: body, header: http.Header{"Accept": {"text/event-stream"}}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "application/json" {
		return c.whole(resp, event, ended)
	}
	events := sse.NewReader(resp.Body)
	for {
		_, data, err := events.Next()
		switch {
		case err == io.EOF && ended():
			return nil
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
			return &interrupted{&transportError{c.base, errors.New("the connection ended in the middle of the answer"), false}}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return &interrupted{err}
		}
		if string(data) == "[DONE]" {
			if !ended() {
				return &interrupted{&transportError{c.base, errors.New("the answer ended without saying why"), false}}
			}
			return nil
		}
		if err := event(data); err != nil {
			return err
		}
	}
}

// whole takes an answer that came in one piece, or as the array that Gemini's API
// streams.
func (c *Client) whole(resp *http.Response, event func([]byte) error, ended func() bool) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return &interrupted{err}
	}
	events := []json.RawMessage{data}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		if err := json.Unmarshal(data, &events); err != nil {
			return fmt.Errorf("endpoint %s: the answer is no JSON: %w", c.base, err)
		}
	}
	for _, e := range events {
		if err := event(e); err != nil {
			return err
		}
	}
	if !ended() {
		return &interrupted{&transportError{c.base, errors.New("the answer ended without saying why"), false}}
	}
	return nil
}

// late is an error in the middle of an answer. Its code, if that is a number, is the
// status that it would have had.
func (c *Client) late(event []byte) error {
	e := &Error{Endpoint: c.base, Tries: 1}
	e.fill(event)
	e.Message = c.redact(e.Message)
	var doc struct {
		Error struct {
			Code json.RawMessage `json:"code"`
		} `json:"error"`
	}
	// Whatever the code is, fill has taken what can be shown.
	_ = json.Unmarshal(event, &doc)
	_ = json.Unmarshal(doc.Error.Code, &e.Status)
	return &interrupted{e}
}
