package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/studio"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	rate := flag.Float64("rate", 40000, "tokens read a second")
	key := flag.String("key", "", "API key that is asked for")
	flag.Parse()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	s := &server{rate: *rate, key: *key, files: make(map[string]*file), contexts: make(map[string]*stored)}
	log.Fatal(http.Serve(l, s.routes())) //nolint:gosec // a test's server needs no timeouts
}

type server struct {
	rate float64
	key  string

	mu       sync.Mutex
	files    map[string]*file
	contexts map[string]*stored
	order    []string // of contexts
	read     float64  // tokens
	busy     int      // answers of 429 that are still to come
}

type file struct {
	Name, DisplayName, MIME string
	data                    []byte
	created                 time.Time
	done                    bool
}

type stored struct {
	Name, DisplayName, Model string
	created, expires         time.Time
	parts                    []source
}

// source is a text, or a file, in a context.
type source struct {
	name, mime, file string
	data             []byte
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", studio.Handler())
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /v1beta/models", s.models)
	mux.HandleFunc("POST /v1beta/models/{call}", s.model)
	mux.HandleFunc("POST /upload/v1beta/files", s.upload)
	mux.HandleFunc("GET /v1beta/files", s.listFiles)
	mux.HandleFunc("GET /v1beta/files/{id}", s.getFile)
	mux.HandleFunc("DELETE /v1beta/files/{id}", s.deleteFile)
	mux.HandleFunc("POST /v1beta/cachedContents", s.createContext)
	mux.HandleFunc("GET /v1beta/cachedContents", s.listContexts)
	mux.HandleFunc("GET /v1beta/cachedContents/{id}", s.context)
	mux.HandleFunc("PATCH /v1beta/cachedContents/{id}", s.context)
	mux.HandleFunc("DELETE /v1beta/cachedContents/{id}", s.context)
	// Of the tests alone: the next n requests are refused.
	mux.HandleFunc("POST /fake/busy", func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Sscan(r.URL.Query().Get("n"), &s.busy) //nolint:errcheck // zero is as good
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api := strings.HasPrefix(r.URL.Path, "/v1beta/") || strings.HasPrefix(r.URL.Path, "/upload/") || r.URL.Path == "/metrics"
		if given := r.Header.Get("X-Goog-Api-Key"); api && s.key != "" && given != s.key && r.URL.Query().Get("key") != s.key {
			fail(w, 401, "UNAUTHENTICATED", "This server asks for an API key.")
			return
		}
		if api && r.Method == http.MethodPost && s.refuse() {
			w.Header().Set("Retry-After", "1")
			fail(w, 429, "RESOURCE_EXHAUSTED", "The queue is full.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *server) refuse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		s.busy--
		return true
	}
	return false
}

func fail(w http.ResponseWriter, code int, status, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	write(w, map[string]any{"error": map[string]any{"code": code, "message": message, "status": status}})
}

func write(w http.ResponseWriter, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Print(err)
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, v)
}

// send writes one server-sent event.
func send(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(w, "data: %s\n\n", b)
	if err := http.NewResponseController(w).Flush(); err != nil {
		log.Print(err)
	}
}

func newID() string { return strings.ToLower(rand.Text()[:12]) }

func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bytes int
	for _, f := range s.files {
		bytes += len(f.data)
	}
	fmt.Fprintf(w, `# TYPE handscroll_prefill_tokens_total counter
handscroll_prefill_tokens_total %g
handscroll_prefill_seconds_total %g
handscroll_decode_tokens_total 412
handscroll_decode_seconds_total 9.5
handscroll_queue_waiting 0
handscroll_requests_running 1
handscroll_requests_refused_total 0
handscroll_cached_tokens_total 1.9e+06
handscroll_prefix_cache_hits_total 12
handscroll_prefix_cache_misses_total 3
handscroll_stored_contexts %d
handscroll_evicted_contexts_total 0
handscroll_disk_bytes %d
handscroll_disk_quota_bytes 5.36870912e+10
handscroll_context_memory_bytes 4.1e+08
handscroll_context_memory_limit_bytes 8.589934592e+09
handscroll_http_requests_total{route="GET /v1beta/models",status="200"} 4
process_resident_memory_bytes 6.1e+08
go_goroutines 14
`, s.read, s.read/s.rate, len(s.contexts), bytes)
}
