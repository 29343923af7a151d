package local

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// million is the switch of what takes minutes: a context of a million tokens.
var million = flag.Bool("million", false, "test a context of a million tokens")

// TestMillion reads a million tokens while short questions are asked, and asks again
// after a crash.
func TestMillion(t *testing.T) {
	if !*million {
		t.Skip("takes minutes: -million")
	}
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	hay := haystack(1, 4_300_000, gateLine)
	type result struct {
		s   *backend.Stored
		err error
	}
	reading, ended := make(chan struct{}), make(chan result, 1)
	begin := time.Now()
	go func() {
		once := sync.OnceFunc(func() { close(reading) })
		s, err := b.Store(context.Background(), backend.NewStored{Model: "handscroll", TTL: -1, Messages: say(backend.Part{Data: []byte(hay), Name: "hay.txt"})},
			func(e backend.Event) error {
				if e.Progress.Tokens > 0 {
					once()
				}
				return nil
			})
		ended <- result{s, err}
	}()
	<-reading
	var worst, sum time.Duration
	n := 0
	var r result
	for done := false; !done; n++ {
		begin := time.Now()
		var first time.Duration
		_, err := b.Generate(t.Context(), request(text(haystack(uint64(20+n), 1<<10, portLine)), text(portAsk)), func(backend.Event) error {
			first = time.Since(begin)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		worst, sum = max(worst, first), sum+first
		select {
		case r = <-ended:
			done = true
		case <-time.After(500 * time.Millisecond):
		}
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Logf("%d tokens stored in %v; time to first token of %d short questions meanwhile: at most %v, %v on average", r.s.Tokens, time.Since(begin), n, worst, sum/time.Duration(n))
	if r.s.Tokens < 1_000_000 {
		t.Errorf("%d tokens", r.s.Tokens)
	}
	b.crash()
	begin = time.Now()
	b = open(t, Options{Dir: dir})
	opened := time.Since(begin)
	q := request(text(gateAsk))
	q.Context = r.s.ID
	a := generate(t, b, q)
	took := time.Since(begin)
	t.Logf("after a crash: opened in %v, answered %q after %v; asked again %v", opened, a.Choices[0].Text, took, func() time.Duration {
		begin := time.Now()
		generate(t, b, q)
		return time.Since(begin)
	}())
	if !strings.Contains(a.Choices[0].Text, "4471") || b.Stats().ReadTokens != 0 {
		t.Errorf("%q, %d tokens read", a.Choices[0].Text, b.Stats().ReadTokens)
	}
}

// BenchmarkOverhead compares a request with what the engine takes for it: reading a
// prompt and answering (fresh), and answering from one that was read (cached).
func BenchmarkOverhead(b *testing.B) {
	m, err := handscroll.Open("")
	if err != nil {
		b.Fatal(err)
	}
	for _, test := range []struct {
		name string
		size int
	}{{"4k", 16 << 10}, {"64k", 270 << 10}} {
		serve, err := New(Options{Dir: filepath.Join(b.TempDir(), "data")})
		if err != nil {
			b.Fatal(err)
		}
		defer serve.Close(context.Background())
		seed := uint64(0)
		fresh := func() (string, string) {
			seed++
			return haystack(seed, test.size, gateLine), filepath.Join(b.TempDir(), "context")
		}
		engine := func(hay, dir string) *handscroll.Context {
			c, err := m.OpenContext(dir, handscroll.ContextOptions{})
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Read(b.Context(), []handscroll.Part{{Source: "message 1", Text: []byte(hay)}}, nil); err != nil {
				b.Fatal(err)
			}
			return c
		}
		ask := func(c *handscroll.Context) {
			if _, err := c.Ask(b.Context(), gateAsk); err != nil {
				b.Fatal(err)
			}
		}
		request := func(hay string) {
			if _, err := serve.Generate(b.Context(), request(text(hay), text(gateAsk)), nil); err != nil {
				b.Fatal(err)
			}
		}
		// Both in turns, as the machine does other things too.
		b.Run(test.name+"/fresh", func(b *testing.B) {
			var engineTime, serveTime time.Duration
			for b.Loop() {
				hay, dir := fresh()
				begin := time.Now()
				c := engine(hay, dir)
				ask(c)
				engineTime += time.Since(begin)
				c.Close()
				os.RemoveAll(dir)
				begin = time.Now()
				request(hay)
				serveTime += time.Since(begin)
			}
			b.ReportMetric(float64(serveTime)/float64(engineTime)-1, "overhead")
		})
		b.Run(test.name+"/cached", func(b *testing.B) {
			hay, dir := fresh()
			c := engine(hay, dir)
			defer c.Close()
			request(hay)
			var engineTime, serveTime time.Duration
			for b.Loop() {
				begin := time.Now()
				ask(c)
				engineTime += time.Since(begin)
				begin = time.Now()
				request(hay)
				serveTime += time.Since(begin)
			}
			b.ReportMetric(float64(serveTime)/float64(engineTime)-1, "overhead")
			b.ReportMetric(float64((serveTime-engineTime).Microseconds())/float64(b.N), "µs-more")
		})
	}
}
