package engine

import "fmt"

// MemoryError says that a context, or a model's weights, do not fit into memory.
type MemoryError struct {
	What   string // needs it; "" is a context of Tokens tokens
	Tokens int64  // estimated
	Bytes  int64  // that they and their text need
	Max    int64  // that may be used
}

func (e *MemoryError) Error() string {
	if e.What != "" {
		return fmt.Sprintf("engine: %s need %.1f MB of memory; %.1f MB may be used", e.What, float64(e.Bytes)/1e6, float64(e.Max)/1e6)
	}
	return fmt.Sprintf("engine: a context of about %d tokens needs %.1f MB of memory; %.1f MB may be used",
		e.Tokens, float64(e.Bytes)/1e6, float64(e.Max)/1e6)
}

// MemoryLimit is what Options.MaxMemory 0 stands for: nine tenths of the memory
// that is available now, or 0 where the system does not say.
func MemoryLimit() int64 { return available() / 10 * 9 }

// checkMemory refuses plans that will not fit, before they are read. It returns
// how many tokens they may have at most, as the estimate can be too low; 0 is no
// bound. Texts are in memory already, so they count against an explicit limit
// only.
func (c *Context) checkMemory(plans []*plan) (most int, err error) {
	entry := int64(c.model.EntryBytes())
	held, limit := int64(0), c.opts.MaxMemory
	var text int64
	for _, p := range plans {
		text += int64(len(p.text))
	}
	estimate := int64(float64(text)*c.density(plans)*1.02) + int64(len(plans))
	if limit > 0 {
		held = c.heldBytes(plans)
	} else {
		limit = MemoryLimit()
	}
	if limit <= 0 {
		return 0, nil
	}
	if need := held + estimate*entry; need > limit {
		return 0, &MemoryError{Tokens: int64(c.Tokens()) + estimate, Bytes: need, Max: limit}
	}
	return int((limit - held) / entry), nil
}

// heldBytes is what the context's entries and all texts take before plans are
// read.
func (c *Context) heldBytes(plans []*plan) int64 {
	n := int64(c.Tokens()) * int64(c.model.EntryBytes())
	for _, s := range c.pages.Segments() {
		n += int64(len(s.Text))
	}
	for _, p := range plans {
		if !p.begun {
			n += int64(len(p.text))
		}
	}
	return n
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
