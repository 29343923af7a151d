package sample

import (
	"fmt"
	"slices"
)

// Constraint holds the tokens of one answer to a [Schema]: at each step it
// permits those that can still lead to a complete value, and end tokens exactly
// where the value is complete.
//
// With a vocabulary that has a token for every byte there always is such a
// token.
type Constraint struct {
	vocab   *TokenTrie
	ends    []int32
	m       matcher
	configs []config // the readings of the answer so far
	mask    []uint64 // what may come next, by id
	done    bool     // no token but an end may come
	seen    map[config]bool
	buf     []config
	off     []int
}

// NewConstraint begins an answer. A nil schema is that of any value. The ends are
// the tokens that end an answer, whatever else they stand for.
func NewConstraint(schema *Schema, vocab *TokenTrie, ends []int32) (*Constraint, error) {
	if schema == nil {
		var err error
		if schema, err = anyJSON(); err != nil {
			return nil, err
		}
	}
	c := &Constraint{
		vocab: vocab, ends: slices.Clone(ends), m: matcher{frames: make(map[frame]*frame)},
		configs: []config{{n: schema.root, at: before}}, seen: make(map[config]bool),
		mask: make([]uint64, len(vocab.plainMask)),
	}
	for _, id := range ends {
		if id < 0 || int(id) >= vocab.Size() {
			return nil, fmt.Errorf("sample: end token %d is not one of the %d tokens", id, vocab.Size())
		}
	}
	return c, c.update()
}

// Allowed says whether a token may come next; it is meant for [Sampler.Next].
func (c *Constraint) Allowed(id int32) bool {
	return id >= 0 && int(id) < c.vocab.Size() && c.mask[id/64]>>(id%64)&1 != 0
}

// Done says whether the value is complete and no token but an end may follow.
func (c *Constraint) Done() bool { return c.done }

// Accept goes on by a token. It fails if the token is not allowed, which changes
// nothing, and if no token of the vocabulary can follow it.
func (c *Constraint) Accept(id int32) error {
	if !c.Allowed(id) {
		return fmt.Errorf("sample: token %d is not allowed here", id)
	}
	if slices.Contains(c.ends, id) {
		c.done = true
		clear(c.mask)
		return nil
	}
	configs := slices.Clone(c.configs)
	for _, b := range c.vocab.piece(id) {
		configs = c.advance(nil, configs, b)
	}
	if slices.Equal(configs, c.configs) {
		return nil // as inside a string
	}
	c.configs = configs
	return c.update()
}

// advance appends what configs become by b, each once.
func (c *Constraint) advance(dst, configs []config, b byte) []config {
	from := len(dst)
	for _, f := range configs {
		dst = c.m.step(dst, f, b)
	}
	if len(dst)-from < 2 {
		return dst
	}
	clear(c.seen)
	to := from
	for _, f := range dst[from:] {
		if !c.seen[f] && to-from < maxConfigs {
			c.seen[f] = true
			dst[to] = f
			to++
		}
	}
	return dst[:to]
}

// update finds the tokens that may come next.
func (c *Constraint) update() error {
	clear(c.mask)
	free := func(f config) bool {
		return f.n != nil && f.n.kind == str && f.at >= 0 && f.x == 0 && f.n.d.free[f.at] == maxPlain
	}
	if slices.ContainsFunc(c.configs, free) {
		copy(c.mask, c.vocab.plainMask)
	} else {
		c.walk(&c.vocab.plain)
	}
	c.walk(&c.vocab.rest)
	for _, id := range c.ends {
		c.mask[id/64] &^= 1 << (id % 64)
	}
	goesOn := slices.ContainsFunc(c.mask, func(w uint64) bool { return w != 0 })
	complete := slices.ContainsFunc(c.configs, config.complete)
	if !complete && !goesOn {
		return c.stuck()
	}
	c.done = complete && !goesOn
	if complete {
		for _, id := range c.ends {
			c.mask[id/64] |= 1 << (id % 64)
		}
	}
	return nil
}

// walk marks the tokens of t along which some config goes on.
func (c *Constraint) walk(t *trieNodes) {
	// buf has the configs at each depth of the path, off where they begin.
	c.buf = append(c.buf[:0], c.configs...)
	c.off = append(c.off[:0], 0, len(c.buf))
	for i := int32(0); int(i) < len(t.nodes); {
		n := &t.nodes[i]
		from, to := c.off[n.depth-1], c.off[n.depth]
		c.buf = c.advance(c.buf[:to], c.buf[from:to], n.b)
		if len(c.buf) == to {
			i = n.next
			continue
		}
		c.off = append(c.off[:n.depth+1], len(c.buf))
		for _, id := range t.ids[n.lo:n.hi] {
			c.mask[id/64] |= 1 << (id % 64)
		}
		i++
	}
}

func (c *Constraint) stuck() error {
	var next []byte
	for b := range 256 {
		if len(c.advance(nil, c.configs, byte(b))) > 0 {
			next = append(next, byte(b))
		}
	}
	return fmt.Errorf("sample: the vocabulary cannot continue the value: no token fits that begins with one of the bytes %q", next)
}
