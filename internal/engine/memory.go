package engine

import (
	"fmt"
)

// MemoryError says that a context does not fit into memory.
type MemoryError struct {
	Tokens int64 // estimated
	Bytes  int64 // that they and their text need
	Max    int64 // that may be used
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("engine: a context of about %d tokens needs %s of memory; %s may be used",
		e.Tokens, formatBytes(e.Bytes), formatBytes(e.Max))
}

// formatBytes writes a size with three digits.
func formatBytes(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x, u := float64(n)/1000, 0
	for x >= 999.5 && u < len(units)-1 {
		x /= 1000
		u++
	}
	return fmt.Sprintf("%.3g %cB", x, units[u])
}

// MemoryLimit is what Options.MaxMemory 0 stands for: nine tenths of the memory
// that is available now, or 0 where the system does not say.
func MemoryLimit() int64 { return available() / 10 * 9 }

// checkMemory refuses plans that will not fit, before they are read. Texts are
// in memory already, so they count against an explicit limit only.
func (c *Context) checkMemory(plans []*plan) error {
	var text int64
	for _, p := range plans {
		text += int64(len(p.text))
	}
	tokens := int64(float64(text)*c.density(plans)*1.02) + int64(len(plans))
	need := tokens * int64(c.model.EntryBytes())
	limit := c.opts.MaxMemory
	if limit > 0 {
		tokens += int64(c.Tokens())
		need = tokens * int64(c.model.EntryBytes())
		for _, s := range c.pages.Segments() {
			text += int64(len(s.Text))
		}
		need += text
	} else {
		limit = MemoryLimit()
	}
	if limit > 0 && need > limit {
		return &MemoryError{Tokens: tokens, Bytes: need, Max: limit}
	}
	return nil
}

// density estimates tokens a byte from samples spread over the texts.
func (c *Context) density(plans []*plan) float64 {
	const samples, sampleBytes = 32, 8 << 10
	var text, tokens int
	for i := range samples {
		p := plans[i*len(plans)/samples]
		from := 0
		if room := len(p.text) - sampleBytes; room > 0 {
			from = room / samples * i
		}
		s := p.text[from:min(len(p.text), from+sampleBytes)]
		text += len(s)
		tokens += len(c.model.tok.Encode(nil, s))
	}
	return float64(tokens) / float64(max(text, 1))
}

// checkGrowth stops a Read whose estimate was too low; nothing is dropped to
// make it fit.
func (c *Context) checkGrowth(tokens int) error {
	if c.opts.MaxMemory == 0 {
		return nil
	}
	var all, text int64
	for _, s := range c.pages.Segments() {
		all += int64(s.Tokens())
		text += int64(len(s.Text))
	}
	if need := all*int64(c.model.EntryBytes()) + text; need > c.opts.MaxMemory {
		return &MemoryError{Tokens: all, Bytes: need, Max: c.opts.MaxMemory}
	}
	return nil
}
