package local

import (
	"slices"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Stored sessions take no places of those in memory.
func TestForgetCountsMemory(t *testing.T) {
	s := new(sessions)
	for range keptSessions + 1 {
		s.list = append(s.list, &kept{stored: "x"})
	}
	for i := range keptSessions + 2 {
		s.list = append(s.list, &kept{used: time.Unix(int64(i), 0)})
	}
	s.forget(endless, nil)
	if n := len(s.list); n != 2*keptSessions+1 || s.list[n-keptSessions].used.Unix() != 2 {
		t.Errorf("%d are left", n)
	}
}

// A stored session that nobody uses is closed after a time, and opened again.
func TestIdleSessions(t *testing.T) {
	b := openTiny(t, Options{})
	doc := backend.Part{Data: []byte(haystack(1, 2<<10, gateLine)), Name: "notes.txt"}
	stored, err := b.Store(t.Context(), backend.NewStored{Model: "tiny", Messages: say(doc)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := tinyRequest(text(gateAsk))
	r.Context = stored.ID
	var first string
	for i := range 2 {
		a := generate(t, b, r)
		if i == 0 {
			first = a.Choices[0].Text
		}
		if a.Choices[0].Text != first || a.Usage.Cached == 0 {
			t.Errorf("%q, then %q, %+v", first, a.Choices[0].Text, a.Usage)
		}
		b.sessions.sweep(time.Now().Add(idleTime))
		if slices.ContainsFunc(b.sessions.list, func(k *kept) bool { return k.stored != "" }) {
			t.Error("it is still open")
		}
	}
	// What is wrong is named by its place in the request, not after what is stored.
	r.Messages = append(r.Messages, backend.Message{Role: "robot"})
	_, err = b.Generate(t.Context(), r, nil)
	if e, ok := err.(*backend.Error); !ok || e.Param != "messages[1].role" {
		t.Errorf("%#v", err)
	}
}
