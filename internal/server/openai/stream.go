package openai

import (
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/sse"
)

// stream sends events. While nothing is to be said, comments keep the connection: a
// long prompt may take minutes to read. The first waits for a while, so that what
// goes wrong at once has a status of its own.
type stream struct {
	h     *handler
	w     http.ResponseWriter
	r     *http.Request
	start time.Time

	mu   sync.Mutex
	sse  *sse.Writer
	last time.Time // that something was sent
	err  error     // that ended it
}

func (h *handler) newStream(w http.ResponseWriter, r *http.Request) *stream {
	now := time.Now()
	return &stream{h: h, w: w, r: r, start: now, sse: sse.NewWriter(w), last: now}
}

// send sends v, in an event of a name if there is one.
func (s *stream) send(name string, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.last = time.Now()
		s.err = s.sse.Event(name, v)
	}
	return s.err
}

// busy says that nothing is to be said yet.
func (s *stream) busy(p *backend.Progress) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && time.Since(s.last) >= s.h.keepAlive {
		s.last = time.Now()
		text := "waiting"
		if !p.Waiting {
			text = fmt.Sprintf("reading %d of %d tokens", p.Tokens, p.Total)
		}
		s.err = s.sse.Comment(text)
	}
	return s.err
}

// done ends a stream as clients of OpenAI's API expect it.
func (s *stream) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.sse.Text("[DONE]")
	}
}

// fail says what went wrong: with a status if nothing was sent, in an event otherwise.
// It returns the error if it is for a stream to send in its own way.
func (s *stream) fail(err error) *backend.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || left(s.r.Context(), err) {
		return nil // nobody is there
	}
	e := asError(err)
	if !s.sse.Sent() {
		s.h.fail(s.w, s.r, err)
		return nil
	}
	s.h.logError(s.r.Context(), e)
	return e
}

// failData says it in an event without a name.
func (s *stream) failData(err error) {
	if e := s.fail(err); e != nil {
		body, _ := wire(e)
		if s.send("", map[string]wireError{"error": body}) == nil {
			s.done()
		}
	}
}

// progressOf is how far reading has come, as it is sent.
func (s *stream) progressOf(p *backend.Progress) *progress {
	return &progress{
		Total: p.Total, Cache: p.Cached, Processed: p.Tokens, TimeMS: time.Since(s.start).Milliseconds(),
		Fraction: number(p.Fraction), Rate: number(p.Rate), LeftMS: p.Left.Milliseconds(), Source: p.Source, Waiting: p.Waiting,
	}
}

// number keeps what JSON cannot say out of it.
func number(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// newID makes an ID as OpenAI's API has them.
func newID(prefix string) string { return prefix + rand.Text() }
