package server

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// again is a server on the same keys, as a process that is started anew.
func (h *house) again(t *testing.T) *house {
	return newHouse(t, func(o *Options) { o.Keys = h.keys })
}

func TestRestartsForgiveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newHouse(t, nil)
		key, other := first.add(t, "ann", KeyLimits{TokensPerDay: 4}), first.add(t, "bob", KeyLimits{TokensPerDay: 100})
		want := func(h *house, what, key string, code int) {
			t.Helper()
			if w := ask(h, "POST", local+openaiPath, "two words", "X-Goog-Api-Key", key); w.Code != code {
				t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, code)
			}
		}
		first.open(t)
		want(first, "at first", key, 200)
		want(first, "at first", other, 200)
		time.Sleep(spentEvery + time.Second)
		killed := first.again(t)
		want(killed, "after a kill", key, 429)
		want(killed, "after a kill, another", other, 200)
		// Who has not come to the second process is not forgotten by the third.
		_, _, stop := killed.again(t).open(t)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		second := first.again(t)
		_, _, stop = second.open(t)
		want(second, "another alone", other, 200)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		third := first.again(t)
		want(third, "after a server that had not seen it", key, 429)
		time.Sleep(24 * time.Hour)
		want(third, "the next day", key, 200)
		want(first.again(t), "the next day, anew", key, 200)
	})
}

func TestSpentFileThatIsDamaged(t *testing.T) {
	h := newHouse(t, nil)
	key := h.add(t, "ann", KeyLimits{TokensPerDay: 4})
	if err := os.WriteFile(strings.TrimSuffix(h.keys.path, "keys.json")+"spent.json", []byte(`{"day":`), 0o600); err != nil {
		t.Fatal(err)
	}
	h = h.again(t)
	if w := ask(h, "POST", local+openaiPath, "two words", "X-Goog-Api-Key", key); w.Code != 200 || !strings.Contains(h.logs.String(), "have spent") {
		t.Errorf("%d %s; logs %s", w.Code, w.Body, h.logs)
	}
}
