package backendtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Family is one of the APIs, as [Main] serves it.
type Family struct {
	Handler    http.Handler
	Key        func(*http.Request) string // that a request presents
	WriteError func(http.ResponseWriter, *backend.Error)
}

// Main is a family's TestMain: it runs its tests, or is a server for conformance tests
// if HANDSCROLL_TEST_SERVE is set. The server has a [Fake], prints its address and ends
// when its input does.
func Main(run func() int, family func(backend.Backend) Family) {
	if os.Getenv("HANDSCROLL_TEST_SERVE") == "" {
		os.Exit(run())
	}
	if err := serve(os.Stdin, os.Stdout, family); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve takes every key but "wrong" and none, each being an owner. It fails where a
// request's X-Fake-Fail says so, for this request alone: the name of a method, as
// [Fake.Fail] has them.
func serve(until io.Reader, say io.Writer, family func(backend.Backend) Family) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fake := New()
	api := family(fake)
	var failing sync.RWMutex
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := api.Key(r)
		if key == "" || key == "wrong" {
			api.WriteError(w, backend.Errorf(backend.Unauthorized, "this key is not known"))
			return
		}
		r = r.WithContext(backend.WithOwner(r.Context(), key))
		if method := r.Header.Get("X-Fake-Fail"); method != "" {
			failing.Lock()
			defer failing.Unlock()
			fake.Fail(method, &backend.Error{Kind: backend.Busy, Message: "the queue is full", RetryAfter: time.Second})
			defer fake.Fail(method, nil)
		} else {
			failing.RLock()
			defer failing.RUnlock()
		}
		api.Handler.ServeHTTP(w, r)
	})}
	fmt.Fprintf(say, "listening on http://%s\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, until)
		s.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
