package local

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// shelf is the contexts that clients have named.
type shelf struct {
	b *Backend

	mu   sync.Mutex
	list map[string]*storedRecord // by owner and ID
}

// storedRecord is a stored context. It does not change, but for its times.
type storedRecord struct {
	backend.Stored
	Fingerprint string       // of the model
	Turns       int          // messages
	Units       []storedUnit // of the native model
	// Of open weights: what the prompt begins with.
	System     string             `json:",omitempty"`
	Messages   []backend.Message  `json:",omitempty"`
	Tools      []backend.Tool     `json:",omitempty"`
	ToolChoice backend.ToolChoice `json:",omitzero"`
}

type storedUnit struct{ Key, Name string }

func (s *shelf) path(owner, id string) string {
	return filepath.Join(s.b.opts.Dir, "stored", ownerDir(owner), id+".json")
}

func openShelf(b *Backend) (*shelf, error) {
	s := &shelf{b: b, list: map[string]*storedRecord{}}
	return s, b.eachRecord("stored", func() any { return new(storedRecord) }, func(path string, v any) error {
		r := v.(*storedRecord)
		if !b.entries.pin(r.Units) {
			b.log.Error("a stored context is lost: its entries are damaged", "context", r.ID)
			return os.Remove(path)
		}
		s.list[key(r.Owner, r.ID)] = r
		return nil
	})
}

// pin keeps the entries of units from being evicted; false if one is missing.
func (s *entries) pin(units []storedUnit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range units {
		if e := s.units[u.Key]; e == nil || !e.disk {
			return false
		}
	}
	for _, u := range units {
		s.units[u.Key].pins++
	}
	return true
}

// unpin gives entries up, which then are deleted.
func (s *entries) unpin(units []storedUnit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range units {
		e := s.units[u.Key]
		if e == nil {
			continue
		}
		if e.pins--; e.pins > 0 {
			continue
		}
		if e.refs == 0 && e.busy == nil {
			s.remove(e)
		} else {
			e.doomed = true
		}
	}
}

// find returns what is known of a unit that was read, or nil.
func (s *entries) find(key string) *unitRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.units[key]
	if e == nil {
		return nil
	}
	for _, r := range e.Units {
		if r.Key == key {
			out := *r
			return &out
		}
	}
	return nil
}

// stored begins a prompt with a stored context.
func (pr *prompter) stored(s *storedRecord) {
	pr.turns = s.Turns
	for _, u := range s.Units {
		pr.names[u.Name] = u.Key
		pr.p.units = append(pr.p.units, &unit{key: u.Key, name: u.Name})
	}
}

// fits refuses a stored context that a model has not read.
func (s *storedRecord) fits(m *model) error {
	if s.Model == m.ID && s.Fingerprint == m.fingerprint {
		return nil
	}
	if s.Model == m.ID {
		return backend.Errorf(backend.Precondition, "the stored context %s was read by other weights of the model %s: create it again", s.ID, m.ID)
	}
	return &backend.Error{
		Kind: backend.Invalid, Param: "model",
		Message: "the stored context " + s.ID + " was read by the model " + s.Model + ", not by " + m.ID + ": ask that one, or create the context again",
	}
}

// Store reads messages into a stored context.
func (b *Backend) Store(ctx context.Context, n backend.NewStored, emit func(backend.Event) error) (_ *backend.Stored, err error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	defer func() { err = b.stopped(err) }()
	m, err := b.model(n.Model)
	if err != nil {
		return nil, err
	}
	if m.weights != nil {
		return b.storeWeights(ctx, m, n, emit)
	}
	if err := checkNative(m, &backend.Request{Tools: n.Tools, ToolChoice: n.ToolChoice, Logprobs: -1}); err != nil {
		return nil, err
	}
	pr := b.newPrompter(m, n.Owner)
	defer pr.p.release()
	pr.text(n.System, "system", "system")
	if err := pr.messages(ctx, n.Messages, -1, -1); err != nil {
		return nil, err
	}
	if len(pr.p.units) == 0 {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "contents", Message: "there is nothing to store: add a text or a file"}
	}
	j := &job{m: m, p: pr.p, emit: emit}
	if j.pass, err = m.gate.enter(ctx, b.classOf(pr.p), waiting(emit)); err != nil {
		return nil, err
	}
	defer func() { j.pass.exit() }()
	g, err := b.entries.gather(ctx, j, true)
	if err != nil {
		return nil, err
	}
	defer g.release()
	b.count.prompt(g.tokens, g.cached)
	r := b.newStored(m, n)
	r.Turns, r.Tokens, r.ByKind = pr.turns, g.tokens, g.byKind
	for i, u := range pr.p.units {
		r.Units = append(r.Units, storedUnit{u.key, u.name})
		for _, src := range g.picks[i].Context.Sources() {
			if slices.Contains(g.picks[i].Sources, src.Name) {
				r.Sources = append(r.Sources, src)
			}
		}
	}
	if !b.entries.pin(r.Units) {
		return nil, backend.Errorf(backend.Internal, "what was read is gone: try again")
	}
	var out *backend.Stored
	if err = b.entries.sync(g.held); err == nil {
		out, err = b.stored.add(r)
	}
	if err != nil {
		b.entries.unpin(r.Units)
	}
	return out, err
}

// sync makes entries' records survive a power cut, which the entries do already.
func (s *entries) sync(list []*entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := map[*entry]bool{}
	for _, e := range list {
		if done[e] {
			continue
		}
		done[e] = true
		if err := save(s.record(e.ID), &e.entryRecord); err != nil {
			return s.b.diskError("keeping the context", err)
		}
	}
	return nil
}

func (b *Backend) newStored(m *model, n backend.NewStored) *storedRecord {
	now := time.Now()
	r := &storedRecord{Fingerprint: m.fingerprint, Stored: backend.Stored{ID: random(), Owner: n.Owner, Model: n.Model, Name: n.Name, Created: now, Updated: now}}
	if n.TTL == 0 {
		n.TTL = b.opts.DefaultTTL
	}
	if n.TTL > 0 {
		r.Expires = now.Add(n.TTL)
	}
	return r
}

// add writes a stored context's record.
func (s *shelf) add(r *storedRecord) (*backend.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := save(s.path(r.Owner, r.ID), r); err != nil {
		return nil, s.b.diskError("keeping the context", err)
	}
	s.list[key(r.Owner, r.ID)] = r
	out := r.Stored
	return &out, nil
}

func (r *storedRecord) expired(now time.Time) bool {
	return !r.Expires.IsZero() && !now.Before(r.Expires)
}

// find returns a stored context as it is now.
func (s *shelf) find(owner, id string) (*storedRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(owner, id)
	if err != nil {
		return nil, err
	}
	out := *r
	return &out, nil
}

// get is find; s.mu is held.
func (s *shelf) get(owner, id string) (*storedRecord, error) {
	r := s.list[key(owner, id)]
	if r == nil || r.expired(time.Now()) {
		return nil, backend.Errorf(backend.NotFound, "there is no stored context %q: it has expired, was deleted or was never created with this key", id)
	}
	return r, nil
}

// Stored describes a stored context.
func (b *Backend) Stored(_ context.Context, owner, id string) (*backend.Stored, error) {
	r, err := b.stored.find(owner, id)
	if err != nil {
		return nil, err
	}
	return &r.Stored, nil
}

// StoredList lists an owner's stored contexts.
func (b *Backend) StoredList(_ context.Context, owner string) ([]backend.Stored, error) {
	s := b.stored
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []backend.Stored{}
	for _, r := range s.list {
		if r.Owner == owner && !r.expired(time.Now()) {
			out = append(out, r.Stored)
		}
	}
	slices.SortFunc(out, func(x, y backend.Stored) int {
		return cmp.Or(y.Created.Compare(x.Created), strings.Compare(x.ID, y.ID))
	})
	return out, nil
}

// Extend sets when a stored context expires.
func (b *Backend) Extend(_ context.Context, owner, id string, expires time.Time) (*backend.Stored, error) {
	now := time.Now()
	if !expires.IsZero() && !expires.After(now) {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "expireTime", Message: "the time of expiry has passed: delete the context, or give a later one"}
	}
	s := b.stored
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(owner, id)
	if err != nil {
		return nil, err
	}
	next := *r
	next.Expires, next.Updated = expires, now
	if err := save(s.path(owner, id), &next); err != nil {
		return nil, b.diskError("keeping the context", err)
	}
	s.list[key(owner, id)] = &next
	return &next.Stored, nil
}

// DeleteStored deletes a stored context.
func (b *Backend) DeleteStored(_ context.Context, owner, id string) error {
	r, err := b.stored.find(owner, id)
	if err != nil {
		return err
	}
	b.stored.remove(r.Owner, r.ID)
	return nil
}

func (s *shelf) remove(owner, id string) {
	s.mu.Lock()
	k := key(owner, id)
	r := s.list[k]
	delete(s.list, k)
	s.mu.Unlock()
	if r == nil {
		return
	}
	if err := os.Remove(s.path(owner, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.b.log.Error("deleting a stored context", "err", err)
	}
	s.b.dropStored(r)
}

// dropStored deletes what a stored context was read into.
func (b *Backend) dropStored(r *storedRecord) {
	b.entries.unpin(r.Units)
	b.sessions.drop(r)
}

// sweep deletes what has expired.
func (s *shelf) sweep(now time.Time) {
	s.mu.Lock()
	var old []*storedRecord
	for _, r := range s.list {
		if r.expired(now) {
			old = append(old, r)
		}
	}
	s.mu.Unlock()
	for _, r := range old {
		s.remove(r.Owner, r.ID)
	}
}
