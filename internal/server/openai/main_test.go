package openai

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// TestMain makes the test program a server for conformance/openai if
// HANDSCROLL_TEST_SERVE is set: the handler over the fake backend. It prints its
// address and ends when its input does.
func TestMain(m *testing.M) {
	if os.Getenv("HANDSCROLL_TEST_SERVE") != "" {
		if err := serveFake(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveFake fails where a request's X-Fake-Fail says so, for this request alone: the
// name of a method, as backendtest.Fake.Fail has them.
func serveFake(until io.Reader, say io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fake := backendtest.New()
	api := New(fake, Options{})
	var failing sync.Mutex
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if key == "" || key == "wrong" {
			WriteError(w, backend.Errorf(backend.Unauthorized, "this key is not known"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 8<<20)
		r = r.WithContext(backend.WithOwner(r.Context(), key))
		if method := r.Header.Get("X-Fake-Fail"); method != "" {
			failing.Lock()
			defer failing.Unlock()
			fake.Fail(method, &backend.Error{Kind: backend.Busy, Message: "the queue is full", RetryAfter: time.Second})
			defer fake.Fail(method, nil)
		}
		api.ServeHTTP(w, r)
	})}
	fmt.Fprintf(say, "listening on http://%s\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, until)
		s.Close()
	}()
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
