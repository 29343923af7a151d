package engine

import (
	"slices"

	"github.com/handscroll/handscroll/internal/kvcache"
)

// Selection is parts of a context.
type Selection struct {
	Context *Context
	Sources []string // of the parts; nil is all
}

// Join returns a context in memory of parts that others have read, in order. Each
// part is as it was read: parts do not depend on one another. What others have half
// read is left out. The result shares memory with them, which must stay open and as
// they are.
func Join(m *Model, opts Options, parts ...Selection) *Context {
	var segments []*kvcache.Segment
	cached := 0
	for _, sel := range parts {
		for _, s := range sel.Context.pages.Segments() {
			of := s.Source
			if n, err := notesOf(s); err == nil && n.Of != "" {
				of = n.Of
			}
			if s.Done() && (sel.Sources == nil || slices.Contains(sel.Sources, of)) {
				segments = append(segments, s)
			}
		}
		cached += sel.Context.cached
	}
	c := &Context{model: m, opts: opts, pages: kvcache.NewMemory(segments)}
	c.refresh()
	c.cached = min(cached, c.Tokens())
	return c
}
