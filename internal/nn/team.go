package nn

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Team is a fixed number of workers that share the parts of one job at a time:
// the caller of Run and goroutines of the team's own. Between jobs that follow
// each other closely they wait awake, since waking takes longer than most
// products. A nil Team is the caller alone.
type Team struct {
	workers int
	run     sync.Mutex // one job at a time

	job   func(worker, part int)
	parts int32
	next  atomic.Int32 // part to take
	left  atomic.Int32 // workers at the job, the caller not counted
	epoch atomic.Uint32

	mu     sync.Mutex
	wake   *sync.Cond
	asleep int
	closed atomic.Bool
	failed atomic.Pointer[workerPanic]
}

// workerPanic is what a part of a job panicked with.
type workerPanic struct {
	value any
	stack []byte
}

// NewTeam starts a team of n workers, the caller of Run included. Close ends it.
func NewTeam(n int) *Team {
	t := &Team{workers: max(1, n)}
	t.wake = sync.NewCond(&t.mu)
	for w := 1; w < t.workers; w++ {
		go t.work(w)
	}
	return t
}

// Workers returns how many workers there are.
func (t *Team) Workers() int {
	if t == nil {
		return 1
	}
	return t.workers
}

// Close ends the team's goroutines. No job may be under way.
func (t *Team) Close() {
	if t == nil {
		return
	}
	t.closed.Store(true)
	t.mu.Lock()
	t.wake.Broadcast()
	t.mu.Unlock()
}

// spins is how often a worker looks for a job before it sleeps: some tens of
// microseconds.
const spins = 1 << 14

func (t *Team) work(w int) {
	seen := uint32(0)
	for {
		if !t.await(&seen) {
			return
		}
		t.take(w)
		t.left.Add(-1)
	}
}

// await returns when there is a job after the one seen, or false at the end.
func (t *Team) await(seen *uint32) bool {
	for i := range spins {
		if e := t.epoch.Load(); e != *seen {
			*seen = e
			return true
		}
		if i%64 == 63 {
			runtime.Gosched()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asleep++
	for t.epoch.Load() == *seen && !t.closed.Load() {
		t.wake.Wait()
	}
	t.asleep--
	if e := t.epoch.Load(); e != *seen {
		*seen = e
		return true
	}
	return false
}

// take computes parts until none is left.
func (t *Team) take(w int) {
	defer func() {
		if v := recover(); v != nil {
			t.failed.CompareAndSwap(nil, &workerPanic{v, debug.Stack()})
			t.next.Store(t.parts)
		}
	}()
	for {
		p := t.next.Add(1) - 1
		if p >= t.parts {
			return
		}
		t.job(w, int(p))
	}
}

// Run calls f once for each part from 0 to parts−1 and returns when all are done.
// Workers are numbered from 0; one has only one part at a time. A panic in a part
// goes on in the caller.
func (t *Team) Run(parts int, f func(worker, part int)) {
	if t == nil || t.workers == 1 || parts <= 1 {
		for p := range parts {
			f(0, p)
		}
		return
	}
	t.run.Lock()
	defer t.run.Unlock()
	t.job, t.parts = f, int32(parts)
	t.next.Store(0)
	t.left.Store(int32(t.workers - 1))
	t.epoch.Add(1)
	t.mu.Lock()
	if t.asleep > 0 {
		t.wake.Broadcast()
	}
	t.mu.Unlock()
	t.take(0)
	for i := 1; t.left.Load() > 0; i++ {
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
	t.job = nil
	if p := t.failed.Swap(nil); p != nil {
		panic(fmt.Sprintf("%v\n\nin a worker:\n%s", p.value, p.stack))
	}
}

// Split calls f for consecutive ranges of n items that are at least least long,
// several a worker.
func (t *Team) Split(n, least int, f func(worker, from, to int)) {
	if n == 0 {
		return
	}
	size := max(least, (n+4*t.Workers()-1)/(4*t.Workers()))
	size = (size + least - 1) / least * least
	t.Run((n+size-1)/size, func(w, p int) { f(w, p*size, min(n, (p+1)*size)) })
}
