package local

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// class is how much of the machine a request will take before it answers.
type class int

const (
	quick   class = iota // a question, with little to be read
	middle               // some pages are to be read
	long                 // much is to be read
	classes              // how many there are
)

// Bounds of the classes, in tokens that are to be read. Places of each are apart:
// questions do not wait for pages, nor pages for books.
const (
	quickTokens  = 2 << 10
	middleTokens = 32 << 10
)

func classOf(tokens int) class {
	switch {
	case tokens <= quickTokens:
		return quick
	case tokens <= middleTokens:
		return middle
	}
	return long
}

// gate lets requests in, a number of each class at a time, in the order that they
// came. Those that wait are bounded: their number, and by what is ahead of them how
// long they would wait.
type gate struct {
	limit [classes]int
	queue int           // of a class, that may wait
	most  time.Duration // that one may wait; 0 is as long as it takes

	mu      sync.Mutex
	running [classes]int
	waiting [classes][]*ticket
	inside  [classes]int // of waiting: they have been let in before, in another class
	starved [classes]int // of running: they wait for memory, which those inside may have
	refused int64
	load    [classes]load
}

// load is what a class has to do and how fast it does it, in tokens that are read.
type load struct {
	ahead float64 // of those that run, what is left, and of those that wait
	done  float64 // while busy
	busy  time.Duration
	since time.Time // when busy was right
}

const (
	// askWork is what answering takes, as if so many tokens were read. How fast that
	// is, is measured.
	askWork = 128
	// leastMeasure is how long a class must have worked before its rate is believed,
	// and mostMeasure how long it is remembered.
	leastMeasure = 250 * time.Millisecond
	mostMeasure  = time.Minute
)

// tick keeps the time that the class has worked; running says that it does.
func (l *load) tick(running bool) {
	now := time.Now()
	if running {
		l.busy += now.Sub(l.since)
	}
	l.since = now
	if l.busy > mostMeasure {
		l.busy /= 2
		l.done /= 2
	}
}

// rate is tokens a second, 0 if that is not known yet.
func (l *load) rate() float64 {
	if l.busy < leastMeasure {
		return 0
	}
	return l.done / l.busy.Seconds()
}

// time is how long so many tokens take, 0 if that is not known yet.
func (l *load) time(tokens float64) time.Duration {
	rate := l.rate()
	if rate <= 0 || tokens <= 0 {
		return 0
	}
	return time.Duration(min(tokens/rate, 1e9) * float64(time.Second))
}

// ticket is one who waits.
type ticket struct {
	admitted chan struct{}
	inside   bool
	work     float64
}

// pass is the right to run. It belongs to one goroutine.
type pass struct {
	g    *gate
	c    class
	read float64 // tokens that are to be read
	work float64 // that is left, answering included
	// release gives back the memory that reading takes; nil if it takes none.
	release func()
	hungry  time.Duration // how long it has waited for memory
}

// enter waits for its turn to read so many tokens and answer. It refuses one that
// would wait for longer than is allowed, or than its context has time. waits is
// called, if not nil, once if there is a wait.
func (g *gate) enter(ctx context.Context, c class, tokens int, waits func() error) (*pass, error) {
	p := &pass{g: g, c: c, read: float64(tokens), work: float64(tokens) + askWork}
	g.mu.Lock()
	g.tick(c)
	if g.running[c] < g.limit[c] && len(g.waiting[c]) == 0 {
		g.running[c]++
		g.load[c].ahead += p.work
		g.mu.Unlock()
		return p, nil
	}
	if err := g.check(ctx, p); err != nil {
		g.refused++
		g.mu.Unlock()
		return nil, err
	}
	t := &ticket{admitted: make(chan struct{}), work: p.work}
	g.waiting[c] = append(g.waiting[c], t)
	g.load[c].ahead += t.work
	g.mu.Unlock()
	if waits != nil {
		if err := waits(); err != nil {
			g.leave(c, t)
			return nil, err
		}
	}
	var late <-chan time.Time
	if g.most > 0 {
		// What was foretold may be wrong, most of all before anything was measured.
		timer := time.NewTimer(g.most)
		defer timer.Stop()
		late = timer.C
	}
	if err := g.wait(ctx, c, t, late); err != nil {
		return nil, err
	}
	return p, nil
}

// tick is called before anything of a class changes; g.mu is held.
func (g *gate) tick(c class) { g.load[c].tick(g.running[c] > 0) }

// check refuses one who may not wait; g.mu is held.
func (g *gate) check(ctx context.Context, p *pass) error {
	l := &g.load[p.c]
	wait, allowed, who := l.time(l.ahead), g.most, "may wait"
	if n := len(g.waiting[p.c]) - g.inside[p.c]; n >= g.queue {
		return busy(wait/2, "%d requests wait already, and no more may: try again later", n)
	}
	if end, ok := ctx.Deadline(); ok {
		if left := time.Until(end) - l.time(p.work); allowed <= 0 || left < allowed {
			allowed, who = max(left, 1), "has time for"
		}
	}
	if allowed <= 0 || wait <= allowed {
		return nil
	}
	return busy(wait-allowed/2, "the request would wait about %v, for %.0f tokens ahead of it at %.0f a second, and %s %v: try again later",
		wait.Round(time.Second), l.ahead, l.rate(), who, allowed.Round(time.Millisecond))
}

// busy is what one is told who may not wait, and when to come back.
func busy(after time.Duration, format string, args ...any) *backend.Error {
	e := backend.Errorf(backend.Busy, format, args...)
	e.RetryAfter = min(max(after.Round(time.Second), time.Second), time.Minute)
	return e
}

func (g *gate) wait(ctx context.Context, c class, t *ticket, late <-chan time.Time) error {
	select {
	case <-t.admitted:
		return nil
	case <-late:
		g.leave(c, t)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.refused++
		return busy(max(g.load[c].time(g.load[c].ahead), g.most)/2, "the request has waited %v, which is as long as it may: try again later", g.most)
	case <-ctx.Done():
		g.leave(c, t)
		return ended(ctx.Err())
	}
}

// leave gives up a ticket, or the place that it has got meanwhile.
func (g *gate) leave(c class, t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tick(c)
	g.drop(c, t.work)
	if i := slices.Index(g.waiting[c], t); i >= 0 {
		g.waiting[c] = slices.Delete(g.waiting[c], i, i+1)
		if t.inside {
			g.inside[c]--
		}
		return
	}
	g.running[c]--
	g.admit(c)
}

// drop takes work off what is ahead; g.mu is held.
func (g *gate) drop(c class, work float64) {
	// Sums of floats may come out a little below 0.
	g.load[c].ahead = max(0, g.load[c].ahead-work)
}

// admit lets in those for whom there is room; g.mu is held.
func (g *gate) admit(c class) {
	for len(g.waiting[c]) > 0 {
		t := g.waiting[c][0]
		if room := g.limit[c] - g.running[c]; room <= 0 && (!t.inside || room+g.starved[c] <= 0) {
			return
		}
		g.waiting[c] = slices.Delete(g.waiting[c], 0, 1)
		if t.inside {
			g.inside[c]--
		}
		g.running[c]++
		close(t.admitted)
	}
}

// reached says how far reading has come.
func (p *pass) reached(at handscroll.Progress) {
	g := p.g
	if g == nil || at.Total <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	left := p.read*(1-min(max(float64(at.Bytes)/float64(at.Total), 0), 1)) + askWork
	if left < p.work {
		g.did(p, p.work-left)
	}
}

// answered says that the request has its answer.
func (p *pass) answered() {
	g := p.g
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// What was not read was there already, or others have read it.
	g.did(p, min(p.work, askWork))
}

// did takes note of work; g.mu is held.
func (g *gate) did(p *pass, work float64) {
	g.tick(p.c)
	g.load[p.c].done += work
	g.drop(p.c, work)
	p.work -= work
}

// turn changes the class that a request runs in. It goes before those that wait to be
// let in: what it has read takes memory until it is answered.
func (p *pass) turn(ctx context.Context, c class) error {
	if p.c == c {
		return nil
	}
	g := p.g
	p.exit()
	g.mu.Lock()
	g.tick(c)
	g.load[c].ahead += askWork
	if g.running[c]-g.starved[c] < g.limit[c] {
		g.running[c]++
		g.mu.Unlock()
		*p = pass{g: g, c: c, work: askWork}
		return nil
	}
	t := &ticket{make(chan struct{}), true, askWork}
	i := 0
	for i < len(g.waiting[c]) && g.waiting[c][i].inside {
		i++
	}
	g.waiting[c] = slices.Insert(g.waiting[c], i, t)
	g.inside[c]++
	g.mu.Unlock()
	if err := g.wait(ctx, c, t, nil); err != nil {
		return err
	}
	*p = pass{g: g, c: c, work: askWork}
	return nil
}

// starve waits for memory. Its place goes to one who has been let in before, if need
// be: else those who have the memory could wait for the places of those who want it.
func (p *pass) starve(ctx context.Context, memory <-chan struct{}) error {
	g := p.g
	count := func(n int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.tick(p.c)
		g.starved[p.c] += n
		g.admit(p.c)
	}
	count(1)
	defer count(-1)
	var late <-chan time.Time
	begin := time.Now()
	defer func() { p.hungry += time.Since(begin) }()
	if g.most > 0 {
		timer := time.NewTimer(max(0, g.most-p.hungry))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-memory:
		return nil
	case <-late:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.refused++
		return busy(g.most/2, "the request has waited %v for memory that others use, which is as long as it may: try again later", g.most)
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

// exit gives the place to the next. It may be called more than once.
func (p *pass) exit() {
	g := p.g
	if g == nil {
		return
	}
	p.g = nil
	if p.release != nil {
		p.release()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tick(p.c)
	g.drop(p.c, p.work)
	g.running[p.c]--
	g.admit(p.c)
}

// turns is who computes with all cores: one reader at a time, after the questions.
type turns struct {
	mu        sync.Mutex
	questions int
	quiet     chan struct{} // closed when there is no question any more; nil if there is none
	taken     bool
	waiting   []chan struct{}
}

// ask marks a question that is being answered until done is called.
func (t *turns) ask() (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.questions++; t.questions == 1 {
		t.quiet = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.questions--; t.questions == 0 {
			close(t.quiet)
			t.quiet = nil
		}
	})
}

// reader is one who takes turns. It belongs to one goroutine.
type reader struct {
	t     *turns
	held  bool
	since time.Time
}

// take waits for the turn to read.
func (r *reader) take(ctx context.Context) error {
	t := r.t
	t.mu.Lock()
	if !t.taken {
		t.taken, r.held, r.since = true, true, time.Now()
		t.mu.Unlock()
		return nil
	}
	w := make(chan struct{})
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w:
		r.held, r.since = true, time.Now()
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	} else {
		t.next()
	}
	return ended(ctx.Err())
}

// give ends the reader's turn, if it has it.
func (r *reader) give() {
	if !r.held {
		return
	}
	r.held = false
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	r.t.next()
}

// next hands the turn on; t.mu is held.
func (t *turns) next() {
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(t.waiting[0])
	t.waiting = slices.Delete(t.waiting, 0, 1)
}

const (
	// leastTurn is how long a reader reads before it pauses.
	leastTurn = 20 * time.Millisecond
	mostPause = time.Second
)

// pause is called between chunks: questions go first, for at most as long as was
// read, then other readers.
func (r *reader) pause(ctx context.Context) error {
	if !r.held {
		return r.take(ctx)
	}
	read := time.Since(r.since)
	if read < leastTurn {
		return ended(ctx.Err())
	}
	r.t.mu.Lock()
	quiet := r.t.quiet
	r.t.mu.Unlock()
	if quiet != nil {
		wait := time.NewTimer(min(read, mostPause))
		select {
		case <-quiet:
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
	r.give()
	return r.take(ctx)
}
