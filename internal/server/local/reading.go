package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// job is a request of the native model while its prompt is read.
type job struct {
	m     *model
	p     *prompt
	pass  *pass
	owner string                    // of a stored context that is made; "" for none
	emit  func(backend.Event) error // for progress; nil if nobody wants it
}

// read reads units into a new entry, or one that an interrupted read has left. They
// are in s.units afterwards, those that were read to their end also after an error.
func (s *entries) read(ctx context.Context, j *job, own []*unit, keep bool) error {
	parts, onDisk, err := s.prepare(ctx, j, own)
	if parts != nil {
		defer parts.release()
	}
	if err != nil {
		return err
	}
	e, err := s.place(j.m, own, onDisk || keep)
	if err != nil {
		return err
	}
	stopped, err := s.fill(ctx, j, e, parts)
	return s.settle(e, own, parts, stopped, err)
}

// opened is what units hold, and how long it will be.
type opened struct {
	list   []handscroll.Part
	weight map[string]int // tokens by source, as far as they can be foretold
	kind   map[string]backend.Modality
	fresh  int // of all
	total  int // tokens of the prompt
	cached int
	bytes  int64 // of text
	close  []func()
}

func (o *opened) release() {
	for _, f := range o.close {
		f()
	}
}

// prepare opens units and refuses what will not fit.
func (s *entries) prepare(ctx context.Context, j *job, own []*unit) (o *opened, onDisk bool, err error) {
	o = &opened{weight: map[string]int{}, kind: map[string]backend.Modality{}}
	for _, u := range own {
		release, err := u.open(ctx, s.b)
		if err != nil {
			return o, false, err
		}
		o.close = append(o.close, release)
		for i := range u.parts {
			p := &u.parts[i]
			n, err := j.m.native.Count(p)
			var sense *handscroll.SenseError
			switch {
			case errors.As(err, &sense):
				return o, false, &backend.Error{
					Kind: backend.Unsupported, Param: u.param, Err: err,
					Message: fmt.Sprintf("%s is a %v, which the model %s has no sense for", sense.Source, sense.Kind, j.m.ID),
				}
			case err != nil && !errors.Is(err, handscroll.ErrLength):
				return o, false, &backend.Error{Kind: backend.Invalid, Message: clean(err, u.path, u.name), Param: u.param, Err: err}
			}
			tokens := n.Text + n.Seen + n.Heard
			o.weight[p.Source] += tokens
			o.kind[p.Source] = modality(p)
			o.fresh += tokens
			o.bytes += int64(len(p.Text))
			onDisk = onDisk || p.Kind() != handscroll.Text
			o.list = append(o.list, *p)
		}
	}
	o.cached = s.tokens(j.p.units, own)
	o.total = o.fresh + o.cached
	if o.total > j.m.InputLimit {
		return o, false, tooLong(o.total, j.m)
	}
	return o, onDisk || o.bytes > memoryBytes, nil
}

func tooLong(tokens int, m *model) error {
	return backend.Errorf(backend.TooLong, "the prompt has %d tokens; the context of %s holds %d", tokens, m.ID, m.InputLimit)
}

// tokens is what is there already of units, those of own aside.
func (s *entries) tokens(units, own []*unit) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range units {
		if e := s.units[u.key]; e != nil && !slices.Contains(own, u) {
			i := slices.IndexFunc(e.Units, func(r *unitRecord) bool { return r.Key == u.key })
			n += e.Units[i].Tokens
		}
	}
	return n
}

// place returns an entry to read units into, which is busy until it is settled.
func (s *entries) place(m *model, own []*unit, onDisk bool) (*entry, error) {
	s.mu.Lock()
	var e *entry
	for _, old := range s.list {
		if onDisk && old.disk && old.m == m && old.goesOn(own) {
			e = old
			break
		}
	}
	if e == nil {
		e = &entry{entryRecord: entryRecord{ID: random(), Fingerprint: m.fingerprint}, m: m, disk: onDisk, used: time.Now()}
		s.list[e.ID] = e
	}
	for _, u := range own {
		if !slices.ContainsFunc(e.Units, func(r *unitRecord) bool { return r.Key == u.key }) {
			e.Units = append(e.Units, &unitRecord{Key: u.key, Name: u.name})
		}
	}
	e.busy = make(chan struct{})
	s.mu.Unlock()
	if !onDisk {
		return e, nil
	}
	// The engine makes the directory only when it has something to write.
	err := os.MkdirAll(s.dir(e.ID), 0o700)
	if err == nil {
		err = s.write(e, note)
	}
	if err == nil {
		return e, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(e.busy)
	e.busy = nil
	if e.refs == 0 && !s.isPinned(e) {
		s.remove(e)
	}
	return nil, s.b.diskError("keeping the context", err)
}

// goesOn reports whether an interrupted read of an entry was of units of own, and
// nobody uses it.
func (e *entry) goesOn(own []*unit) bool {
	if e.refs > 0 || e.busy != nil || e.damaged {
		return false
	}
	left := 0
	for _, r := range e.Units {
		i := slices.IndexFunc(own, func(u *unit) bool { return u.name == r.Name })
		switch {
		case r.Done && i >= 0:
			return false // another unit of this name
		case r.Done:
		case i < 0 || own[i].key != r.Key:
			return false
		default:
			left++
		}
	}
	return left > 0
}

// fill reads parts into an entry. stopped says that it can be read on.
func (s *entries) fill(ctx context.Context, j *job, e *entry, o *opened) (stopped bool, err error) {
	opts := handscroll.ContextOptions{Threads: s.b.opts.Threads}
	switch {
	case e.c != nil:
	case e.disk:
		c, err := j.m.native.OpenContext(s.dir(e.ID), opts)
		if err != nil {
			return false, err
		}
		e.c = c
	default:
		e.c = j.m.native.NewContext(opts)
	}
	if e.disk {
		// A stored context's share of the disk is taken when it is made. What was read
		// before it was interrupted is there, and stays if there is no room for the rest.
		left := max(0, s.unfinished(e))
		n := int64(max(0, o.fresh-left))*int64(j.m.native.EntryBytes()) + o.bytes
		err := s.b.reserve(j.owner, n, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			e.claim = n
			return nil
		})
		if err != nil {
			return left > 0, err
		}
	}
	turn := &reader{t: &s.b.turns}
	if j.pass.c != quick {
		if err := turn.take(ctx); err != nil {
			return true, err
		}
		defer turn.give()
	} else {
		defer s.b.turns.ask()()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	t := &progressTracker{
		emit: j.emit, every: progressEvery, cached: o.cached, total: o.total, fresh: o.fresh, weight: o.weight, done: map[string]bool{}, begin: time.Now(),
	}
	begin, before := time.Now(), e.c.Tokens()
	defer func() {
		s.b.count.read(int64(max(0, e.c.Tokens()-before)), time.Since(begin))
	}()
	err = e.c.Read(ctx, o.list, func(p handscroll.Progress) {
		j.pass.reached(p)
		if err := t.report(p); err != nil {
			stop(err)
			return
		}
		if j.pass.c != quick {
			if err := turn.pause(ctx); err != nil {
				stop(err)
			}
		}
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return true, ended(cause)
	}
	return false, err
}

// unfinished is how many tokens of an entry are of units that are not read to their end.
func (s *entries) unfinished(e *entry) int {
	n := e.c.Tokens()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range e.Units {
		if r.Done {
			n -= r.Tokens
		}
	}
	return n
}

// progressEvery is how often progress is reported at most.
const progressEvery = 100 * time.Millisecond

// settle notes what has been read and makes errors those of a request.
func (s *entries) settle(e *entry, own []*unit, o *opened, stopped bool, failed error) error {
	var found []handscroll.Source
	if e.c != nil {
		found = e.c.Sources()
	}
	s.mu.Lock()
	for _, u := range own {
		i := slices.IndexFunc(e.Units, func(r *unitRecord) bool { return r.Key == u.key })
		e.Units[i].set(u, found, o.kind)
	}
	any := false
	for _, r := range e.Units {
		any = any || r.Done
	}
	if failed != nil && !stopped {
		// What was left will not be read on.
		e.Units = slices.DeleteFunc(e.Units, func(r *unitRecord) bool { return !r.Done })
	}
	keep := e.disk && (any || stopped) && (!disk.Full(failed) || s.isPinned(e))
	s.mu.Unlock()
	// It is still busy: nobody else changes or deletes it.
	size := int64(0)
	if keep {
		size = treeSize(s.dir(e.ID))
		if err := s.write(e, note); err != nil && failed == nil {
			// It is there, but the next process will not know.
			s.b.log.Error("an entry's record", "entry", e.ID, "err", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.size, e.claim = size, 0
	close(e.busy)
	e.busy = nil
	for _, r := range e.Units {
		if r.Done {
			s.units[r.Key] = e
		}
	}
	if !keep && (e.disk || !any) {
		s.remove(e)
	}
	return s.explain(failed, own)
}

// set notes what is known of a unit after a read.
func (r *unitRecord) set(u *unit, found []handscroll.Source, kind map[string]backend.Modality) {
	r.Sources, r.Tokens, r.ByKind, r.Skipped, r.Done = nil, 0, map[backend.Modality]int{}, u.skipped, true
	for i := range u.parts {
		name := u.parts[i].Source
		if slices.Contains(r.Sources, name) {
			continue
		}
		r.Sources = append(r.Sources, name)
		at := slices.IndexFunc(found, func(s handscroll.Source) bool { return s.Name == name })
		if at < 0 || !found[at].Done {
			r.Done = false
			continue
		}
		src := &found[at]
		r.Tokens += src.Tokens + src.Seen + src.Heard
		r.ByKind[kind[name]] += src.Tokens + src.Seen
		if src.Heard > 0 {
			r.ByKind[backend.Audio] += src.Heard
		}
	}
}

// explain makes an error of reading one of a request.
func (s *entries) explain(err error, own []*unit) error {
	var known *backend.Error
	var memory *handscroll.MemoryError
	var size *handscroll.SizeError
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return ended(err)
	case errors.As(err, &memory):
		return &backend.Error{Kind: backend.Unavailable, Message: clean(err, "", ""), Err: err}
	case errors.As(err, &size):
		return &backend.Error{Kind: backend.TooLarge, Message: clean(err, "", ""), Err: err}
	case disk.Full(err):
		return s.b.diskError("keeping the context", err)
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return s.b.diskError("reading the prompt", err)
	}
	out := &backend.Error{Kind: backend.Invalid, Message: clean(err, "", ""), Err: err}
	if len(own) == 1 {
		out.Param = own[0].param
	}
	return out
}
