package local

import (
	"bytes"
	"image"
	"image/png"
	"runtime"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Who waits for memory does not hold up those who have it.
func TestMemoryAndPlaces(t *testing.T) {
	b := open(t, Options{})
	m := b.models[0]
	m.gate.limit = [2]int{1, 1}
	hay := text(haystack(1, 24<<10, gateLine))
	first := generate(t, b, request(hay, text(gateAsk)))
	need := int64(first.Usage.Prompt * m.native.EntryBytes())
	s := b.entries
	hold := func(n int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.memory += n
		close(s.changed)
		s.changed = make(chan struct{})
	}
	b.memory = 2 * need
	hold(need + need/2) // others
	small := make(chan error, 1)
	go func() {
		out, err := b.Generate(t.Context(), request(hay, text(gateAsk)), nil)
		if err == nil && out.Choices[0].Text != first.Choices[0].Text {
			t.Errorf("%q, alone %q", out.Choices[0].Text, first.Choices[0].Text)
		}
		small <- err
	}()
	for placed := false; !placed; runtime.Gosched() {
		m.gate.mu.Lock()
		placed = m.gate.running[quick] == 1
		m.gate.mu.Unlock()
	}
	// It is read in the other class, has its memory, and needs the place.
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	large := make(chan error, 1)
	go func() {
		_, err := b.Generate(t.Context(), request(backend.Part{Data: picture.Bytes()}, text("What does the sign say?")), nil)
		large <- err
	}()
	select {
	case err := <-large:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a request that has its memory waits for one that has none")
	}
	hold(-need - need/2)
	if err := <-small; err != nil {
		t.Error(err)
	}
	if m.gate.running != [2]int{} || m.gate.starved != [2]int{} || m.gate.inside != 0 {
		t.Errorf("running %v, starved %v, %d inside", m.gate.running, m.gate.starved, m.gate.inside)
	}
}
