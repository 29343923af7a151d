package backendtest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

type held struct {
	backend.Stored
	prompt  []unit
	sources []source
}

// Store implements [backend.Backend].
func (f *Fake) Store(ctx context.Context, s backend.NewStored, emit func(backend.Event) error) (*backend.Stored, error) {
	if err := cmp.Or(ctx.Err(), f.failure("Store")); err != nil {
		return nil, err
	}
	defer f.run()()
	r := &backend.Request{Model: s.Model, Owner: s.Owner, System: s.System, Messages: s.Messages, Tools: s.Tools, Progress: emit != nil}
	p, err := f.prompt(r)
	if err != nil {
		return nil, err
	}
	if err := f.progress(ctx, r, p, 0, emit); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	c := &held{prompt: p.units, sources: p.sources, Stored: backend.Stored{
		ID: f.next("context"), Owner: s.Owner, Model: s.Model, Name: s.Name, Created: now, Updated: now,
		Tokens: p.usage.Prompt, ByKind: p.usage.ByKind, Skipped: p.skipped,
	}}
	if ttl := cmp.Or(s.TTL, DefaultTTL); ttl > 0 {
		c.Expires = now.Add(ttl)
	}
	for _, src := range p.sources {
		c.Sources = append(c.Sources, handscroll.Source{Name: src.name, Bytes: int64(len(src.data)), Tokens: src.tokens, Done: true, Kind: "text"})
	}
	f.stored[key{s.Owner, c.ID}] = c
	f.stats.ReadTokens += int64(p.usage.Prompt)
	out := c.Stored
	return &out, nil
}

// held finds a stored context. f.mu is held.
func (f *Fake) held(owner, id string) (*held, error) {
	c := f.stored[key{owner, id}]
	if c == nil || !c.Expires.IsZero() && !c.Expires.After(f.now()) {
		return nil, backend.Errorf(backend.NotFound, "cached content %q is unknown or has expired", id)
	}
	return c, nil
}

// Stored implements [backend.Backend].
func (f *Fake) Stored(_ context.Context, owner, id string) (*backend.Stored, error) {
	if err := f.failure("Stored"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.held(owner, id)
	if err != nil {
		return nil, err
	}
	out := c.Stored
	return &out, nil
}

// StoredList implements [backend.Backend].
func (f *Fake) StoredList(_ context.Context, owner string) ([]backend.Stored, error) {
	if err := f.failure("StoredList"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []backend.Stored
	for k := range f.stored {
		if c, err := f.held(owner, k.id); err == nil && k.owner == owner {
			out = append(out, c.Stored)
		}
	}
	slices.SortFunc(out, func(a, b backend.Stored) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return out, nil
}

// Extend implements [backend.Backend].
func (f *Fake) Extend(_ context.Context, owner, id string, expires time.Time) (*backend.Stored, error) {
	if err := f.failure("Extend"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.held(owner, id)
	if err != nil {
		return nil, err
	}
	c.Expires, c.Updated = expires, f.now()
	out := c.Stored
	return &out, nil
}

// DeleteStored implements [backend.Backend].
func (f *Fake) DeleteStored(_ context.Context, owner, id string) error {
	if err := f.failure("DeleteStored"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.held(owner, id); err != nil {
		return err
	}
	delete(f.stored, key{owner, id})
	return nil
}
