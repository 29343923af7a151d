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

// The rest of a body that nobody wanted is taken before the answer, so that the
// connection can go on, if it is short and comes soon.
const (
	maxRest  = 256 << 10
	restTime = 2 * time.Second
)

// body is a request's body, within its limit and at a pace. Its errors are
// [*backend.Error].
type body struct {
	io.ReadCloser
	conn   *http.ResponseController
	limit  int64
	pace   time.Duration
	left   time.Duration // of this stretch; waiting for the reader does not count
	since  int           // bytes in this stretch
	begun  bool          // something was read
	over   bool          // there is no more to read
	broken bool          // or nothing that can be read
}

func newBody(w http.ResponseWriter, r *http.Request, limit int64, pace time.Duration) *body {
	return &body{
		ReadCloser: http.MaxBytesReader(w, r.Body, limit), conn: http.NewResponseController(w),
		limit: limit, pace: pace, left: pace, over: r.Body == http.NoBody,
	}
}

func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	b.begun = true
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
	if err == nil {
		return n, nil
	}
	b.over, b.broken = err == io.EOF, err != io.EOF
	var long *http.MaxBytesError
	switch {
	case b.over:
		return n, err
	case errors.As(err, &long):
		return n, &backend.Error{Kind: backend.TooLarge, Message: tooLarge(b.limit), Err: err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := backend.Errorf(backend.TooSlow, "the request's body came too slowly: less than %d bytes in %s", minPace, b.pace)
		e.Err = err
		return n, e
	}
	return n, &backend.Error{Kind: backend.Invalid, Message: "the request's body broke off", Err: err}
}

// settle takes the rest of the body, and reports whether the connection can be used
// again. If it cannot, nothing waits for the client any more.
func (b *body) settle() bool {
	if !b.over && !b.broken {
		_ = b.conn.SetReadDeadline(time.Now().Add(restTime))
		_, err := io.CopyN(io.Discard, b.ReadCloser, maxRest)
		b.over, b.broken = err == io.EOF, err != io.EOF
	}
	if b.broken {
		_ = b.conn.SetReadDeadline(time.Now())
		return false
	}
	_ = b.conn.SetReadDeadline(time.Time{})
	return true
}

// response counts what is written, and bounds the time that the client may take to take
// it.
type response struct {
	http.ResponseWriter
	conn    *http.ResponseController
	in      *body
	expects bool // the client waits to be asked for the body
	pace    time.Duration
	status  int // 0 before headers
	bytes   int64
}

func newResponse(w http.ResponseWriter, r *http.Request, in *body, pace time.Duration) *response {
	return &response{ResponseWriter: w, conn: http.NewResponseController(w), in: in, expects: r.Header.Get("Expect") != "", pace: pace}
}

// deadline gives the client some time from now. A deadline that cannot be set is not
// needed, as in body.
func (r *response) deadline() { _ = r.conn.SetWriteDeadline(time.Now().Add(r.pace)) }

// relax takes it away: over HTTP/2 one that passes ends the stream, even if nothing
// waits to be written.
func (r *response) relax() { _ = r.conn.SetWriteDeadline(time.Time{}) }

// begin is called before headers are written. The library reads the rest of a body
// then, for as long as that takes; so here it is read first, or given up.
func (r *response) begin(status int) {
	if r.status != 0 {
		return
	}
	r.status = status
	if r.expects && !r.in.begun {
		r.in.broken = !r.in.over // it will not be sent
	}
	if !r.in.settle() {
		r.Header().Set("Connection", "close")
	}
}

func (r *response) WriteHeader(status int) {
	if status >= 200 {
		r.begin(status)
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	r.begin(http.StatusOK)
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
	r.begin(http.StatusOK)
	return r.conn.Flush()
}

// Flush implements [http.Flusher]; the next Write has the error.
func (r *response) Flush() { _ = r.FlushError() }

// Unwrap is for [http.ResponseController].
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
