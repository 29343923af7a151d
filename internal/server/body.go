package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
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
	all    *bodies       // that are in memory; nil if this one is not kept there
	held   int64         // of all, for this one
	read   int64
	begun  bool // something was read
	over   bool // there is no more to read
	broken bool // or nothing that can be read
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
	if b.read += int64(n); b.all != nil && b.read > b.held {
		// Its length was not announced.
		if e := b.hold(max(b.read, 2*b.held)); e != nil {
			b.broken = true
			return n, e
		}
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

// hold counts a body that is to be kept in memory, as so many bytes, until it is let go.
func (b *body) hold(n int64) *backend.Error {
	if n = min(n, b.limit); n <= smallBody {
		return nil
	}
	if e := b.all.take(n-b.held, n); e != nil {
		return e
	}
	b.held = n
	return nil
}

// letGo is called when the request has ended.
func (b *body) letGo() {
	if b.all != nil {
		b.all.give(b.held)
		b.held = 0
	}
}

const (
	// smallBody is what bodies may have that are not counted: questions are asked also
	// where there is no memory for texts. Connections are bounded, and so are these.
	smallBody = 64 << 10
	// bodyMemory is what a byte of a body takes of memory until it is answered: as it
	// came, as what JSON says, and as a text.
	bodyMemory = 4
	// bodyRetry is when to come back if there is no memory for a body.
	bodyRetry = 5 * time.Second
)

// bodies bounds the bytes of bodies that are in memory at once.
type bodies struct {
	limit int64

	mu   sync.Mutex
	used int64
}

// take adds n bytes of a body that has all.
func (b *bodies) take(n, all int64) *backend.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.limit {
		e := backend.Errorf(backend.Busy, "the bodies of requests have %d bytes of the %d that there is memory for, and this one has %d: try again later, or upload it as a file", b.used, b.limit, all)
		e.RetryAfter = bodyRetry
		return e
	}
	b.used += n
	return nil
}

func (b *bodies) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

func (b *bodies) bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
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
		r.linger()
	}
}

// linger has the library close the connection for writing first, and for reading some
// time later, as it does where a body was too large: a client that is still sending
// reads the answer then, and meets no reset before it.
func (r *response) linger() {
	_, _ = http.MaxBytesReader(r.ResponseWriter, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1))
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
