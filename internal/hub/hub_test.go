package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testRepo   = "some/model"
	testCommit = "0123456789abcdef0123456789abcdef01234567"
)

// site is a hub and the host that its files come from.
type site struct {
	t        *testing.T
	hub, cdn *httptest.Server

	files map[string][]byte // in large-file storage
	small map[string][]byte // in git

	// What the hub does instead of what it should, if not nil.
	api, resolve http.HandlerFunc

	mu    sync.Mutex
	sends http.HandlerFunc // the same of the other host
	asks  []string         // ranges asked of it, "" for all
	seen  []string         // requests with a token: host and path
}

// send makes the second host answer with h, or as it should with nil. A handler
// of a client that is gone may still run.
func (s *site) send(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sends = h
}

// asked returns the ranges that were asked of the second host.
func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asks)
}

func newSite(t *testing.T) *site {
	s := &site{t: t, files: make(map[string][]byte), small: make(map[string][]byte)}
	s.hub = httptest.NewServer(http.HandlerFunc(s.serveHub))
	t.Cleanup(s.hub.Close)
	s.cdn = httptest.NewServer(http.HandlerFunc(s.serveCDN))
	t.Cleanup(s.cdn.Close)
	return s
}

// model is n bytes that begin as a GGUF file does.
func model(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	copy(b, magic)
	return b
}

func sha(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func gitSHA(b []byte) string {
	s := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...))
	return hex.EncodeToString(s[:])
}

func (s *site) note(host string, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		s.seen = append(s.seen, host+r.URL.Path+" "+r.Header.Get("Authorization"))
	}
	if host == "cdn" {
		s.asks = append(s.asks, r.Header.Get("Range"))
	}
}

func (s *site) serveHub(w http.ResponseWriter, r *http.Request) {
	s.note("hub", r)
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models/"); ok {
		if s.api != nil {
			s.api(w, r)
		} else if rest == testRepo+"/tree/main" && r.URL.Query().Get("recursive") == "true" {
			s.list(w)
		} else {
			http.NotFound(w, r)
		}
		return
	}
	if s.resolve != nil {
		s.resolve(w, r)
		return
	}
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+testRepo+"/resolve/"), "main/")
	name = strings.TrimPrefix(name, testCommit+"/")
	w.Header().Set("X-Repo-Commit", testCommit)
	if b, ok := s.files[name]; ok {
		w.Header().Set("X-Linked-Etag", `"`+sha(b)+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(b)))
		http.Redirect(w, r, s.cdn.URL+"/"+escapePath(name)+"?signature=secret", http.StatusFound)
		return
	}
	b, ok := s.small[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+gitSHA(b)+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

func (s *site) list(w http.ResponseWriter) {
	var out []map[string]any
	for name, b := range s.files {
		out = append(out, map[string]any{"type": "file", "path": name, "size": len(b), "oid": strings.Repeat("0", 40),
			"lfs": map[string]any{"oid": sha(b), "size": len(b), "pointerSize": 135}})
	}
	for name, b := range s.small {
		out = append(out, map[string]any{"type": "file", "path": name, "size": len(b), "oid": gitSHA(b)})
	}
	out = append(out, map[string]any{"type": "directory", "path": "folder", "size": 0, "oid": "x"})
	if err := json.NewEncoder(w).Encode(out); err != nil {
		s.t.Error(err)
	}
}

func (s *site) serveCDN(w http.ResponseWriter, r *http.Request) {
	s.note("cdn", r)
	s.mu.Lock()
	h := s.sends
	s.mu.Unlock()
	if h == nil {
		h = s.content
	}
	h(w, r)
}

// content is what the second host should send.
func (s *site) content(w http.ResponseWriter, r *http.Request) {
	b := s.files[r.URL.Path[1:]]
	w.Header().Set("ETag", `"tag-`+sha(b)[:8]+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// cut sends what should be sent up to n bytes, then drops the connection.
func (s *site) cut(w http.ResponseWriter, r *http.Request, n int) {
	s.content(&cutter{w, n}, r)
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(c.left, len(b))])
	if c.left -= n; c.left == 0 || err != nil {
		if f, ok := c.ResponseWriter.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func (s *site) client(token string) *Client {
	s.t.Helper()
	c, err := NewClient(s.hub.URL, token)
	if err != nil {
		s.t.Fatal(err)
	}
	c.pause = time.Millisecond
	return c
}

// pull lists and pulls name into dir.
func (s *site) pull(dir, name string) (Result, error) {
	s.t.Helper()
	return pullWith(context.Background(), s.t, s.client(""), dir, name, nil)
}

func pullWith(ctx context.Context, t *testing.T, c *Client, dir, name string, progress func(Progress)) (Result, error) {
	t.Helper()
	l, err := c.List(ctx, testRepo, "")
	if err != nil {
		t.Fatal(err)
	}
	files, err := l.Select(name)
	if err != nil {
		t.Fatal(err)
	}
	var targets []Target
	for _, f := range files {
		targets = append(targets, Target{f, filepath.Join(dir, filepath.Base(f.Path))})
	}
	rs, err := c.Pull(ctx, l, targets, progress)
	if len(rs) == 0 {
		return Result{}, err
	}
	return rs[0], err
}

// wantFile fails unless the file holds b and is alone in its folder.
func wantFile(t *testing.T, path string, b []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("%s: %d bytes, %v; want %d", path, len(got), err, len(b))
	}
	wantOnly(t, filepath.Dir(path), filepath.Base(path))
}

// wantOnly fails unless dir holds just these names.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

// wantError fails unless err says every one of texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", texts)
		return
	}
	for _, s := range texts {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}
