package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/handscroll/handscroll"
)

// progress is one line on a terminal, rewritten; elsewhere it is silent.
type progress struct {
	w    io.Writer // nil: silent
	last time.Time
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{w: w}
}

// update shows how far reading is.
func (s *progress) update(p handscroll.Progress) {
	s.show(func() string { return progressLine(p) })
}

// show shows a line, ten times a second at most.
func (s *progress) show(line func() string) {
	if s.w == nil || time.Since(s.last) < 100*time.Millisecond {
		return
	}
	s.last = time.Now()
	fmt.Fprintf(s.w, "\r\x1b[K%s", line())
}

// clear takes the line away.
func (s *progress) clear() {
	if s.w != nil && !s.last.IsZero() {
		fmt.Fprint(s.w, "\r\x1b[K")
	}
}

// progressLine says how far, how fast and how long still.
func progressLine(p handscroll.Progress) string {
	done := float64(p.Bytes) / float64(max(p.Total, 1))
	line := fmt.Sprintf("reading %3.0f %%  %d tokens  %s", 100*done, p.Tokens, rate(p.Tokens, p.Elapsed))
	if p.Elapsed > 2*time.Second && done > 0 && done < 1 {
		left := time.Duration(float64(p.Elapsed) * (1 - done) / done)
		line += fmt.Sprintf("  %s left", left.Round(time.Second))
	}
	return line
}
