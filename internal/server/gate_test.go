package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func ask(h http.Handler, method, target, text string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(text))
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const local = "http://localhost:8080"

func TestHostOnLoopback(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Hosts = []string{"proxy.example.org"} })
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "127.0.0.1:8080": 200, "127.9.9.9": 200, "[::1]:8080": 200, "a.localhost:1": 200,
		"proxy.example.org": 200, "Proxy.Example.org:443": 200,
		"evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "192.168.0.7:8080": 403, "[": 403,
	} {
		for _, path := range []string{"/", "/healthz", "/v1/chat/completions"} {
			if w := ask(h, "POST", local+path, "hi", "Host", host); (w.Code == 403) != (want == 403) {
				t.Errorf("Host %s, %s: %d %s", host, path, w.Code, w.Body)
			}
		}
	}
	w := ask(h, "POST", local+"/v1beta/models/m:generateContent", "hi", "Host", "evil.example")
	wantWire(t, w.Code, w.Body.String(), "gemini", 403, "--host")
	// Where others can connect, the key is what guards; names are not known.
	h = newHouse(t, func(o *Options) {
		if _, err := o.Keys.Add("ann", KeyLimits{}); err != nil {
			t.Fatal(err)
		}
		o.Addr = "0.0.0.0:8080"
	})
	if w := ask(h, "GET", local+"/healthz", "", "Host", "models.example.org"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOrigins(t *testing.T) {
	closed := newHouse(t, nil)
	open := newHouse(t, func(o *Options) { o.CORS = []string{"http://app.example:3000"} })
	all := newHouse(t, func(o *Options) { o.CORS = []string{"*"} })
	const foreign, friend = "https://evil.example", "http://app.example:3000"
	for _, c := range []struct {
		name    string
		h       *house
		method  string
		header  []string
		want    int
		allowed string
	}{
		{"no browser", closed, "POST", nil, 200, ""},
		{"the studio", closed, "POST", []string{"Origin", local, "Sec-Fetch-Site", "same-origin"}, 200, ""},
		{"an old browser in the studio", closed, "POST", []string{"Origin", local}, 200, ""},
		{"another site", closed, "POST", []string{"Origin", foreign, "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"another site in an old browser", closed, "POST", []string{"Origin", foreign}, 403, ""},
		{"another port of this machine", closed, "POST", []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, 403, ""},
		{"a form without an origin", closed, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a page that hides", closed, "DELETE", []string{"Origin", "null"}, 403, ""},
		{"reading, which its browser will not let it", closed, "GET", []string{"Origin", foreign}, 200, ""},
		{"another site where one is allowed", open, "POST", []string{"Origin", foreign}, 403, ""},
		{"one that looks alike", open, "POST", []string{"Origin", friend + ".evil.example"}, 403, ""},
		{"one that is allowed", open, "POST", []string{"Origin", friend, "Sec-Fetch-Site", "cross-site"}, 200, friend},
		{"one that is allowed reads", open, "GET", []string{"Origin", friend}, 200, friend},
		{"all are allowed", all, "POST", []string{"Origin", foreign, "Sec-Fetch-Site", "cross-site"}, 200, foreign},
	} {
		w := ask(c.h, c.method, local+"/v1/chat/completions", "hi", c.header...)
		if w.Code != c.want || w.Header().Get("Access-Control-Allow-Origin") != c.allowed {
			t.Errorf("%s: %d, allows %q: %s", c.name, w.Code, w.Header().Get("Access-Control-Allow-Origin"), w.Body)
		}
		if w.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", c.name, w.Header())
		}
	}
	if w := ask(open, "GET", local+"/v1/models", ""); !strings.Contains(w.Header().Get("Vary"), "Origin") {
		t.Errorf("headers %v", w.Header())
	}
}

func TestPreflight(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.CORS = []string{"http://app.example"} })
	h.add(t, "ann", KeyLimits{}) // which a preflight does not have
	asks := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-goog-api-key, content-type"}
	w := ask(h, "OPTIONS", local+"/v1beta/files", "", append(asks, "Origin", "http://app.example")...)
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") != asks[3] || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "PATCH") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	w = ask(h, "OPTIONS", local+"/v1beta/files", "", append(asks, "Origin", "http://evil.example")...)
	if w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	// A page may read the error of a wrong key.
	w = ask(h, "POST", local+"/v1beta/files", "", "Origin", "http://app.example")
	if w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := newHouse(t, nil).o
	for _, c := range []struct {
		change func(*Options)
		text   string
	}{
		{func(o *Options) { o.CORS = []string{"example.org"} }, `origin "example.org"`},
		{func(o *Options) { o.CORS = []string{"https://example.org/path"} }, "want scheme, host"},
		{func(o *Options) { o.CORS = []string{"null"} }, `origin "null"`},
		{func(o *Options) { o.Addr = "8080" }, "want host:port"},
		{func(o *Options) { o.Addr = ":8080" }, "handscroll keys add NAME"},
		{func(o *Options) { o.Addr = "192.168.1.2:8080"; o.Keys = nil }, "handscroll keys add NAME"},
		{func(o *Options) { o.Backend = nil }, "lack"},
		{func(o *Options) { o.MaxBody = -1 }, "negative"},
	} {
		o := good
		c.change(&o)
		_, err := New(o)
		wantText(t, err, c.text)
	}
	// The address that is listened on counts, whatever was said before.
	h := newHouse(t, nil)
	wantText(t, h.admitFrom("0.0.0.0:1"), "can be reached by others")
}

func TestRoutes(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/app.js": "/", "/v1betamax": "/", "//v1/models": "/", "/healthz": "/healthz", "/metrics/x": "/",
		"/v1/models": "/v1/models", "/v1/models/secret-name": "/v1/models/{id}", "/v1/chat/completions": "/v1/chat/completions",
		"/v1beta/openai/chat/completions": "/v1beta/openai/chat/completions", "/v1/files/f-1/content": "/v1/files/{id}/content",
		"/v1beta/models/m:generateContent": "/v1beta/models/{id}:generateContent", "/v1beta/models/m:rm": "/v1beta/models/{id}",
		"/upload/v1beta/files": "/upload/v1beta/files", "/v1/anything": "/v1/", "/v1/files/a/b/c": "/v1/", "/v1/files/": "/v1/",
		"/v1beta/cachedContents/abc": "/v1beta/cachedContents/{id}", "/v1/files/a/whatever": "/v1/", "/v1": "/v1/",
	} {
		if got := routeOf(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]bool{
		"/upload/v1beta/files": true, "/v1/files": true, "/v1beta/openai/files": true, "/v1/chat/completions": false,
		"/v1beta/models/m:generateContent": false, "/v1/uploads/u/parts": true,
	} {
		if takesFile(path) != want {
			t.Errorf("%s takes a file: %v", path, !want)
		}
	}
}

// Whatever headers say, there is an answer, and the log has no line of the client's.
func FuzzHeaders(f *testing.F) {
	f.Add("/v1/chat/completions", "localhost", "Bearer x", "req-1", "10", local, "start")
	f.Add("/v1beta/models/a:generateContent?key=%zz", "[::1", "Basic", "a\nb", "1e999", "null", "")
	f.Add("/upload/v1beta/files", "127.0.0.1", "bearer  ", "", "NaN", "http://[", "upload, finalize")
	h := newHouse(f, nil)
	h.add(f, "ann", KeyLimits{})
	f.Fuzz(func(t *testing.T, path, host, auth, id, timeout, origin, command string) {
		r := httptest.NewRequest("POST", local, strings.NewReader("hi"))
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.Host = host
		for k, v := range map[string]string{"Authorization": auth, "X-Request-Id": id, "X-Server-Timeout": timeout, "Origin": origin, "X-Goog-Upload-Command": command} {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("X-Request-Id"); w.Code >= 500 || !isToken(got) || len(got) > 64 {
			t.Fatalf("%d, ID %q: %s", w.Code, got, w.Body)
		}
		if _, err := h.timeout(r); err != nil && err.Param == "" {
			t.Fatal(err)
		}
		if d, _ := h.timeout(r); d < 0 || d > 40*365*24*time.Hour {
			t.Fatalf("timeout %s", d)
		}
	})
}
