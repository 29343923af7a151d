package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewClient(t *testing.T) {
	for _, endpoint := range []string{"", "hub", "hub.example", "ftp://hub", "https://", "https://me:secret@hub", "https://hub?x=secret", "https://hub#x", "http://h:x:y"} {
		if _, err := NewClient(endpoint, ""); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
	for _, token := range []string{"se cret", "secret\n", "secreté", "secret\x00"} {
		if _, err := NewClient(DefaultEndpoint, token); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// The endpoint may be below a path.
func TestEndpointWithPath(t *testing.T) {
	s := newSite(t)
	s.files["a b/m #1%.gguf"] = model(1, 100)
	proxy := httptest.NewServer(http.StripPrefix("/mirror/hf", s.hub.Config.Handler))
	defer proxy.Close()
	for _, slash := range []string{"", "/"} {
		c, err := NewClient(proxy.URL+"/mirror/hf"+slash, "")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if _, err := pullWith(context.Background(), t, c, dir, "", nil); err != nil {
			t.Fatal(err)
		}
		wantFile(t, filepath.Join(dir, "m #1%.gguf"), s.files["a b/m #1%.gguf"])
	}
}

func TestTokenStaysAtTheHub(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 100)
	if _, err := pullWith(context.Background(), t, s.client("hf_secret"), t.TempDir(), "", nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"hub/api/models/some/model/tree/main Bearer hf_secret",
		"hub/some/model/resolve/main/m.gguf Bearer hf_secret",
	}
	if !slices.Equal(s.seen, want) || len(s.asked()) != 1 {
		t.Errorf("the token went to %q", s.seen)
	}
	s.seen = nil
	if _, err := s.pull(t.TempDir(), ""); err != nil || len(s.seen) > 0 {
		t.Errorf("%v; without a token: %q", err, s.seen)
	}
}

func TestSameHost(t *testing.T) {
	c, err := NewClient("https://hub.example", "")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://hub.example/x":          true,
		"https://HUB.example":            true,
		"http://hub.example":             false,
		"https://cdn.hub.example":        false,
		"https://hub.example:8443":       false,
		"https://hub.example.evil.test":  false,
		"https://hub.example@evil.test/": false,
	} {
		u, err := c.base.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if c.isHub(u) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
}

func TestRedirects(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 100)
	for name, test := range map[string]struct {
		to   string
		says string
	}{
		"loop":        {"", "more than 10 redirects"},
		"other world": {"file:///etc/passwd", `"file", which is not the web`},
		"no host":     {"https:///x", "not the web"},
		"no address":  {"%zz", "redirects to no address"},
	} {
		s.resolve = func(w http.ResponseWriter, r *http.Request) {
			to := test.to
			if to == "" {
				to = r.URL.Path
			}
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
		_, err := s.pull(t.TempDir(), "")
		if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "given up") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.resolve = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusFound) }
	_, err := s.pull(t.TempDir(), "")
	wantError(t, err, "redirects to no address")

	// A repository that has another name now.
	s.resolve = func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved/") {
			http.Redirect(w, r, s.cdn.URL+"/m.gguf", http.StatusFound)
			return
		}
		http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusTemporaryRedirect)
	}
	if _, err := s.pull(t.TempDir(), ""); err != nil {
		t.Error(err)
	}
}

func TestNoWayFromHTTPS(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 100)
	secure := httptest.NewTLSServer(s.hub.Config.Handler)
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	c, err := NewClient(secure.URL, "hf_secret")
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	// A certificate that nobody vouches for is not tried again.
	if _, err := c.List(context.Background(), testRepo, ""); err == nil || strings.Contains(err.Error(), "given up") {
		t.Errorf("unknown certificate: %v", err)
	}
	c.transport = secure.Client().Transport
	_, err = pullWith(context.Background(), t, c, t.TempDir(), "", nil)
	wantError(t, err, "from https to http", "refused")
	if len(s.asked()) > 0 {
		t.Error("and was followed")
	}
}

func TestStatus(t *testing.T) {
	for _, code := range []int{204, 400, 401, 403, 404, 416} {
		s := newSite(t)
		requests := 0
		s.api = func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("X-Error-Message", "so it is\u009b31m")
			w.WriteHeader(code)
		}
		_, err := s.client("hf_secret").List(context.Background(), testRepo, "")
		var status *StatusError
		if !errors.As(err, &status) || status.Code != code || requests != 1 {
			t.Errorf("%d: %v after %d requests", code, err, requests)
		}
		wantError(t, err, fmt.Sprint(code), "so it is", "/api/models/some/model")
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\u009b") {
			t.Errorf("%q", err)
		}
	}
}

func TestBusyServer(t *testing.T) {
	for _, code := range []int{408, 429, 500, 502, 503, 504} {
		s := newSite(t)
		s.files["m.gguf"] = model(1, 100)
		lists, sends := 0, 0
		s.api = func(w http.ResponseWriter, r *http.Request) {
			if lists++; lists < 3 {
				w.WriteHeader(code)
				return
			}
			s.list(w)
		}
		s.send(func(w http.ResponseWriter, r *http.Request) {
			if sends++; sends < maxTries {
				w.WriteHeader(code)
				return
			}
			s.content(w, r)
		})
		dir := t.TempDir()
		if _, err := s.pull(dir, ""); err != nil {
			t.Errorf("%d: %v", code, err)
			continue
		}
		wantFile(t, filepath.Join(dir, "m.gguf"), s.files["m.gguf"])
	}
}

func TestRetryAfter(t *testing.T) {
	s := newSite(t)
	wait := "1"
	requests := 0
	s.api = func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 1 {
			w.Header().Set("Retry-After", wait)
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		s.list(w)
	}
	begin := time.Now()
	if _, err := s.client("").List(context.Background(), testRepo, ""); err != nil || time.Since(begin) < time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
	requests, wait = 0, "7200"
	_, err := s.client("").List(context.Background(), testRepo, "")
	wantError(t, err, "429", "wait for 2h0m0s")

	// Ctrl-C does not wait.
	requests, wait = 0, "200"
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.client("").List(ctx, testRepo, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}

	for v, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "99999999999999999999": 0, "30": 30 * time.Second,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {v}}); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := retryAfter(http.Header{"Retry-After": {at}}); got < 59*time.Minute || got > time.Hour {
		t.Errorf("%q: %s", at, got)
	}
}

func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := NewClient(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	_, err = c.List(context.Background(), testRepo, "")
	wantError(t, err, server.URL, "given up")
}
