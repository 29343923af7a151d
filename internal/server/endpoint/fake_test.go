package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A seen request is what a fake server got.
type seen struct {
	method, path string
	header       http.Header
	body         []byte
}

// A fake is a server whose routes are functions, by "METHOD /path".
type fake struct {
	*httptest.Server
	t      *testing.T
	routes map[string]http.HandlerFunc
	mu     sync.Mutex
	seen   []seen
	slept  []time.Duration
}

func newFake(t *testing.T, routes map[string]http.HandlerFunc) *fake {
	f := &fake{t: t, routes: routes}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		f.mu.Lock()
		f.seen = append(f.seen, seen{r.Method, r.URL.RequestURI(), r.Header.Clone(), body})
		f.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		h := routes[r.Method+" "+r.URL.Path]
		if h == nil {
			http.Error(w, `{"detail":"Not Found"}`, http.StatusNotFound)
			return
		}
		h(w, r)
	}))
	t.Cleanup(f.Close)
	t.Cleanup(f.CloseClientConnections)
	return f
}

// requests are those to a path.
func (f *fake) requests(method, path string) []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []seen
	for _, s := range f.seen {
		if p, _, _ := strings.Cut(s.path, "?"); s.method == method && p == path {
			out = append(out, s)
		}
	}
	return out
}

// open opens the server's API; waiting is noted instead of done.
func (f *fake) open(path string, o Options) *Client {
	f.t.Helper()
	c, err := Open(f.t.Context(), f.URL+path, o)
	if err != nil {
		f.t.Fatal(err)
	}
	c.sleep = func(ctx context.Context, d time.Duration) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.slept = append(f.slept, d)
		return ctx.Err()
	}
	return c
}

func says(body string) http.HandlerFunc { return status(http.StatusOK, body) }

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// events streams texts as events and flushes each.
func events(list ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range list {
			fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(e, "\n", " "))
			w.(http.Flusher).Flush()
		}
	}
}

// turns answers one request after another by one handler after another, the last
// from then on.
func turns(list ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	i := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := list[min(i, len(list)-1)]
		i++
		mu.Unlock()
		h(w, r)
	}
}

// hangup closes the connection after what it says.
func hangup(said string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if said != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, said)
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

// silent says something, and then nothing until the client leaves.
func silent(said string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if said != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, said)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}
}

const (
	openAIList = `{"object":"list","data":[{"id":"small","object":"model","owned_by":"vllm","max_model_len":4096}]}`
	geminiList = `{"models":[{"name":"models/gemini-x","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]},
		{"name":"models/embedder","supportedGenerationMethods":["embedContent"]}]}`
	chat     = "POST /v1/chat/completions"
	generate = "POST /v1beta/models/gemini-x:streamGenerateContent"
)

// openAIRoutes are those of a server with one model that answers so.
func openAIRoutes(answer http.HandlerFunc) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET /v1/models": says(openAIList), chat: answer}
}

func geminiRoutes(answer http.HandlerFunc) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{"GET /v1beta/models": says(geminiList), generate: answer}
}

var (
	openAIAnswer = events(`{"model":"small","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`,
		`{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"It is "}}]}`, `{"choices":[{"index":0,"delta":{"content":"8080."},"finish_reason":null}]}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":16}}}`, `[DONE]`)
	geminiAnswer = events(`{"usageMetadata":{"promptTokenCount":12},"progress":{"percent":50}}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"It is "}]}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"8080."}]},"finishReason":"STOP"}],"modelVersion":"gemini-x-001",
		"usageMetadata":{"promptTokenCount":30,"candidatesTokenCount":4,"thoughtsTokenCount":7,"cachedContentTokenCount":16}}`)
)

// golden compares a request's body with a file, both as indented JSON.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s: the body is\n%s\nwant\n%s", name, b.Bytes(), want)
	}
}

func noEnvironment(t *testing.T) {
	for _, name := range []string{"GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"} {
		t.Setenv(name, "")
	}
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
