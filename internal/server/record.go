package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// record is what is known of a request, for the log line at its end.
type record struct {
	id     string
	method string
	route  string
	family family
	start  time.Time
	key    string  // its name
	owner  string  // what belongs to it
	holder *holder // nil without a key

	mu    sync.Mutex
	usage backend.Usage
	known bool  // usage
	cause error // of a failure that is the server's own
}

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(recordKey{}).(*record)
	return r
}

func (r *record) limited() bool {
	if r.holder == nil {
		return false
	}
	r.holder.mu.Lock()
	defer r.holder.mu.Unlock()
	return r.holder.limits.TokensPerDay > 0
}

func (r *record) afford() *backend.Error {
	if r.holder == nil {
		return nil
	}
	return r.holder.afford(time.Now())
}

func (r *record) spend(u backend.Usage) {
	r.mu.Lock()
	r.known = true
	r.usage.Prompt += u.Prompt
	r.usage.Cached += u.Cached
	r.usage.Answer += u.Answer
	r.mu.Unlock()
	if r.holder != nil {
		r.holder.spend(time.Now(), int64(u.Prompt-u.Cached+u.Answer))
	}
}

// failed keeps the reason of a failure that the client is not told.
func (r *record) failed(err error) {
	var e *backend.Error
	if errors.As(err, &e) && (e.Kind != backend.Internal && e.Kind != backend.Unavailable || e.Err == nil) {
		return
	}
	if e == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause = err; e != nil {
		r.cause = e.Err
	}
}

// log writes the line. It has the route, never the path: names in paths are content.
func (r *record) log(log *slog.Logger, status int, bytes int64, left bool) {
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelError
	case r.family == control:
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("id", r.id), slog.String("method", r.method), slog.String("route", r.route),
		slog.Int("status", status), slog.Int64("bytes", bytes), slog.Float64("seconds", time.Since(r.start).Seconds()),
	}
	if r.key != "" {
		attrs = append(attrs, slog.String("key", r.key))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		attrs = append(attrs, slog.Int("prompt_tokens", r.usage.Prompt), slog.Int("cached_tokens", r.usage.Cached), slog.Int("answer_tokens", r.usage.Answer))
	}
	if left {
		attrs = append(attrs, slog.Bool("left", true))
	}
	if r.cause != nil {
		attrs = append(attrs, slog.String("cause", r.cause.Error()))
	}
	log.LogAttrs(context.Background(), level, "request", attrs...)
}

// requestID takes the client's ID if it is one that may stand in a log.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); len(id) <= 64 && isToken(id) {
		return id
	}
	return rand.Text()
}

// methodOf bounds what a log can be made to say.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}
