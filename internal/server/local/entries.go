package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// entries are contexts that were read, on disk or in memory, to be put together.
type entries struct {
	b *Backend

	mu      sync.Mutex
	list    map[string]*entry
	pinned  map[string]int           // how many stored contexts name a unit, by key
	strays  map[string]int64         // bytes of what no record that can be read names, by name on disk
	units   map[string]*entry        // that are read, by key
	reading map[string]chan struct{} // that are being read; closed when that ends
	memory  int64                    // that entries in use take
	changed chan struct{}            // closed when memory becomes free
	evicted int64
}

// entry is one context, and which units it holds.
type entry struct {
	entryRecord
	c    *handscroll.Context // nil until it is opened
	m    *model
	refs int           // requests that use it
	busy chan struct{} // closed when it is not read into any more; nil if it is not
	disk bool          // else in memory alone
	// owner is whose stored contexts hold it, as far as there are any.
	owner string
	// kept says that it may be a stored context's whose record cannot be read.
	kept bool
	// damaged says that it cannot be opened: it answers no more, but is on disk as long
	// as a stored context names it.
	damaged bool
	// doomed says that it is deleted when nobody uses it any more.
	doomed bool
	used   time.Time
	size   int64 // on disk
	claim  int64 // bytes of disk that are set aside for what is being read into it

	writing sync.Mutex // held while its record is written; taken before the lock of entries
}

type entryRecord struct {
	ID          string
	Fingerprint string // of the model
	Units       []*unitRecord
}

// unitRecord is a unit of an entry.
type unitRecord struct {
	Key     string
	Name    string
	Sources []string
	Tokens  int
	ByKind  map[backend.Modality]int
	Skipped backend.Skipped `json:",omitzero"`
	Done    bool
}

const (
	// memoryBytes is up to how many bytes of text are not worth a place on disk.
	memoryBytes = 16 << 10
	// memoryEntries is how many contexts are kept in memory.
	memoryEntries = 256
)

func (s *entries) dir(id string) string    { return filepath.Join(s.b.opts.Dir, "entries", id) }
func (s *entries) record(id string) string { return s.dir(id) + ".json" }

// memory is what an entry takes in use.
func (e *entry) memory() int64 {
	n := 0
	for _, u := range e.Units {
		n += u.Tokens
	}
	return int64(n) * int64(e.m.native.EntryBytes())
}

func openEntries(b *Backend) (*entries, error) {
	s := &entries{
		b: b, list: map[string]*entry{}, pinned: map[string]int{}, strays: map[string]int64{},
		units: map[string]*entry{}, reading: map[string]chan struct{}{}, changed: make(chan struct{}),
	}
	dir := filepath.Join(b.opts.Dir, "entries")
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	for _, d := range found {
		if strings.HasSuffix(d.Name(), ".json.tmp") { // a killed process was writing it
			if err := os.Remove(filepath.Join(dir, d.Name())); err != nil {
				return nil, fmt.Errorf("local: %w", err)
			}
			continue
		}
		id, isRecord := strings.CutSuffix(d.Name(), ".json")
		if !isRecord {
			continue
		}
		e := &entry{disk: true}
		err := readRecord(s.record(id), &e.entryRecord)
		if err == nil && e.ID != id {
			err = fmt.Errorf("it names %q", e.ID)
		}
		if err != nil {
			b.log.Error("a record of what was read is damaged", "path", s.record(id), "err", err)
			continue
		}
		for _, m := range b.models {
			if m.native != nil && m.fingerprint == e.Fingerprint {
				e.m = m
			}
		}
		// Without a model it is one that is not served now: it waits, or is evicted.
		if fi, err := d.Info(); err == nil {
			e.used = fi.ModTime()
		}
		e.size = treeSize(s.dir(id))
		s.list[id] = e
		for _, u := range e.Units {
			if u.Done {
				s.units[u.Key] = e
			}
		}
	}
	for _, d := range found {
		if id, _, _ := strings.Cut(d.Name(), "."); s.list[id] == nil && !strings.HasSuffix(d.Name(), ".tmp") {
			s.strays[d.Name()] = treeSize(filepath.Join(dir, d.Name()))
		}
	}
	return s, nil
}

// dropStrays deletes what no record names that can be read: it is of a killed process,
// or was kept for nobody. Where a stored context is damaged or has lost something, that
// may be it, and all stays.
func (s *entries) dropStrays() error {
	if s.b.stored.damaged || s.b.stored.lost {
		for name := range s.strays {
			s.b.log.Error("what a damaged stored context may have read is kept", "path", filepath.Join(s.b.opts.Dir, "entries", name))
		}
		return nil
	}
	for name := range s.strays {
		if err := os.RemoveAll(filepath.Join(s.b.opts.Dir, "entries", name)); err != nil {
			return fmt.Errorf("local: %w", err)
		}
		delete(s.strays, name)
	}
	return nil
}

func treeSize(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it may be deleted just now; the sum is an estimate
		}
		if fi, err := d.Info(); err == nil && !d.IsDir() {
			n += fi.Size()
		}
		return nil
	})
	return n
}

// gathered is the units of a prompt, ready to be asked.
type gathered struct {
	s      *entries
	held   []*entry
	picks  []handscroll.Selection
	tokens int
	cached int
	byKind map[backend.Modality]int
	cachBy map[backend.Modality]int

	skipped backend.Skipped
}

// release gives the entries up.
func (g *gathered) release() {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	for _, e := range g.held {
		g.s.unref(e)
	}
	g.held = nil
}

// ref and unref count an entry's users; s.mu is held.
func (s *entries) ref(e *entry) {
	if e.refs++; e.refs == 1 {
		s.memory += e.memory()
	}
}

func (s *entries) unref(e *entry) {
	if e.refs--; e.refs > 0 {
		return
	}
	s.memory -= e.memory()
	if now := time.Now(); e.disk && now.Sub(e.used) > time.Minute {
		// So that the next process knows what was used last.
		if err := os.Chtimes(s.record(e.ID), now, now); err != nil {
			s.b.log.Error("an entry's time", "err", err)
		}
	}
	e.used = time.Now()
	if e.doomed && !s.isPinned(e) {
		s.remove(e)
	}
	close(s.changed)
	s.changed = make(chan struct{})
	s.trimMemory()
}

// missing returns those of units that no entry holds, of the disk if it must be.
func (s *entries) missing(units []*unit, disk bool) (out []*unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range units {
		if e := s.units[u.key]; e == nil || disk && !e.disk {
			out = append(out, u)
		}
	}
	return out
}

// gather returns a prompt's units, after reading those that are not there. keep says
// that they are to be on disk.
func (s *entries) gather(ctx context.Context, j *job, keep bool) (*gathered, error) {
	fresh := map[string]bool{} // that this request has read
	for {
		s.mu.Lock()
		var own []*unit
		var wait chan struct{}
		for _, u := range j.p.units {
			if e := s.units[u.key]; e != nil && (!keep || e.disk) {
				if e.busy != nil {
					wait = e.busy
				}
				continue
			}
			if c := s.reading[u.key]; c != nil {
				wait = c
				continue
			}
			own = append(own, u)
		}
		if e := s.closed(j.p.units); len(own) == 0 && wait == nil && e != nil {
			e.busy = make(chan struct{})
			s.mu.Unlock()
			if err := s.open(e); err != nil {
				return nil, err
			}
			continue
		}
		if len(own) == 0 && wait == nil {
			g, wait, err := s.collect(j, fresh)
			s.mu.Unlock()
			if wait == nil {
				return g, err
			}
			// Others use the memory.
			if err := j.pass.starve(ctx, wait); err != nil {
				return nil, err
			}
			continue
		}
		var done chan struct{}
		if len(own) > 0 {
			done = make(chan struct{})
			for _, u := range own {
				s.reading[u.key] = done
			}
		}
		s.mu.Unlock()
		if done != nil {
			err := s.read(ctx, j, own, keep)
			s.mu.Lock()
			for _, u := range own {
				delete(s.reading, u.key)
				fresh[u.key] = true
			}
			s.mu.Unlock()
			close(done)
			if err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ended(ctx.Err())
		}
	}
}

// collect refers to all entries of a prompt whose units are all there, or returns
// what to wait for because memory is in use; s.mu is held.
func (s *entries) collect(j *job, fresh map[string]bool) (*gathered, chan struct{}, error) {
	g := &gathered{s: s, byKind: map[backend.Modality]int{}, cachBy: map[backend.Modality]int{}}
	need := int64(0)
	seen := map[*entry]bool{}
	for _, u := range j.p.units {
		if e := s.units[u.key]; !seen[e] {
			seen[e] = true
			if e.refs == 0 {
				need += e.memory()
			}
		}
	}
	if limit := s.b.memory; limit > 0 && s.memory+need > limit {
		if s.memory > 0 && need <= limit {
			return nil, s.changed, nil
		}
		return nil, nil, backend.Errorf(backend.TooLarge, "the contexts of the prompt take %d bytes of memory; %d may be used", need, limit)
	}
	for _, u := range j.p.units {
		e := s.units[u.key]
		i := slices.IndexFunc(e.Units, func(r *unitRecord) bool { return r.Key == u.key })
		r := e.Units[i]
		s.ref(e)
		g.held = append(g.held, e)
		g.picks = append(g.picks, handscroll.Selection{Context: e.c, Sources: r.Sources})
		g.tokens += r.Tokens
		add(g.byKind, r.ByKind)
		g.skipped.Merge(r.Skipped)
		if !fresh[u.key] {
			g.cached += r.Tokens
			add(g.cachBy, r.ByKind)
		}
	}
	return g, nil, nil
}

func add(dst, src map[backend.Modality]int) {
	for k, n := range src {
		dst[k] += n
	}
}

// closed returns an entry of units that is to be opened, or nil; s.mu is held.
func (s *entries) closed(units []*unit) *entry {
	for _, u := range units {
		if e := s.units[u.key]; e != nil && e.busy == nil && e.c == nil { // c is its reader's while it is busy
			return e
		}
	}
	return nil
}

// open opens an entry of the disk, which is busy meanwhile. The units of a damaged one
// are to be read again; what no stored context names of those is deleted.
func (s *entries) open(e *entry) error {
	c, err := e.m.native.OpenContext(s.dir(e.ID), handscroll.ContextOptions{Threads: s.b.opts.Threads})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !e.holds(c.Sources()) {
		err = errors.Join(&handscroll.FormatError{File: s.dir(e.ID), Problem: "not all is there that was read"}, c.Close())
	}
	e.used = time.Now()
	close(e.busy)
	e.busy = nil
	if err == nil {
		e.c = c
		return nil
	}
	if passing(err) {
		return s.b.diskError("opening what was read before", err)
	}
	s.b.log.Error("what was read before is damaged", "path", s.dir(e.ID), "err", err)
	if !s.isPinned(e) {
		s.remove(e)
		return nil
	}
	e.damaged = true
	s.disown(e)
	return nil
}

// passing reports whether it is for want of something, and not of what is on disk, that
// it cannot be opened.
func passing(err error) bool {
	var no syscall.Errno
	return errors.As(err, &no) && !errors.Is(err, fs.ErrNotExist)
}

// disown gives an entry's units to others that hold them, if there are any; s.mu is held.
func (s *entries) disown(e *entry) {
	for _, u := range e.Units {
		if s.units[u.Key] != e {
			continue
		}
		delete(s.units, u.Key)
		for _, o := range s.list {
			if o != e && !o.damaged && slices.ContainsFunc(o.Units, func(r *unitRecord) bool { return r.Key == u.Key && r.Done }) {
				s.units[u.Key] = o
			}
		}
	}
}

// isPinned reports whether stored contexts hold an entry; s.mu is held.
func (s *entries) isPinned(e *entry) bool {
	return e.kept || slices.ContainsFunc(e.Units, func(u *unitRecord) bool { return s.pinned[u.Key] > 0 })
}

// write writes an entry's record as it is when the disk comes to it, so that of several
// the last stays; s.mu is not held.
func (s *entries) write(e *entry, how func(path string, v any) error) error {
	e.writing.Lock()
	defer e.writing.Unlock()
	s.mu.Lock()
	data, err := json.Marshal(&e.entryRecord)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return how(s.record(e.ID), json.RawMessage(data))
}

// holds reports whether all is there that the record says was read: a directory that
// is gone is an empty context to the engine.
func (e *entry) holds(found []handscroll.Source) bool {
	done := map[string]bool{}
	for _, src := range found {
		done[src.Name] = src.Done
	}
	for _, u := range e.Units {
		if u.Done && slices.ContainsFunc(u.Sources, func(name string) bool { return !done[name] }) {
			return false
		}
	}
	return true
}

// idleTime is how long an entry of the disk stays open without being used: each takes
// memory and a mapping, of which a process may have only so many.
const idleTime = 10 * time.Minute

// sweep closes entries of the disk that were not used for long.
func (s *entries) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if !e.disk || e.refs > 0 || e.busy != nil || e.c == nil || now.Sub(e.used) < idleTime {
			continue
		}
		if err := e.c.Close(); err != nil {
			s.b.log.Error("closing a context", "err", err)
		}
		e.c = nil
	}
}

// remove deletes an entry that nobody uses; s.mu is held.
func (s *entries) remove(e *entry) {
	delete(s.list, e.ID)
	s.disown(e)
	if e.c != nil {
		if err := e.c.Close(); err != nil {
			s.b.log.Error("closing a context", "err", err)
		}
		e.c = nil
	}
	if !e.disk {
		return
	}
	// The record first: a directory without one is deleted at the next start.
	for _, err := range []error{os.Remove(s.record(e.ID)), os.RemoveAll(s.dir(e.ID))} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.b.log.Error("deleting a context", "err", err)
		}
	}
}

// trimMemory forgets contexts in memory that were not used for longest; s.mu is held.
func (s *entries) trimMemory() {
	var idle []*entry
	n := 0
	for _, e := range s.list {
		if e.disk {
			continue
		}
		if n++; e.refs == 0 && e.busy == nil {
			idle = append(idle, e)
		}
	}
	if n <= memoryEntries {
		return
	}
	slices.SortFunc(idle, func(a, b *entry) int { return a.used.Compare(b.used) })
	for _, e := range idle[:min(len(idle), n-memoryEntries+memoryEntries/8)] {
		s.remove(e)
	}
}

// evict deletes the contexts that were not used for longest until n bytes are
// deleted. It deletes none if those that nobody uses have less than that: what is
// refused all the same is to cost others nothing. s.mu is not held.
func (s *entries) evict(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var idle []*entry
	has := int64(0)
	for _, e := range s.list {
		if e.disk && e.refs == 0 && e.busy == nil && !s.isPinned(e) {
			idle = append(idle, e)
			has += e.size
		}
	}
	if has < n {
		return
	}
	slices.SortFunc(idle, func(a, b *entry) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.ID, b.ID)) })
	for _, e := range idle {
		if n <= 0 {
			return
		}
		n -= e.size
		s.evicted++
		s.remove(e)
		s.b.log.Info("evicted a context", "entry", e.ID, "bytes", e.size)
	}
}

// bytes is what entries take on disk, with what is set aside for them, and how many
// there are.
func (s *entries) bytes() (n int64, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if e.disk {
			n += e.size + e.claim
			count++
		}
	}
	for _, size := range s.strays {
		n += size
	}
	return n, count
}

// heldBy is what an owner's stored contexts hold.
func (s *entries) heldBy(owner string) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.list {
		if e.disk && e.owner == owner && s.isPinned(e) {
			n += e.size
		}
	}
	return n
}

func (s *entries) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, e := range s.list {
		if e.c != nil {
			err = errors.Join(err, e.c.Close())
			e.c = nil
		}
	}
	return err
}
