package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxTries = 6                // in a row that got nowhere
	maxPause = 30 * time.Second // of our own choice
	maxAfter = 5 * time.Minute  // of the server's
)

// transientError is one that may be gone at the next try.
type transientError struct {
	error
	after time.Duration // that the server asks to wait
}

func (e *transientError) Unwrap() error { return e.error }

// retry calls try until it succeeds, fails for good, or fails maxTries times
// without advancing. It calls waiting, if not nil, before each pause.
func (c *Client) retry(ctx context.Context, waiting func(error), try func() (advanced bool, err error)) error {
	for failed := 0; ; {
		advanced, err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var t *transientError
		if !errors.As(err, &t) {
			return err
		}
		if advanced {
			failed = 0
		}
		failed++
		if failed == maxTries {
			return fmt.Errorf("%w; given up after %d tries", err, maxTries)
		}
		if t.after > maxAfter {
			return fmt.Errorf("%w; the server asks to wait for %s", err, t.after.Round(time.Second))
		}
		if waiting != nil {
			waiting(err)
		}
		// Half to one and a half of the pause: those who were cut off together
		// do not come back together.
		pause := min(c.pause<<(failed-1), maxPause)
		pause = max(pause/2+rand.N(pause+1), t.after)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// retryAfter is what a Retry-After header asks for, in seconds or as a date
// (RFC 9110, 10.2.3); 0 if it asks for nothing.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
