package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// wire is how the families of these tests answer when something is wrong.
type wire struct {
	Family  string
	Kind    backend.Kind
	Message string
}

func errorsOf(name string) WriteError {
	return func(w http.ResponseWriter, e *backend.Error) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(map[backend.Kind]int{
			backend.Invalid: 400, backend.TooSlow: 408, backend.Unauthorized: 401, backend.Forbidden: 403, backend.TooLarge: 413, backend.Busy: 429,
			backend.Internal: 500, backend.Unavailable: 503, backend.Deadline: 504,
		}[e.Kind])
		json.NewEncoder(w).Encode(wire{name, e.Kind, e.Message})
	}
}

// testFamily answers a body of text with the same, a word at a time, or panics.
func testFamily(name string, b backend.Backend) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(err error) {
			var e *backend.Error
			switch {
			case errors.As(err, &e):
			case errors.Is(err, context.DeadlineExceeded):
				e = backend.Errorf(backend.Deadline, "too late")
			default:
				e = backend.Errorf(backend.Internal, "%w", err)
			}
			errorsOf(name)(w, e)
		}
		switch r.URL.Query().Get("do") {
		case "panic":
			panic("boom with secret words")
		case "panic late":
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic("boom")
		case "owner":
			io.WriteString(w, backend.Owner(r.Context()))
			return
		case "ignore long":
			io.WriteString(w, "ignored"+strings.Repeat(" ", 1<<20))
			return
		case "ignore":
			io.WriteString(w, "ignored")
			return
		}
		text, err := io.ReadAll(r.Body)
		if err != nil {
			fail(err)
			return
		}
		q := &backend.Request{Model: backendtest.Native, Owner: backend.Owner(r.Context()), Logprobs: -1,
			Messages: []backend.Message{{Role: backend.User, Parts: []backend.Part{{Text: string(text)}}}}}
		sent := false
		_, err = b.Generate(r.Context(), q, func(e backend.Event) error {
			if e.Progress != nil {
				return errors.New("progress that nobody asked for")
			}
			sent = true
			if _, err := io.WriteString(w, e.Delta.Text); err != nil {
				return err
			}
			return http.NewResponseController(w).Flush()
		})
		switch {
		case err != nil && sent:
			fmt.Fprintf(w, " error: %v", err)
		case err != nil:
			fail(err)
		}
	})
}

// house is a server with all that it needs.
type house struct {
	*Server
	fake *backendtest.Fake
	keys *Keys
	logs *lines
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newHouse(t testing.TB, change func(*Options)) *house {
	t.Helper()
	h := &house{fake: backendtest.New(), keys: newKeys(t), logs: new(lines)}
	b := Meter(h.fake)
	o := Options{
		Backend: b, Gemini: testFamily("gemini", b), OpenAI: testFamily("openai", b),
		GeminiError: errorsOf("gemini"), OpenAIError: errorsOf("openai"),
		Studio: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<title>studio</title>") }),
		Keys:   h.keys, Log: slog.New(slog.NewJSONHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = s
	return h
}

func (h *house) add(t testing.TB, name string, l KeyLimits) string {
	t.Helper()
	secret, err := h.keys.Add(name, l)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// pipes is a listener for connections without a network, so that time may be a test's.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open serves until stop is called, which returns what Serve does.
func (h *house) open(t testing.TB) (p *pipes, client *http.Client, stop func() error) {
	t.Helper()
	p = newPipes()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx, p) }()
	tr := &http.Transport{DialContext: p.dial}
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-served
		tr.CloseIdleConnections()
		return err
	})
	t.Cleanup(func() { stop() })
	return p, &http.Client{Transport: tr}, stop
}

// say posts text; header fields come in pairs.
func say(ctx context.Context, c *http.Client, path, text string, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://localhost:8080"+path, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.Do(r)
}

// bodyOf reads an answer to its end.
func bodyOf(t testing.TB, res *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wantWire checks an error's form.
func wantWire(t testing.TB, status int, body, family string, wantStatus int, text string) {
	t.Helper()
	var got wire
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != wantStatus || got.Family != family || !strings.Contains(got.Message, text) {
		t.Errorf("status %d, body %s; want %d in the form of %s with %q", status, body, wantStatus, family, text)
	}
}
