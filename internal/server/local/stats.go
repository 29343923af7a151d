package local

import (
	"sync/atomic"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// counters are what has been done.
type counters struct {
	readTokens, cachedTokens, answerTokens atomic.Int64
	readTime, answerTime                   atomic.Int64 // nanoseconds
	hits, misses                           atomic.Int64
}

func (c *counters) read(tokens int64, d time.Duration) {
	c.readTokens.Add(tokens)
	c.readTime.Add(int64(d))
}

func (c *counters) answer(tokens int64, d time.Duration) {
	c.answerTokens.Add(tokens)
	c.answerTime.Add(int64(d))
}

// prompt counts a prompt of which some tokens did not have to be read.
func (c *counters) prompt(tokens, cached int) {
	c.cachedTokens.Add(int64(cached))
	switch {
	case cached > 0:
		c.hits.Add(1)
	case tokens > 0:
		c.misses.Add(1)
	}
}

// Stats returns what the backend has done and what it is doing.
func (b *Backend) Stats() backend.Stats {
	c := &b.count
	s := backend.Stats{
		ReadTokens: c.readTokens.Load(), CachedTokens: c.cachedTokens.Load(), AnswerTokens: c.answerTokens.Load(),
		ReadSeconds: time.Duration(c.readTime.Load()).Seconds(), AnswerSeconds: time.Duration(c.answerTime.Load()).Seconds(),
		PrefixHits: c.hits.Load(), PrefixMisses: c.misses.Load(),
		QuotaBytes: b.quota, MemoryBytes: b.memory, Models: len(b.models),
	}
	for _, m := range b.models {
		m.gate.mu.Lock()
		for c := range classes {
			s.Running += m.gate.running[c]
			s.Waiting += len(m.gate.waiting[c])
		}
		s.Refused += m.gate.refused
		m.gate.mu.Unlock()
	}
	n, count := b.entries.bytes()
	sessions, saved := b.sessions.onDisk()
	s.Stored, s.StoredBytes = count+saved, n+b.files.bytes()+sessions
	b.entries.mu.Lock()
	s.Evicted, s.ContextBytes = b.entries.evicted, b.entries.memory
	b.entries.mu.Unlock()
	s.ContextBytes += b.sessions.bytes()
	return s
}
