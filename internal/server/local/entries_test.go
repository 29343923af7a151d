package local

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An entry that nobody uses is closed after a time, and opened again for who asks.
func TestIdleEntries(t *testing.T) {
	b := open(t, Options{})
	ask := request(text(haystack(1, 24<<10, gateLine)), text(gateAsk))
	first := generate(t, b, ask)
	opened := func() (n int) {
		for _, e := range b.entries.list {
			if e.c != nil {
				n++
			}
		}
		return n
	}
	b.entries.sweep(time.Now())
	if n := opened(); n != 1 {
		t.Fatalf("%d are open", n)
	}
	b.entries.sweep(time.Now().Add(idleTime))
	if n := opened(); n != 0 {
		t.Errorf("%d are open", n)
	}
	again := generate(t, b, ask)
	if again.Choices[0].Text != first.Choices[0].Text || again.Usage.Cached == 0 {
		t.Errorf("%q, %+v", again.Choices[0].Text, again.Usage)
	}
}

// What is missing on disk is read again, not answered as if it said nothing.
func TestEntryGone(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	ask := request(text(haystack(1, 24<<10, gateLine)), text(gateAsk))
	first := generate(t, b, ask)
	b.crash()
	for id := range b.entries.list {
		if err := os.RemoveAll(filepath.Join(dir, "entries", id)); err != nil {
			t.Fatal(err)
		}
	}
	again := generate(t, open(t, Options{Dir: dir}), ask)
	if !again.Choices[0].Found || again.Choices[0].Text != first.Choices[0].Text || again.Usage.Cached != 0 {
		t.Errorf("%+v, %+v", again.Choices[0], again.Usage)
	}
}
