package nn

import (
	"container/list"
	"sync"

	"github.com/handscroll/handscroll/internal/kernel"
)

// ExpertCache keeps some of the experts of all layers laid out, those used last, for
// models whose weights are larger than memory: the others are laid out anew from
// the mapped file when a token needs them. Passes over layers that share a cache
// take turns at it.
type ExpertCache struct {
	mu    sync.Mutex
	size  int // bytes that the largest expert takes
	most  int // experts
	held  map[*Gated]*list.Element
	order *list.List // of *heldExpert, used last first

	// Loads and Hits count experts that were needed: laid out for it, and held.
	Loads, Hits int
}

type heldExpert struct {
	expert *Gated
	memory []byte
}

// NewExpertCache makes a cache of at most budget bytes for the experts of layers. It
// returns nil if there is no room for two.
func NewExpertCache(budget int, layers ...*MoE) *ExpertCache {
	c := &ExpertCache{held: map[*Gated]*list.Element{}, order: list.New()}
	for _, l := range layers {
		for _, e := range l.Experts {
			c.size = max(c.size, LaidSize(e.Blocks()...))
		}
	}
	if c.size == 0 || budget/c.size < 2 {
		return nil
	}
	c.most = budget / c.size
	for _, l := range layers {
		l.Cache = c
	}
	return c
}

// Blocks returns the matrices of a feed-forward that a file stores.
func (l *Gated) Blocks() (out []*Blocks) {
	for _, w := range []Weight{l.GateUp, l.Down} {
		if b, _ := unbiased(w); b != nil {
			out = append(out, b)
		}
	}
	return out
}

// need lays out an expert, in place of the one that was used least lately if there
// is no more room. The cache must be locked, and the experts of a wave no more than
// it holds.
func (c *ExpertCache) need(team *Team, e *Gated) {
	if at := c.held[e]; at != nil {
		c.Hits++
		c.order.MoveToFront(at)
		return
	}
	c.Loads++
	var memory []byte
	if c.order.Len() < c.most {
		memory = kernel.Memory(c.size)
	} else {
		last := c.order.Remove(c.order.Back()).(*heldExpert)
		delete(c.held, last.expert)
		for _, b := range last.expert.Blocks() {
			b.drop()
		}
		memory = last.memory
	}
	lay(team, nil, memory, e.Blocks())
	c.held[e] = c.order.PushFront(&heldExpert{e, memory})
}
