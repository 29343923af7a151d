package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// WriteError writes an error in the form of a family.
type WriteError func(w http.ResponseWriter, e *backend.Error)

// Options say what a server serves, to whom and how much. Limits of 0 are the defaults.
type Options struct {
	Addr    string // that it will listen on; "" is loopback
	Backend backend.Backend

	Gemini, OpenAI           http.Handler
	GeminiError, OpenAIError WriteError
	Studio                   http.Handler // nil for none

	Keys  *Keys    // nil for none
	CORS  []string // origins whose pages may use the API; "*" for all
	Hosts []string // that Host may say on loopback, besides localhost and addresses
	TLS   *tls.Config

	Timeout  time.Duration // of a request; 0 is none
	Grace    time.Duration // for running requests at the end; 0 is 30 s
	MaxBody  int64         // bytes of a request; 0 is 100 MiB
	MaxFile  int64         // bytes of a request that uploads; 0 is 2 GiB
	Memory   int64         // for bodies of requests that are answered; 0 is enough for 4 of MaxBody
	MaxConns int           // connections at once; 0 is 1,024
	Pace     time.Duration // for headers a third of it, for each 4 KiB of a body, for a client to take what is written; 0 is 30 s

	Log *slog.Logger // nil discards
}

// Server serves the API families. Make it with [New].
type Server struct {
	o       Options
	gate    *gate
	bodies  bodies
	metrics *metrics
	log     *slog.Logger

	loopback atomic.Bool // only this machine can connect
	keyed    atomic.Bool // keys are required, and stay so when the last one is removed

	mu       sync.Mutex
	running  int // requests of the families
	draining bool
	drained  chan struct{} // closed when draining and none runs
	holders  map[[32]byte]*holder

	spent spent
}

// New checks the options. A server that others can reach must have keys.
func New(o Options) (*Server, error) {
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:0")
	o.Grace = cmp.Or(o.Grace, 30*time.Second)
	o.MaxBody = cmp.Or(o.MaxBody, 100<<20)
	o.MaxFile = cmp.Or(o.MaxFile, 2<<30)
	o.Memory = cmp.Or(o.Memory, 4*bodyMemory*o.MaxBody)
	o.MaxConns = cmp.Or(o.MaxConns, 1024)
	o.Pace = cmp.Or(o.Pace, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Backend == nil || o.Gemini == nil || o.OpenAI == nil || o.GeminiError == nil || o.OpenAIError == nil {
		return nil, errors.New("server: options lack the backend, a family or its errors")
	}
	if o.Timeout < 0 || o.Grace < 0 || o.MaxBody < 0 || o.MaxFile < 0 || o.Memory < 0 || o.MaxConns < 0 || o.Pace < 0 {
		return nil, errors.New("server: a limit is negative")
	}
	g, err := newGate(o.Hosts, o.CORS)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, gate: g, log: o.Log, drained: make(chan struct{}), holders: make(map[[32]byte]*holder)}
	s.bodies.limit = o.Memory / bodyMemory
	s.metrics = newMetrics(o.Backend, &s.bodies)
	if err := s.spent.read(o.Keys); err != nil {
		// They count from zero: not to serve at all would be worse.
		s.log.Error("starting", "error", err)
	}
	if err := s.admitFrom(o.Addr); err != nil {
		return nil, err
	}
	return s, nil
}

// admitFrom sets who can connect, and insists on keys where others can.
func (s *Server) admitFrom(addr string) error {
	if err := s.o.Keys.Guard(addr); err != nil {
		return err
	}
	loopback, err := isLoopback(addr)
	if err != nil {
		return err
	}
	s.loopback.Store(loopback)
	if s.o.Keys.has() {
		s.keyed.Store(true)
	}
	return nil
}

// Serve accepts connections from l until ctx is done. Then /readyz says no, new requests
// are refused, those that run may finish within the grace, and are cancelled after it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if err := s.admitFrom(l.Addr().String()); err != nil {
		return err
	}
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	hs := &http.Server{
		Handler: s, TLSConfig: s.o.TLS,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: max(s.o.Pace/3, time.Millisecond),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	l = limit(l, s.o.MaxConns)
	over, kept := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(kept)
		s.keepSpent(over)
	}()
	defer func() {
		close(over)
		<-kept
	}()
	served := make(chan error, 1)
	go func() {
		if s.o.TLS != nil {
			served <- hs.ServeTLS(l, "", "")
			return
		}
		served <- hs.Serve(l)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	s.log.Info("shutting down", "running", s.drain(), "grace", s.o.Grace)
	hs.SetKeepAlivesEnabled(false)
	if !await(s.drained, s.o.Grace) {
		cancel(errStopping())
		await(s.drained, 5*time.Second)
	}
	// What is open now has no request, or one that does not heed its context.
	last, stop := context.WithTimeout(context.WithoutCancel(base), time.Second)
	defer stop()
	var err error
	if hs.Shutdown(last) != nil {
		err = hs.Close()
	}
	<-served
	return err
}

func await(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// drain refuses new requests and returns how many run.
func (s *Server) drain() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining = true; s.running == 0 {
		close(s.drained)
	}
	return s.running
}

// begin counts a request of a family, unless none may begin any more.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.running++
	return true
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 && s.draining {
		close(s.drained)
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &record{id: requestID(r), method: methodOf(r), route: routeOf(r.URL.Path), family: familyOf(r.URL.Path), start: time.Now()}
	limit := min(s.o.MaxBody, max(s.bodies.limit, smallBody))
	if takesFile(r.URL.Path) {
		limit = s.o.MaxFile + 1<<20 // for what is around the file in a form
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	in := newBody(w, r, limit, s.o.Pace)
	defer in.letGo()
	out := newResponse(w, r, in, s.o.Pace)
	out.Header().Set("X-Request-Id", rec.id)
	r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
	if r.Body != http.NoBody {
		r.Body = in
	}
	s.metrics.inFlight.Inc()
	defer s.finish(out, r, rec)
	done, err := s.gate.check(out, r, s.loopback.Load())
	if err == nil && !done {
		err = s.serve(out, r, rec, limit)
	}
	if err != nil {
		s.fail(out, rec.family, err)
	}
}

// serve hands a request on, or says why not. An error has not been written.
func (s *Server) serve(w *response, r *http.Request, rec *record, limit int64) *backend.Error {
	switch {
	case rec.family == control:
		return s.control(w, r, rec)
	case rec.family == site && s.o.Studio == nil:
		return backend.Errorf(backend.NotFound, "there is no page here; the APIs are below /v1beta/ and /v1/")
	case rec.family == site:
		s.o.Studio.ServeHTTP(w, r)
		return nil
	}
	if err := s.identify(r, rec); err != nil {
		return err
	}
	if !s.begin() {
		return errStopping()
	}
	defer s.end()
	if h := rec.holder; h != nil {
		if err := h.enter(time.Now(), !continues(r)); err != nil {
			return err
		}
		defer h.leave()
	}
	if r.ContentLength > limit {
		return &backend.Error{Kind: backend.TooLarge, Message: tooLarge(limit)}
	}
	if !takesFile(r.URL.Path) { // files go to the disk as they come
		w.in.all = &s.bodies
		if err := w.in.hold(r.ContentLength); err != nil {
			return err
		}
	}
	timeout, err := s.timeout(r)
	if err != nil {
		return err
	}
	ctx := backend.WithOwner(r.Context(), rec.owner)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	r = r.WithContext(ctx)
	if rec.family == gemini {
		s.o.Gemini.ServeHTTP(w, r)
	} else {
		s.o.OpenAI.ServeHTTP(w, r)
	}
	return nil
}

func tooLarge(limit int64) string {
	return fmt.Sprintf("the request's body is longer than the %d bytes that are allowed", limit)
}

// continues reports whether a request brings a further chunk of an upload. Such do not
// count as requests of a minute: their number is the client's way to cut a file.
func continues(r *http.Request) bool {
	command := r.Header.Get("X-Goog-Upload-Command")
	return within(r.URL.Path, "/upload") && command != "" && !strings.Contains(command, "start")
}

// identify finds whose request it is.
func (s *Server) identify(r *http.Request, rec *record) *backend.Error {
	if s.o.Keys != nil {
		if err := s.o.Keys.refresh(); err != nil {
			// The keys of before hold until the file is right again.
			s.log.Error("reading keys", "error", err)
		}
		if s.o.Keys.has() {
			s.keyed.Store(true)
		}
	}
	if !s.keyed.Load() {
		return nil // any key will do, as SDKs must send one
	}
	secret := secretOf(r)
	key, ok := s.o.Keys.find(secret)
	if !ok {
		return errKey(secret)
	}
	s.mu.Lock()
	h := s.holders[key.Hash]
	if h == nil {
		h = s.spent.holder(key.owner())
		s.holders[key.Hash] = h
	}
	s.mu.Unlock()
	h.update(key.KeyLimits, time.Now())
	rec.key, rec.owner, rec.holder = key.Name, key.owner(), h
	return nil
}

// timeout is the shorter one of what the server allows and what the client asks for.
func (s *Server) timeout(r *http.Request) (time.Duration, *backend.Error) {
	asked := r.Header.Get("X-Server-Timeout")
	if asked == "" {
		return s.o.Timeout, nil
	}
	seconds, err := strconv.ParseFloat(asked, 64)
	if err != nil || !(seconds > 0) || math.IsInf(seconds, 0) {
		return 0, &backend.Error{Kind: backend.Invalid, Param: "x-server-timeout", Message: "header x-server-timeout: want a number of seconds above 0"}
	}
	d := time.Duration(min(seconds, 1e9) * float64(time.Second))
	if s.o.Timeout > 0 {
		d = min(d, s.o.Timeout)
	}
	return d, nil
}

// control answers for health and metrics.
func (s *Server) control(w *response, r *http.Request, rec *record) *backend.Error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return nil
	}
	switch r.URL.Path {
	case "/metrics":
		if err := s.identify(r, rec); err != nil {
			return err
		}
		s.metrics.handler.ServeHTTP(w, r)
		return nil
	case "/readyz":
		s.mu.Lock()
		draining := s.draining
		s.mu.Unlock()
		if draining {
			return errStopping()
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
	return nil
}

// plain are the status codes of errors that belong to no family.
var plain = map[backend.Kind]int{
	backend.Unauthorized: http.StatusUnauthorized, backend.Forbidden: http.StatusForbidden, backend.NotFound: http.StatusNotFound,
	backend.Unavailable: http.StatusServiceUnavailable,
}

// fail writes an error in the form of a family.
func (s *Server) fail(w *response, f family, e *backend.Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.RetryAfter.Seconds())), 10))
	}
	switch f {
	case gemini:
		s.o.GeminiError(w, e)
	case openai:
		s.o.OpenAIError(w, e)
	default:
		http.Error(w, e.Message, cmp.Or(plain[e.Kind], http.StatusInternalServerError))
	}
}

// finish recovers from a panic, and counts and logs the request.
func (s *Server) finish(w *response, r *http.Request, rec *record) {
	p := recover()
	if p != nil && p != http.ErrAbortHandler {
		s.log.Error("panic", "id", rec.id, "route", rec.route, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if w.status == 0 {
			s.fail(w, rec.family, &backend.Error{Kind: backend.Internal, Message: "internal error; the server's log has it under " + rec.id})
			p = nil
		} else {
			p = http.ErrAbortHandler // the client must see that the answer is cut
		}
	}
	left := r.Context().Err() != nil && context.Cause(r.Context()) == context.Canceled
	status := w.status
	if status == 0 {
		if status = http.StatusOK; left {
			status = 499 // as others have it: the client closed the connection
		}
	}
	w.begin(status)
	w.deadline() // what is buffered is written after this
	s.metrics.inFlight.Dec()
	s.metrics.observe(rec.route, status, time.Since(rec.start))
	rec.log(s.log, status, w.bytes, left)
	if p != nil {
		panic(p)
	}
}
