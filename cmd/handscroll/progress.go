package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/handscroll/handscroll"
)

// progress is one line on a terminal, rewritten; elsewhere it is silent.
type progress struct {
	w    io.Writer // nil: silent
	last time.Time
}

func newProgress(w io.Writer) *progress {
	if !isTerminal(w) {
		return &progress{}
	}
	return &progress{w: w}
}

// update shows how far reading is.
func (s *progress) update(p handscroll.Progress) {
	s.show(func() string { return progressLine(p) })
}

// share shows how many of total bytes a command is done with.
func (s *progress) share(doing string, done, total int64, took time.Duration) {
	s.show(func() string { return shareLine(doing, done, total, took) })
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
	if p.At > 0 || p.Length > 0 {
		return mediumLine(p)
	}
	done := float64(p.Bytes) / float64(max(p.Total, 1))
	line := fmt.Sprintf("reading %3.0f %%  %d tokens  %s", 100*done, p.Tokens, rate(p.Tokens, p.Elapsed))
	return line + timeLeft(done, p.Elapsed)
}

// mediumLine says how far into a film or recording reading has come, and how fast.
func mediumLine(p handscroll.Progress) string {
	speed := p.At.Seconds() / max(p.Elapsed.Seconds(), 1e-3)
	line := fmt.Sprintf("watching %s  %s", filepath.Base(p.Source), p.At.Round(time.Second))
	if p.Length == 0 {
		return line + fmt.Sprintf("  %.0f times as fast as it plays", speed)
	}
	share := p.At.Seconds() / p.Length.Seconds()
	return line + fmt.Sprintf(" of %s  %.0f %%  %.0f times as fast as it plays", p.Length.Round(time.Second), 100*share, speed) + timeLeft(share, p.Elapsed)
}

// shareLine says what is done, how much of it and how long still.
func shareLine(doing string, done, total int64, took time.Duration) string {
	share := float64(done) / float64(max(total, 1))
	return fmt.Sprintf("%s %3.0f %%  %s of %s", doing, 100*share, formatBytes(done), formatBytes(total)) + timeLeft(share, took)
}

// timeLeft says how long the rest takes, once that can be told.
func timeLeft(share float64, took time.Duration) string {
	if took <= 2*time.Second || share <= 0 || share >= 1 {
		return ""
	}
	left := time.Duration(float64(took) * (1 - share) / share)
	return fmt.Sprintf("  %s left", left.Round(time.Second))
}
