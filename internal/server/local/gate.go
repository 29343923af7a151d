package local

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// class is how much of the machine a request will take before it answers.
type class int

const (
	quick class = iota // a question, with little to be read
	long               // much is to be read
)

// gate lets requests in, a number of each class at a time, in the order that they
// came. Those that wait are bounded.
type gate struct {
	limit [2]int
	queue int // that may wait

	mu      sync.Mutex
	running [2]int
	waiting [2][]*ticket
	inside  int    // requests that have been let in before and wait for another class
	starved [2]int // of running: they wait for memory, which those inside may have
	refused int64
	// mean is how long requests take, decaying.
	mean [2]time.Duration
}

// ticket is one who waits.
type ticket struct {
	admitted chan struct{}
	inside   bool
}

// pass is the right to run. It belongs to one goroutine.
type pass struct {
	g     *gate
	c     class
	since time.Time
}

// enter waits for its turn. waits is called, if not nil, once if there is a wait.
func (g *gate) enter(ctx context.Context, c class, waits func() error) (*pass, error) {
	g.mu.Lock()
	if g.running[c] < g.limit[c] && len(g.waiting[c]) == 0 {
		g.running[c]++
		g.mu.Unlock()
		return &pass{g, c, time.Now()}, nil
	}
	if g.waits() >= g.queue {
		g.refused++
		err := g.busy(c)
		g.mu.Unlock()
		return nil, err
	}
	t := &ticket{admitted: make(chan struct{})}
	g.waiting[c] = append(g.waiting[c], t)
	g.mu.Unlock()
	if waits != nil {
		if err := waits(); err != nil {
			g.leave(c, t)
			return nil, err
		}
	}
	return g.wait(ctx, c, t)
}

// waits is how many wait to be let in; g.mu is held.
func (g *gate) waits() int { return len(g.waiting[quick]) + len(g.waiting[long]) - g.inside }

func (g *gate) wait(ctx context.Context, c class, t *ticket) (*pass, error) {
	select {
	case <-t.admitted:
		return &pass{g, c, time.Now()}, nil
	case <-ctx.Done():
		g.leave(c, t)
		return nil, ended(ctx.Err())
	}
}

// leave gives up a ticket, or the place that it has got meanwhile.
func (g *gate) leave(c class, t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting[c], t); i >= 0 {
		g.waiting[c] = slices.Delete(g.waiting[c], i, i+1)
		if t.inside {
			g.inside--
		}
		return
	}
	g.running[c]--
	g.admit(c)
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
			g.inside--
		}
		g.running[c]++
		close(t.admitted)
	}
}

// busy is what one is told who may not even wait; g.mu is held.
func (g *gate) busy(c class) error {
	left := g.mean[c] * time.Duration(len(g.waiting[c])+1) / time.Duration(g.limit[c])
	e := backend.Errorf(backend.Busy, "%d requests wait already: try again later", g.waits())
	e.RetryAfter = min(max(left.Round(time.Second), time.Second), time.Minute)
	return e
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
	if g.running[c]-g.starved[c] < g.limit[c] {
		g.running[c]++
		g.mu.Unlock()
		*p = pass{g, c, time.Now()}
		return nil
	}
	t := &ticket{make(chan struct{}), true}
	i := 0
	for i < len(g.waiting[c]) && g.waiting[c][i].inside {
		i++
	}
	g.waiting[c] = slices.Insert(g.waiting[c], i, t)
	g.inside++
	g.mu.Unlock()
	next, err := g.wait(ctx, c, t)
	if err == nil {
		*p = *next
	}
	return err
}

// starve waits for memory. Its place goes to one who has been let in before, if need
// be: else those who have the memory could wait for the places of those who want it.
func (p *pass) starve(ctx context.Context, memory <-chan struct{}) error {
	g := p.g
	count := func(n int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.starved[p.c] += n
		g.admit(p.c)
	}
	count(1)
	defer count(-1)
	select {
	case <-memory:
		return nil
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
	g.mu.Lock()
	defer g.mu.Unlock()
	if took := time.Since(p.since); g.mean[p.c] == 0 {
		g.mean[p.c] = took
	} else {
		g.mean[p.c] += (took - g.mean[p.c]) / 8
	}
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
