package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

func TestProgressLine(t *testing.T) {
	p := handscroll.Progress{Bytes: 250, Total: 1000, Tokens: 120000, Elapsed: 4 * time.Second}
	if got, want := progressLine(p), "reading  25 %  120000 tokens  30.0k tokens/s  12s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShareLine(t *testing.T) {
	if got, want := shareLine("quantising", 250e6, 1e9, 4*time.Second), "quantising  25 %  250 MB of 1 GB  12s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := shareLine("quantising", 0, 0, time.Second), "quantising   0 %  0 B of 0 B"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProgressIsSilentInAPipe(t *testing.T) {
	var b bytes.Buffer
	s := newProgress(&b)
	s.update(handscroll.Progress{Bytes: 1, Total: 2, Tokens: 1, Elapsed: time.Second})
	s.share("quantising", 1, 2, time.Second)
	s.clear()
	if b.Len() > 0 {
		t.Errorf("%q", b.String())
	}
}
