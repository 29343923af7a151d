package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

func TestRequestsPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h holder
		h.update(KeyLimits{RequestsPerMinute: 6}, time.Now())
		enter := func() time.Duration {
			t.Helper()
			err := h.enter(time.Now(), true)
			if err == nil {
				h.leave()
				return 0
			}
			if err.Kind != backend.Busy {
				t.Fatalf("%+v", err)
			}
			return err.RetryAfter
		}
		for range 6 {
			if wait := enter(); wait != 0 {
				t.Fatalf("refused for %s", wait)
			}
		}
		wait := enter()
		if wait <= 0 || wait > 10*time.Second {
			t.Fatalf("told to wait %s", wait)
		}
		if err := h.enter(time.Now(), false); err != nil {
			t.Errorf("a chunk is refused: %v", err)
		}
		// Who comes back when told to gets in, once.
		time.Sleep(wait)
		if again := enter(); again != 0 {
			t.Errorf("told to wait %s more", again)
		}
		if enter() == 0 {
			t.Error("two got in")
		}
		time.Sleep(24 * time.Hour)
		n := 0
		for enter() == 0 {
			n++
		}
		if n != 6 {
			t.Errorf("%d at once after a day", n)
		}
		h.update(KeyLimits{}, time.Now())
		if enter() != 0 {
			t.Error("the limit was taken away, and still holds")
		}
	})
}

func TestConcurrentRequests(t *testing.T) {
	var h holder
	h.update(KeyLimits{Concurrent: 2, RequestsPerMinute: 3}, time.Now())
	now := time.Now()
	for range 2 {
		if err := h.enter(now, true); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 { // which must not use up the minute's
		if err := h.enter(now, true); err == nil || err.RetryAfter <= 0 {
			t.Fatalf("a third runs: %v", err)
		}
	}
	h.leave()
	if err := h.enter(now, true); err != nil {
		t.Error(err)
	}
}

func TestTokensPerDay(t *testing.T) {
	var h holder
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	h.update(KeyLimits{TokensPerDay: 100}, noon)
	h.spend(noon, 99)
	if err := h.afford(noon); err != nil {
		t.Error(err)
	}
	h.spend(noon, 50)
	if err := h.afford(noon); err == nil || err.Kind != backend.Busy || err.RetryAfter != 12*time.Hour {
		t.Errorf("%+v", err)
	}
	if err := h.afford(noon.Add(12 * time.Hour)); err != nil {
		t.Error(err)
	}
}
