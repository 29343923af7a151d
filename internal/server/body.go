package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// minPace is how many bytes of a body must come in each stretch of time. Long uploads
// may take hours; who sends a byte now and then may not.
const minPace = 4 << 10

// body is a request's body, within its limit and at a pace. Its errors are
// [*backend.Error].
type body struct {
	io.ReadCloser
	conn  *http.ResponseController
	limit int64
	pace  time.Duration
	left  time.Duration // of this stretch; waiting for the reader does not count
	since int           // bytes in this stretch
	over  bool          // there is no more to read
}

func newBody(w http.ResponseWriter, r *http.Request, limit int64, pace time.Duration) *body {
	return &body{
		ReadCloser: http.MaxBytesReader(w, r.Body, limit), conn: http.NewResponseController(w),
		limit: limit, pace: pace, left: pace, over: r.Body == http.NoBody,
	}
}

func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	// Where a connection has no deadlines, as in tests without one, there is nothing
	// to be done, here and below.
	_ = b.conn.SetReadDeadline(start.Add(max(b.left, time.Millisecond)))
	n, err := b.ReadCloser.Read(p)
	// At the end the server goes on reading, to see whether the client leaves: that
	// may take as long as the answer does.
	_ = b.conn.SetReadDeadline(time.Time{})
	b.left -= time.Since(start)
	if b.since += n; b.since >= minPace {
		b.left, b.since = b.pace, 0
	}
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		b.over = true
		return n, err
	case errors.As(err, &long):
		return n, &backend.Error{Kind: backend.TooLarge, Message: tooLarge(b.limit), Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := backend.Errorf(backend.Invalid, "the request's body came too slowly: less than %d bytes in %s", minPace, b.pace)
		e.Err = err
		return n, e
	}
	return n, &backend.Error{Kind: backend.Invalid, Message: "the request's body broke off", Err: err}
}

// abandon is called after the answer: what is left of a body that nobody wanted is not
// waited for long.
func (b *body) abandon() {
	if !b.over {
		_ = b.conn.SetReadDeadline(time.Now().Add(min(b.pace, 2*time.Second)))
	}
}

// response counts what is written, and bounds the time that the client may take to take
// it.
type response struct {
	http.ResponseWriter
	conn   *http.ResponseController
	pace   time.Duration
	status int // 0 before headers
	bytes  int64
}

func newResponse(w http.ResponseWriter, pace time.Duration) *response {
	return &response{ResponseWriter: w, conn: http.NewResponseController(w), pace: pace}
}

// deadline gives the client some time from now. A deadline that cannot be set is not
// needed, as in body.
func (r *response) deadline() { _ = r.conn.SetWriteDeadline(time.Now().Add(r.pace)) }

// relax takes it away: over HTTP/2 one that passes ends the stream, even if nothing
// waits to be written.
func (r *response) relax() { _ = r.conn.SetWriteDeadline(time.Time{}) }

func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.deadline()
	defer r.relax()
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// FlushError sends what is buffered.
func (r *response) FlushError() error {
	r.deadline()
	defer r.relax()
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.conn.Flush()
}

// Flush implements [http.Flusher]; the next Write has the error.
func (r *response) Flush() { _ = r.FlushError() }

// Unwrap is for [http.ResponseController].
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
