package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// sessions are what open weights have read, in memory, to be forked by prompts that
// begin alike; those of stored contexts are mapped from disk.
type sessions struct {
	b *Backend

	mu      sync.Mutex
	list    []*kept
	used    int64             // bytes that running requests may take
	disk    map[string]stored // by ID of the stored context
	changed chan struct{}     // closed when a request ends
}

// stored is what a stored context's session takes on disk, or what is set aside for it.
type stored struct {
	owner string
	bytes int64
	known bool // a record names it
}

// kept is a session that does not change any more. It may be forked while the lock of
// sessions is held.
type kept struct {
	m      *model
	owner  string
	s      *handscroll.Session
	bytes  int64
	used   time.Time
	refs   int    // requests whose sessions share its mapped pages
	stored string // ID of the stored context; "" if it is in memory
	gone   bool   // to be closed when nobody uses it
	parent *kept  // whose pages it shares, which are counted there; nil if none
}

// keptSessions is how many are kept in memory at most.
const keptSessions = 256

func (s *sessions) dir(id string) string { return filepath.Join(s.b.opts.Dir, "sessions", id) }

func openSessions(b *Backend) (*sessions, error) {
	s := &sessions{b: b, disk: map[string]stored{}, changed: make(chan struct{})}
	list, err := os.ReadDir(filepath.Join(b.opts.Dir, "sessions"))
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	for _, d := range list {
		s.disk[d.Name()] = stored{bytes: treeSize(s.dir(d.Name()))}
	}
	return s, nil
}

// own says whose a session is, at the start; false if it is not there.
func (s *sessions) own(r *storedRecord) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.disk[r.ID]
	if ok {
		s.disk[r.ID] = stored{r.Owner, d.bytes, true}
	}
	return ok
}

// keepFor keeps the session of a stored context whose record cannot be read.
func (s *sessions) keepFor(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.disk[id]; ok {
		d.known = true
		s.disk[id] = d
	}
}

// dropStrays deletes what no stored context names: a process was killed before it
// had written one's record.
func (s *sessions) dropStrays() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, d := range s.disk {
		if !d.known {
			if err := os.RemoveAll(s.dir(id)); err != nil {
				return fmt.Errorf("local: %w", err)
			}
			delete(s.disk, id)
		}
	}
	return nil
}

// reserve sets disk aside for a stored context's session.
func (s *sessions) reserve(r *storedRecord, n int64) error {
	return s.b.reserve(r.Owner, n, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.disk[r.ID] = stored{r.Owner, n, true}
		return nil
	})
}

// onDisk is what stored sessions take on disk, and how many there are.
func (s *sessions) onDisk() (n int64, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.disk {
		n += d.bytes
	}
	return n, len(s.disk)
}

// heldBy is what an owner's stored sessions take.
func (s *sessions) heldBy(owner string) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.disk {
		if d.owner == owner {
			n += d.bytes
		}
	}
	return n
}

// bytes is the memory that sessions take.
func (s *sessions) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used + s.keptBytes()
}

// keptBytes is the memory of those in no use; s.mu is held.
func (s *sessions) keptBytes() (n int64) {
	for _, k := range s.list {
		if k.stored == "" {
			n += k.bytes
		}
	}
	return n
}

// endless stands for no bound: what sessions take is counted here.
const endless = 1 << 62

// take returns a session to read ids with, and the one of the pool that it shares
// pages with. Memory is set aside for bytes, those of shared pages aside; if there is
// none now, it returns what to wait for.
func (s *sessions) take(r *run, owner string, ids []int32) (wait chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := r.g.m
	best := 0
	var from *kept
	for _, k := range s.list {
		if k.m != m || k.owner != owner || k.gone {
			continue
		}
		if n := k.s.Common(ids); n > best {
			best, from = n, k
		}
	}
	shared, err := m.weights.SessionBytes("", best)
	if err != nil {
		return nil, err
	}
	bytes := r.bytes - shared
	if limit := s.b.memory; limit > 0 {
		if r.bytes > limit {
			return nil, backend.Errorf(backend.TooLarge, "the prompt and its answer take %d bytes of memory; %d may be used", r.bytes, limit)
		}
		s.forget(limit-bytes-s.used, from)
		if s.used > 0 && s.used+bytes > limit {
			return s.changed, nil
		}
	}
	if from == nil {
		if r.s, err = m.weights.NewSession(handscroll.WeightsOptions{MaxMemory: endless}); err != nil {
			return nil, err
		}
	} else {
		from.used = time.Now()
		from.refs++
		r.s = from.s.Fork()
	}
	r.from, r.bytes = from, bytes
	s.used += bytes
	return nil, nil
}

// forget deletes sessions in memory but for one, those not used for longest first,
// until they take at most so many bytes; s.mu is held.
func (s *sessions) forget(most int64, but *kept) {
	slices.SortFunc(s.list, func(a, b *kept) int { return a.used.Compare(b.used) })
	n := 0 // in memory
	for _, k := range s.list {
		if k.stored == "" {
			n++
		}
	}
	for i := 0; i < len(s.list) && (s.keptBytes() > most || n > keptSessions); {
		k := s.list[i]
		if k.stored != "" || k == but {
			i++
			continue
		}
		s.list = slices.Delete(s.list, i, i+1)
		s.inherit(k)
		n--
	}
}

// sweep closes stored sessions that were not used for long; load opens them again.
func (s *sessions) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(k *kept) bool {
		if k.stored == "" || k.gone || k.refs > 0 || now.Sub(k.used) < idleTime {
			return false
		}
		if err := k.s.Close(); err != nil {
			s.b.log.Error("closing a stored session", "err", err)
		}
		return true
	})
}

// inherit counts the pages of a session that was deleted for those that share them;
// s.mu is held.
func (s *sessions) inherit(k *kept) {
	var heir *kept
	for _, o := range s.list {
		if o.parent != k {
			continue
		}
		if o.parent = heir; heir == nil {
			heir, o.parent = o, k.parent
			o.bytes += k.bytes
		}
	}
}

// keep puts a session that has been read into the pool, which shares pages with from.
// The session must not be changed afterwards. instead, if not nil, is its beginning,
// which is not needed any more.
func (s *sessions) keep(r *run, session *handscroll.Session, instead *kept) *kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session.Len() == 0 || r.from != nil && r.from.stored != "" {
		return nil // pages are mapped from a stored context, which may be deleted
	}
	k := &kept{m: r.g.m, owner: r.g.r.Owner, s: session, used: time.Now(), parent: r.from}
	shared := 0
	if i := slices.Index(s.list, r.from); i < 0 {
		k.parent = nil // it was deleted meanwhile
	} else {
		shared = r.from.s.Common(session.IDs())
	}
	all, err := k.m.weights.SessionBytes("", session.Len())
	if err == nil {
		var less int64
		less, err = k.m.weights.SessionBytes("", shared)
		k.bytes = all - less
	}
	if err != nil {
		s.b.log.Error("the memory of a session", "err", err)
		return nil
	}
	if i := slices.Index(s.list, instead); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
		for _, o := range s.list {
			if o.parent == instead {
				o.parent = k
			}
		}
	}
	s.list = append(s.list, k)
	most := int64(endless)
	if limit := s.b.memory; limit > 0 {
		most = limit - s.used
	}
	s.forget(most, nil)
	return k
}

// done gives back what take set aside.
func (s *sessions) done(from *kept, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= bytes
	if from != nil {
		from.refs--
		s.closeGone(from)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// closeGone deletes a stored session that nobody uses any more; s.mu is held.
func (s *sessions) closeGone(k *kept) {
	if !k.gone || k.refs > 0 {
		return
	}
	s.list = slices.DeleteFunc(s.list, func(o *kept) bool { return o == k })
	if err := k.s.Close(); err != nil {
		s.b.log.Error("closing a stored session", "err", err)
	}
	s.deleteDir(k.stored)
}

// deleteDir deletes a stored session's directory; s.mu is held.
func (s *sessions) deleteDir(id string) {
	delete(s.disk, id)
	if err := os.RemoveAll(s.dir(id)); err != nil {
		s.b.log.Error("deleting a stored session", "err", err)
	}
}

// load maps a stored context's session, so that take finds it.
func (s *sessions) load(m *model, r *storedRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.list, func(k *kept) bool { return k.stored == r.ID && !k.gone }); i >= 0 {
		s.list[i].used = time.Now()
		return nil
	}
	// It leaves the shelf before its session is deleted.
	if _, err := s.b.stored.find(r.Owner, r.ID); err != nil {
		return err
	}
	session, err := m.weights.OpenSession(s.dir(r.ID), handscroll.WeightsOptions{MaxMemory: endless})
	if err == nil && session.Len() < r.Tokens {
		err = errors.Join(fmt.Errorf("it holds %d tokens of %d", session.Len(), r.Tokens), session.Close())
	}
	switch {
	case err == nil:
	case passing(err):
		return s.b.diskError("opening the stored context", err)
	default:
		s.b.log.Error("a stored context is damaged", "path", s.dir(r.ID), "err", err)
		return lostContext(r.ID)
	}
	s.list = append(s.list, &kept{m: m, owner: r.Owner, s: session, stored: r.ID, used: time.Now()})
	return nil
}

// drop deletes a stored context's session.
func (s *sessions) drop(r *storedRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.list {
		if k.stored == r.ID {
			k.gone = true
			s.closeGone(k)
			return
		}
	}
	if _, ok := s.disk[r.ID]; ok {
		s.deleteDir(r.ID)
	}
}

func (s *sessions) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, k := range s.list {
		err = errors.Join(err, k.s.Close())
	}
	s.list = nil
	return err
}
