package server

import (
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// holder is what one key uses up. It lives as long as the server.
type holder struct {
	owner string

	mu      sync.Mutex
	limits  KeyLimits
	left    float64   // requests that may come at once
	at      time.Time // when left was right
	running int
	day     int64 // since 1970, in UTC
	spent   int64 // tokens on that day
}

// update takes over limits that were changed.
func (h *holder) update(l KeyLimits, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.RequestsPerMinute != h.limits.RequestsPerMinute {
		h.left, h.at = float64(l.RequestsPerMinute), now
	}
	h.limits = l
}

// enter admits a request, or says why not and when to come back. counted requests are
// those that count as of a minute. leave must be called after one that was admitted.
func (h *holder) enter(now time.Time, counted bool) *backend.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.limits.Concurrent; c > 0 && h.running >= c {
		e := backend.Errorf(backend.Busy, "this key has %d requests running, and may have no more at once", h.running)
		e.RetryAfter = time.Second
		return e
	}
	if n := h.limits.RequestsPerMinute; n > 0 && counted {
		perSecond := float64(n) / 60
		h.left = min(float64(n), h.left+perSecond*now.Sub(h.at).Seconds())
		h.at = now
		if h.left < 1 {
			e := backend.Errorf(backend.Busy, "this key may send %d requests a minute", n)
			e.RetryAfter = time.Duration((1 - h.left) / perSecond * float64(time.Second))
			return e
		}
		h.left--
	}
	h.running++
	return nil
}

func (h *holder) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
}

// afford says no if the tokens of the day are spent. One request may go over: what it
// will take is not known before.
func (h *holder) afford(now time.Time) *backend.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	if n := h.limits.TokensPerDay; n > 0 && h.spent >= n {
		e := backend.Errorf(backend.Busy, "this key has used the %d tokens that it may have a day; a new day begins at midnight UTC", n)
		e.RetryAfter = now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now)
		return e
	}
	return nil
}

func (h *holder) spend(now time.Time, tokens int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	h.spent += tokens
}

// today is how many tokens were spent on the day of now.
func (h *holder) today(now time.Time) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(now)
	return h.spent
}

// turn begins a new day if it is one. h.mu is held.
func (h *holder) turn(now time.Time) {
	if day := now.Unix() / secondsPerDay; day != h.day {
		h.day, h.spent = day, 0
	}
}
