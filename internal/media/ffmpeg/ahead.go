package ffmpeg

import (
	"io"
	"sync"
)

// ahead is what was read of a stream and is not wanted yet, so that who writes it
// need not wait for who reads it, nor the other way round.
type ahead struct {
	mu       sync.Mutex
	moved    sync.Cond
	ring     []byte
	from, to int64 // of the stream: what is in the ring
	err      error // after which there is no more
	closed   bool
	ended    sync.WaitGroup
}

// readAhead begins to read up to size bytes ahead.
func readAhead(r io.Reader, size int) *ahead {
	a := &ahead{ring: make([]byte, size)}
	a.moved.L = &a.mu
	a.ended.Go(func() {
		for a.fill(r) {
		}
	})
	return a
}

// fill reads once, when there is room, and reports whether there may be more.
func (a *ahead) fill(r io.Reader) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := int64(len(a.ring))
	for a.to-a.from == size && !a.closed {
		a.moved.Wait()
	}
	if a.closed {
		return false
	}
	at := a.to % size
	room := a.ring[at:min(size, at+size-(a.to-a.from))]
	a.mu.Unlock()
	n, err := r.Read(room)
	a.mu.Lock()
	a.to, a.err = a.to+int64(n), err
	a.moved.Broadcast()
	return err == nil
}

// Read gives what is there, waiting for something to be, and then the stream's error.
func (a *ahead) Read(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.to == a.from && a.err == nil {
		a.moved.Wait()
	}
	if a.to == a.from {
		return 0, a.err
	}
	at := a.from % int64(len(a.ring))
	n := copy(b, a.ring[at:min(int64(len(a.ring)), at+a.to-a.from)])
	a.from += int64(n)
	a.moved.Broadcast()
	return n, nil
}

// stop has no more be read; a read that waits for the stream still does.
func (a *ahead) stop() {
	a.mu.Lock()
	a.closed = true
	a.moved.Broadcast()
	a.mu.Unlock()
}
