package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
)

// Progress is how far a Read has come.
type Progress struct {
	Source  string // the part that was appended to last
	Bytes   int64  // of text read, of TotalBytes
	Total   int64
	Tokens  int // made by this Read
	Elapsed time.Duration
	// At is how far into a film or sound of Length (0 if that is not known) the
	// decoding of Source is; texts are read after it.
	At, Length time.Duration
}

// ChangedError says that a part has another text than when it was read.
type ChangedError struct{ Source string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("engine: %s has changed since it was read", e.Source)
}

// plan is a part that is to be read, or read on.
type plan struct {
	source string
	hash   [32]byte
	text   []byte
	notes  []byte
	old    *kvcache.Segment // to be dropped before
	resume int              // tokens that are already stored; the segment exists if > 0 or begun
	begun  bool
}

// Read appends parts that are not there yet; a part that is, with the same
// source and text, costs nothing. A segment that an interrupted Read left
// unfinished is finished first, from its stored text; parts may then be empty.
//
// When ctx is cancelled Read returns its error, keeping all chunks that are
// done. In a stored context they survive whatever ends the process. Until a
// Read has come to its end, of the same parts or of none, Ask refuses: it would
// miss parts without a word.
func (c *Context) Read(ctx context.Context, parts []media.Part, progress func(Progress)) (err error) {
	defer recoverTo(&err)
	begin := time.Now()
	defer func() { c.read += time.Since(begin) }()
	err = c.pages.Edit()
	c.refresh() // also after a failure, which may have let go of the old entries
	if err != nil {
		return err
	}
	defer func() {
		// Also after a failure: what was appended is valid.
		if e := c.pages.Finish(!c.partial); e != nil && err == nil {
			err = e
		}
		c.refresh()
	}()
	c.partial = c.partial || !c.pages.Complete()
	parts, noted, err := c.perceiveAll(ctx, parts, progress)
	if err != nil {
		return err
	}
	plans, err := c.plan(parts, noted)
	if err != nil {
		return err
	}
	if len(plans) == 0 {
		c.partial = false
		return c.forgetSensing()
	}
	r := newReading(c, plans, progress)
	if !c.stored {
		if r.most, err = c.checkMemory(plans); err != nil {
			return err
		}
	}
	if err := c.pages.Commit(); err != nil { // from here on a kill leaves it partial
		return err
	}
	c.partial = true
	if err := r.run(ctx); err != nil {
		return err
	}
	c.partial = false
	return c.forgetSensing()
}

// plan compares parts with what is there; noted are the notes of those that were
// perceived, by source.
func (c *Context) plan(parts []media.Part, noted map[string][]byte) ([]*plan, error) {
	there := map[string]*kvcache.Segment{}
	var unfinished *kvcache.Segment
	for _, s := range c.text {
		there[s.Source] = s
		if !s.Done() {
			unfinished = s
		}
	}
	var plans []*plan
	seen := map[string][32]byte{}
	for _, p := range parts {
		if len(p.Text) == 0 {
			return nil, fmt.Errorf("engine: %s: no text", p.Source)
		}
		hash := hashOf(&p)
		if h, ok := seen[p.Source]; ok {
			if h != hash {
				return nil, fmt.Errorf("engine: %s: two parts have this name and different texts", p.Source)
			}
			continue
		}
		seen[p.Source] = hash
		old := there[p.Source]
		if old != nil && old.Hash == hash {
			continue
		}
		if old != nil && !c.opts.Replace {
			return nil, &ChangedError{p.Source}
		}
		add := &plan{source: p.Source, hash: hash, text: p.Text, notes: noted[p.Source], old: old}
		if len(add.notes) == 0 && len(p.Marks) > 0 {
			n := notes{Kind: kindText}
			n.setMarks(p.Marks)
			add.notes = n.encode()
		}
		if old != nil && old == unfinished {
			// Not worth finishing; dropped first, as nothing can follow it.
			unfinished = nil
			plans = slices.Insert(plans, 0, add)
			continue
		}
		plans = append(plans, add)
	}
	if s := unfinished; s != nil {
		plans = slices.Insert(plans, 0, &plan{source: s.Source, hash: s.Hash, text: s.Text, resume: s.Tokens(), begun: true})
	}
	return plans, nil
}

// hashOf identifies a part's content.
func hashOf(p *media.Part) [32]byte {
	if p.Hash != ([32]byte{}) {
		return p.Hash
	}
	return sha256.Sum256(p.Text)
}

// reading is one Read: a producer cuts plans into chunks, all workers share in
// each, and the caller's goroutine appends them in order.
type reading struct {
	c        *Context
	plans    []*plan
	most     int // tokens that fit into memory, 0 no bound
	progress func(Progress)
	state    Progress
	begin    time.Time

	shares  chan share
	results chan *job
	// slots bounds the chunks between producer and appender. For a stored
	// context it is one, so that being killed costs no more than that; in memory
	// a second one keeps workers busy that are done with their shares.
	slots chan struct{}
	stop  chan struct{} // closed when the rest is not wanted
	err   error         // of the producer, set before shares is closed
}

// job is a chunk: of one text, or of several short ones.
type job struct {
	seq    int
	tokens int
	tasks  []task
	runs   []kvcache.Run
	left   atomic.Int32 // shares that are not done
	errs   []error      // of shares
}

// share is the part of a job that one worker does: entries [from, to) of a task.
type share struct {
	j        *job
	i        int // of the task
	from, to int
	err      *error
}

// shareSize is an equal share of n tokens in whole blocks.
func shareSize(n, workers int) int {
	return max(1, (n+workers*blockTokens-1)/(workers*blockTokens)) * blockTokens
}

// split makes a job's shares for a number of workers. Shares begin at multiples
// of a block, where entries come out the same bit for bit.
func (j *job) split(workers int) []share {
	size := shareSize(j.tokens, workers)
	var out []share
	for i, t := range j.tasks {
		for from := 0; from < t.n; from += size {
			out = append(out, share{j: j, i: i, from: from, to: min(t.n, from+size)})
		}
	}
	j.errs = make([]error, len(out))
	for i := range out {
		out[i].err = &j.errs[i]
	}
	j.left.Store(int32(len(out)))
	return out
}

func newReading(c *Context, plans []*plan, progress func(Progress)) *reading {
	window := 2
	if c.stored {
		window = 1
	}
	r := &reading{
		c: c, plans: plans, progress: progress, begin: time.Now(),
		shares: make(chan share), results: make(chan *job, window),
		slots: make(chan struct{}, window), stop: make(chan struct{}),
	}
	for _, p := range plans {
		r.state.Total += int64(len(p.text))
	}
	return r
}

func (r *reading) run(ctx context.Context) error {
	go r.produce(ctx)
	var workers sync.WaitGroup
	for range r.c.opts.workers() {
		workers.Go(r.work)
	}
	go func() {
		workers.Wait()
		close(r.results)
	}()
	err := r.collect()
	if err == nil {
		err = r.err
	}
	return err
}

// produce sends jobs in order until all is sent or nobody wants more.
func (r *reading) produce(ctx context.Context) {
	defer close(r.shares)
	defer recoverTo(&r.err)
	seq := 0
	j := &job{}
	send := func() bool {
		select {
		case <-ctx.Done():
		case <-r.stop:
			return false
		case r.slots <- struct{}{}:
		}
		// Also when there was a slot: select picks either.
		if r.err = ctx.Err(); r.err != nil {
			return false
		}
		j.seq = seq
		seq++
		for _, t := range j.tasks {
			j.runs = append(j.runs, kvcache.NewRun(t.n, r.c.model.id.DK, r.c.model.id.DV))
		}
		for _, s := range j.split(r.c.opts.workers()) {
			r.shares <- s // workers take shares until the channel is closed
		}
		j = &job{}
		return true
	}
	size := r.c.opts.chunkSize()
	for _, p := range r.plans {
		chunks, err := newChunker(r.c.model, p, size)
		if err != nil {
			r.err = err
			return
		}
		for t, ok := chunks.next(); ok; t, ok = chunks.next() {
			if j.tokens+t.n > size && len(j.tasks) > 0 && !send() {
				return
			}
			j.tasks = append(j.tasks, t)
			j.tokens += t.n
		}
	}
	if len(j.tasks) > 0 {
		send()
	}
}

// work prefills shares until there are no more.
func (r *reading) work() {
	prefill := r.c.model.net.Prefiller()
	for s := range r.shares {
		select {
		case <-r.stop: // the result is not wanted
		default:
			s.prefill(r.c.model, prefill)
		}
		if s.j.left.Add(-1) == 0 {
			r.results <- s.j
		}
	}
}

func (s *share) prefill(m *Model, prefill func(kvcache.Run, []int32, int, int)) {
	defer recoverTo(s.err)
	t := &s.j.tasks[s.i]
	m.entries(prefill, s.j.runs[s.i].Slice(s.from, s.to), t.ids, t.pos, t.lead+s.from)
}

// collect appends results in order and returns the first error, after all
// workers have ended.
func (r *reading) collect() error {
	var failed error
	waiting := map[int]*job{}
	next := 0
	for j := range r.results {
		waiting[j.seq] = j
		for j := waiting[next]; j != nil; j = waiting[next] {
			delete(waiting, next)
			next++
			if failed == nil {
				if failed = r.append(j); failed != nil {
					close(r.stop)
				}
			}
			<-r.slots
		}
	}
	return failed
}

func (r *reading) append(j *job) error {
	if err := errors.Join(j.errs...); err != nil {
		return fmt.Errorf("%s: %w", j.tasks[0].part.source, err)
	}
	pages := r.c.pages
	for i, t := range j.tasks {
		p := t.part
		if p.old != nil {
			if err := pages.Drop(p.old); err != nil {
				return err
			}
			p.old = nil
		}
		if !p.begun {
			if err := pages.Begin(p.source, p.hash, p.text, p.notes); err != nil {
				return err
			}
			p.begun = true
		}
		b := kvcache.Block{First: t.first, Offset: t.offset, Line: t.line, Last: t.last, Run: j.runs[i]}
		if err := pages.Append(b); err != nil {
			return err
		}
		r.state.Source = p.source
		r.state.Bytes += t.end - t.offset
		r.state.Tokens += t.n
	}
	if r.most > 0 && r.state.Tokens > r.most {
		// What all would come to, by what was read so far.
		tokens := int64(float64(r.state.Tokens) * float64(r.state.Total) / float64(max(r.state.Bytes, 1)))
		entry := int64(r.c.model.EntryBytes())
		return &MemoryError{Tokens: tokens, Bytes: tokens * entry, Max: int64(r.most) * entry}
	}
	if r.progress != nil {
		r.state.Elapsed = time.Since(r.begin)
		r.progress(r.state)
	}
	return nil
}

// errEmpty is what asking an empty context gives.
var errEmpty = errors.New("engine: the context is empty: read something into it first")
