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
	b       *Backend
	damaged bool // a record cannot be read
	lost    bool // what one names is not there

	// changes is held while records are written or deleted, which takes time; mu is not,
	// so that requests need not wait for the disk. It is taken before mu.
	changes sync.Mutex

	mu   sync.Mutex
	list map[string]*storedRecord // by owner and ID
}

// storedRecord is a stored context. It does not change, but for its times.
type storedRecord struct {
	backend.Stored
	Fingerprint string       // of the model
	Turns       int          // messages
	Units       []storedUnit // of the native model
	Files       []string     `json:",omitempty"` // that it was made of
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
	damaged, err := b.eachRecord("stored", func() any { return new(storedRecord) }, func(path string, v any) error {
		r := v.(*storedRecord)
		if err := named(path, r.Owner, r.ID); err != nil {
			return err
		}
		s.list[key(r.Owner, r.ID)] = r
		whole := b.sessions.own(r)
		if len(r.Units) > 0 {
			whole = b.entries.pin(r.Owner, r.Units)
		}
		if !whole {
			s.lost = true
			b.log.Error("a stored context has lost what it held: it stays, for its client to learn of", "path", path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.damaged = len(damaged) > 0
	for _, path := range damaged {
		b.sessions.keepFor(strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	if s.damaged {
		b.entries.keepAll()
	}
	return s, nil
}

// lostContext says that a stored context is of no use any more.
func lostContext(id string) error {
	return backend.Errorf(backend.NotFound, "what the stored context %q held is lost or damaged on the server's disk: delete it and create it again", id)
}

// keepAll keeps all that was read from being evicted: a stored context that cannot be
// read may name it.
func (s *entries) keepAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		e.kept = true
	}
}

// pin keeps the entries of units, also those that are still to come, from being
// evicted; false if one is missing.
func (s *entries) pin(owner string, units []storedUnit) (whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	whole = true
	for _, u := range units {
		s.pinned[u.Key]++
		e := s.units[u.Key]
		if e == nil || !e.disk {
			whole = false
			continue
		}
		e.owner = owner // of whom the keys are
	}
	return whole
}

// unpinnedBytes is what entries take that nothing keeps but will.
func (s *entries) unpinnedBytes(units []storedUnit) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[*entry]bool{}
	for _, u := range units {
		if e := s.units[u.Key]; e != nil && !seen[e] && !s.isPinned(e) {
			seen[e] = true
			n += e.size
		}
	}
	return n
}

// unpin gives units up, whose entries then are deleted.
func (s *entries) unpin(units []storedUnit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[string]bool{}
	for _, u := range units {
		keys[u.Key] = true
		if s.pinned[u.Key]--; s.pinned[u.Key] <= 0 {
			delete(s.pinned, u.Key)
		}
	}
	for _, e := range s.list {
		switch {
		case !e.disk, s.isPinned(e), !slices.ContainsFunc(e.Units, func(r *unitRecord) bool { return keys[r.Key] }):
		case e.refs == 0 && e.busy == nil:
			s.remove(e)
		default:
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
		pr.p.units = append(pr.p.units, &unit{key: u.Key, name: u.Name, stored: s.ID, owner: s.Owner})
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
	j := &job{m: m, p: pr.p, emit: emit, owner: n.Owner}
	if j.pass, err = b.admit(ctx, m, pr.p, emit); err != nil {
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
	r.Turns, r.Tokens, r.ByKind, r.Skipped = pr.turns, g.tokens, g.byKind, g.skipped
	for i, u := range pr.p.units {
		r.Units = append(r.Units, storedUnit{u.key, u.name})
		for _, src := range g.picks[i].Context.Sources() {
			if slices.Contains(g.picks[i].Sources, src.Name) {
				r.Sources = append(r.Sources, src)
			}
		}
	}
	// Nothing of it goes meanwhile: g holds it.
	if err := b.pin(n.Owner, r.Units); err != nil {
		return nil, err
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
	done := map[*entry]bool{}
	for _, e := range list {
		if done[e] {
			continue
		}
		done[e] = true
		if err := s.write(e, save); err != nil {
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
	for _, msg := range n.Messages {
		for _, p := range msg.Parts {
			if p.File != "" && !slices.Contains(r.Files, p.File) {
				r.Files = append(r.Files, p.File)
			}
		}
	}
	return r
}

// add writes a stored context's record.
func (s *shelf) add(r *storedRecord) (*backend.Stored, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := save(s.path(r.Owner, r.ID), r); err != nil {
		return nil, s.b.diskError("keeping the context", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list[key(r.Owner, r.ID)] = r
	out := r.Stored
	return &out, nil
}

// keeps is until when stored contexts keep a file that would go at end; zero for ever.
func (s *shelf) keeps(owner, id string, end time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.list {
		if r.Owner != owner || !slices.Contains(r.Files, id) {
			continue
		}
		if r.Expires.IsZero() {
			return time.Time{}
		}
		if r.Expires.After(end) {
			end = r.Expires
		}
	}
	return end
}

func (r *storedRecord) expired(now time.Time) bool {
	return !r.Expires.IsZero() && !now.Before(r.Expires)
}

// find returns a stored context as it is now.
func (s *shelf) find(owner, id string) (*storedRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.list[key(owner, id)]
	if r == nil || r.expired(time.Now()) {
		return nil, backend.Errorf(backend.NotFound, "there is no stored context %q: it has expired, was deleted or was never created with this key", id)
	}
	out := *r
	return &out, nil
}

// Stored describes a stored context.
func (b *Backend) Stored(ctx context.Context, owner, id string) (*backend.Stored, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := b.stored.find(owner, id)
	if err != nil {
		return nil, err
	}
	return &r.Stored, nil
}

// StoredList lists an owner's stored contexts.
func (b *Backend) StoredList(ctx context.Context, owner string) ([]backend.Stored, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
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
func (b *Backend) Extend(ctx context.Context, owner, id string, expires time.Time) (*backend.Stored, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	now := time.Now()
	if !expires.IsZero() && !expires.After(now) {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "expireTime", Message: "the time of expiry has passed: delete the context, or give a later one"}
	}
	s := b.stored
	s.changes.Lock()
	defer s.changes.Unlock()
	next, err := s.find(owner, id)
	if err != nil {
		return nil, err
	}
	next.Expires, next.Updated = expires, now
	if err := save(s.path(owner, id), next); err != nil {
		return nil, b.diskError("keeping the context", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list[key(owner, id)] = next
	out := next.Stored
	return &out, nil
}

// DeleteStored deletes a stored context.
func (b *Backend) DeleteStored(ctx context.Context, owner, id string) error {
	_, done, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	s := b.stored
	s.changes.Lock()
	defer s.changes.Unlock()
	r, err := s.find(owner, id)
	if err != nil {
		return err
	}
	s.remove(r)
	return nil
}

// remove deletes a stored context and what it was read into; s.changes is held.
func (s *shelf) remove(r *storedRecord) {
	s.mu.Lock()
	delete(s.list, key(r.Owner, r.ID))
	s.mu.Unlock()
	if err := os.Remove(s.path(r.Owner, r.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.b.log.Error("deleting a stored context", "err", err)
	}
	s.b.entries.unpin(r.Units)
	s.b.sessions.drop(r)
}

// sweep deletes what has expired.
func (s *shelf) sweep(now time.Time) {
	s.changes.Lock()
	defer s.changes.Unlock()
	s.mu.Lock()
	var old []*storedRecord
	for _, r := range s.list {
		if r.expired(now) {
			old = append(old, r)
		}
	}
	s.mu.Unlock()
	for _, r := range old {
		s.remove(r)
	}
}
