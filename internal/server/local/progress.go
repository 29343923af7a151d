package local

import (
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// progressTracker turns what the engine reports into a request's progress.
type progressTracker struct {
	emit   func(backend.Event) error
	every  time.Duration
	cached int
	total  int // tokens, cached ones included
	fresh  int // tokens that are to be read
	media  int // of them, of films and recordings
	weight map[string]int
	done   map[string]bool
	state  backend.Progress
	begin  time.Time
	last   time.Time
}

func (t *progressTracker) report(p handscroll.Progress) error {
	if t.emit == nil {
		return nil
	}
	s := &t.state
	s.Source, s.Cached, s.Total = p.Source, t.cached, t.total
	before := 0
	if p.Total == 0 { // decoding a film or recording
		if !t.done[p.Source] {
			t.done[p.Source] = true
			t.media += t.weight[s.Source]
		}
		before = t.media
		if p.Length > 0 {
			before -= int(float64(t.weight[p.Source]) * (1 - float64(min(p.At, p.Length))/float64(p.Length)))
		}
	} else {
		before = t.media + int(float64(t.fresh-t.media)*float64(p.Bytes)/float64(p.Total))
	}
	s.Tokens = max(s.Tokens, t.cached+before)
	if t.total > 0 {
		s.Fraction = max(s.Fraction, min(1, float64(s.Tokens)/float64(t.total)))
	}
	if spent := time.Since(t.begin).Seconds(); spent > 0.01 {
		s.Rate = float64(s.Tokens-t.cached) / spent
	}
	if s.Left = 0; s.Rate > 0 {
		s.Left = time.Duration(float64(max(0, t.total-s.Tokens)) / s.Rate * float64(time.Second))
	}
	if s.Fraction < 1 && time.Since(t.last) < t.every {
		return nil
	}
	t.last = time.Now()
	out := *s
	return t.emit(backend.Event{Progress: &out})
}
