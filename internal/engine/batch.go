package engine

import (
	"context"
	"sync"

	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
)

// passTokens is how many tokens a pass over the weights takes: enough that reading
// the weights is spread thin, few enough that one who waits is not kept long.
const passTokens = 512

// batcher runs the pieces that sessions want read, several in one pass where they
// come at once. The first to come runs passes until its own is done, then hands on.
type batcher struct {
	m *model.Transformer
	s nn.Scratch // of whoever runs a pass

	mu    sync.Mutex
	queue []*request
	busy  bool
}

type request struct {
	model.Piece
	done chan error
}

// forward reads a piece, at most passTokens long, and returns when it is done. A
// piece of a cancelled context that no pass has taken yet is not read.
func (b *batcher) forward(ctx context.Context, p model.Piece) error {
	r := &request{p, make(chan error, 1)}
	b.mu.Lock()
	b.queue = append(b.queue, r)
	lead := !b.busy
	b.busy = true
	b.mu.Unlock()
	if lead {
		b.lead(r)
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	if b.withdraw(r) {
		return ctx.Err()
	}
	return <-r.done // a pass is reading it
}

// lead runs passes until own is done.
func (b *batcher) lead(own *request) {
	for {
		pass := b.take()
		if pass == nil {
			return
		}
		b.run(pass)
		if len(own.done) > 0 {
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.queue) == 0 {
				b.busy = false
				return
			}
			go b.lead(b.queue[0])
			return
		}
	}
}

// take removes the pieces of the next pass from the queue: single tokens of
// answers first, then what fits of the rest, in the order they came.
func (b *batcher) take() (pass []*request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tokens := 0
	fits := func(r *request) bool { return len(pass) == 0 || tokens+len(r.IDs) <= passTokens }
	for _, short := range []bool{true, false} {
		rest := b.queue[:0]
		for _, r := range b.queue {
			if (len(r.IDs) == 1) == short && fits(r) {
				pass, tokens = append(pass, r), tokens+len(r.IDs)
				continue
			}
			rest = append(rest, r)
		}
		b.queue = rest
	}
	if len(pass) == 0 {
		b.busy = false
	}
	return pass
}

// withdraw takes a request back, unless a pass has it.
func (b *batcher) withdraw(r *request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, q := range b.queue {
		if q == r {
			b.queue = append(b.queue[:i], b.queue[i+1:]...)
			return true
		}
	}
	return false
}

func (b *batcher) run(pass []*request) {
	pieces := make([]model.Piece, len(pass))
	for i, r := range pass {
		pieces[i] = r.Piece
	}
	err := func() (err error) {
		defer recoverTo(&err)
		return b.m.Forward(&b.s, pieces...)
	}()
	for _, r := range pass {
		r.done <- err
	}
}
