package local

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// Who waits for memory does not hold up those who have it.
func TestMemoryAndPlaces(t *testing.T) {
	b := open(t, Options{})
	m := b.models[0]
	m.gate.limit = [classes]int{1, 1, 1}
	hay := text(haystack(1, 24<<10, gateLine))
	first := generate(t, b, request(hay, text(gateAsk)))
	need := int64(first.Usage.Prompt * m.native.EntryBytes())
	s := b.entries
	hold := func(n int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.memory += n
		close(s.changed)
		s.changed = make(chan struct{})
	}
	b.memory = 2 * need
	hold(need + need/2) // others
	small := make(chan error, 1)
	go func() {
		out, err := b.Generate(t.Context(), request(hay, text(gateAsk)), nil)
		if err == nil && out.Choices[0].Text != first.Choices[0].Text {
			t.Errorf("%q, alone %q", out.Choices[0].Text, first.Choices[0].Text)
		}
		small <- err
	}()
	for placed := false; !placed; runtime.Gosched() {
		m.gate.mu.Lock()
		placed = m.gate.running[quick] == 1
		m.gate.mu.Unlock()
	}
	// It is read in the other class, has its memory, and needs the place.
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	large := make(chan error, 1)
	go func() {
		_, err := b.Generate(t.Context(), request(backend.Part{Data: picture.Bytes()}, text("What does the sign say?")), nil)
		large <- err
	}()
	select {
	case err := <-large:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a request that has its memory waits for one that has none")
	}
	hold(-need - need/2)
	if err := <-small; err != nil {
		t.Error(err)
	}
	if m.gate.running != [classes]int{} || m.gate.starved != [classes]int{} || m.gate.inside != [classes]int{} {
		t.Errorf("running %v, starved %v, %v inside", m.gate.running, m.gate.starved, m.gate.inside)
	}
}

// enterNow enters where there is no wait.
func enterNow(t *testing.T, g *gate, c class, tokens int) *pass {
	t.Helper()
	p, err := g.enter(t.Context(), c, tokens, func() error { return errors.New("it waits") })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func half() handscroll.Progress { return handscroll.Progress{Bytes: 1, Total: 2} }

// Who would wait longer than is allowed is refused at once, and told when to come back.
func TestRefusedByWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{limit: [classes]int{2, 1, 1}, queue: 9, most: 30 * time.Second}
		reader := enterNow(t, g, long, 10_000)
		time.Sleep(10 * time.Second)
		reader.reached(half()) // 500 tokens a second; 5,128 are left
		if rate := g.load[long].rate(); rate != 500 {
			t.Fatalf("%v tokens a second, want 500", rate)
		}
		for _, test := range []struct {
			name    string
			time    time.Duration // that the request has; 0 is for ever
			tokens  int
			refused bool
			stays   bool
			says    []string
		}{
			{name: "it has as long as it takes", tokens: 4000},
			{name: "it would be read too late", tokens: 4000, time: 15 * time.Second, refused: true, says: []string{"5128 tokens", "500 a second"}},
			{name: "it will be read in time", tokens: 4000, time: 25 * time.Second},
			{name: "the last one that may wait", tokens: 10_000, stays: true},
			{name: "it would wait for the one before", tokens: 10, refused: true, says: []string{"15256 tokens", "31s", "30s"}},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.time > 0 {
				ctx, cancel = context.WithTimeout(ctx, test.time)
				defer cancel()
			}
			ended := make(chan error, 1)
			go func() {
				p, err := g.enter(ctx, long, test.tokens, nil)
				if err == nil {
					p.exit()
				}
				ended <- err
			}()
			synctest.Wait()
			select {
			case err := <-ended:
				if !test.refused {
					t.Errorf("%s: %v", test.name, err)
					break
				}
				wantKind(t, err, backend.Busy, test.says...)
				if after := err.(*backend.Error).RetryAfter; after < time.Second || after > 20*time.Second {
					t.Errorf("%s: retry after %v", test.name, after)
				}
			default:
				if test.refused {
					t.Errorf("%s: it waits", test.name)
				}
			}
			if !test.stays {
				cancel() // nothing of it is left
				synctest.Wait()
			}
		}
		// Questions have places of their own.
		enterNow(t, g, quick, 100).exit()
		reader.exit()
		synctest.Wait()
		if g.load[long].ahead > 1e-6 || g.load[quick].ahead > 1e-6 || g.running != [classes]int{} {
			t.Errorf("load %+v, running %v", g.load, g.running)
		}
	})
}

// Who waits for memory waits no longer than others, all such waits together.
func TestWaitForMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{limit: [classes]int{1, 1, 1}, queue: 9, most: 30 * time.Second}
		p := enterNow(t, g, long, 1000)
		given := make(chan struct{})
		go func() {
			time.Sleep(20 * time.Second)
			close(given)
		}()
		if err := p.starve(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		err := p.starve(t.Context(), make(chan struct{}))
		wantKind(t, err, backend.Busy, "30s", "memory")
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("refused after %v more", took)
		}
		p.exit()
		if g.starved != [classes]int{} || g.running != [classes]int{} || g.refused != 1 {
			t.Errorf("starved %v, running %v, %d refused", g.starved, g.running, g.refused)
		}
	})
}

// Nothing is known of how fast reading is: the wait itself is bounded.
func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{limit: [classes]int{1, 1, 1}, queue: 9, most: 30 * time.Second}
		first := enterNow(t, g, long, 1000)
		begin := time.Now()
		_, err := g.enter(t.Context(), long, 1000, nil)
		wantKind(t, err, backend.Busy, "30s")
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("refused after %v", took)
		}
		if e, ok := err.(*backend.Error); !ok || e.RetryAfter <= 0 {
			t.Errorf("%+v", err)
		}
		first.exit()
		enterNow(t, g, long, 1).exit()
		if g.refused != 1 || g.load[long].ahead > 1e-6 {
			t.Errorf("%d refused, load %+v", g.refused, g.load[long])
		}
	})
}
