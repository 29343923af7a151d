package studio

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func files(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	err := fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(web, name)
		out[strings.TrimPrefix(name, "web/")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHandler(t *testing.T) {
	h := Handler()
	folder := h.(*site).folder
	for _, c := range []struct {
		method, path string
		status       int
		mime, cache  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", folder + "main.js", 200, "text/javascript; charset=utf-8", "immutable"},
		{"GET", folder + "style.css", 200, "text/css; charset=utf-8", "immutable"},
		{"GET", folder + "icon.svg", 200, "image/svg+xml", "immutable"},
		{"GET", folder + "vendor/LICENSE-htm", 200, "text/plain; charset=utf-8", "immutable"},
		{"GET", folder + "index.html", 404, "", "no-store"},
		{"GET", folder, 404, "", "no-store"},
		{"GET", folder + "../" + path.Base(folder) + "/main.js", 404, "", "no-store"},
		{"GET", "/studio/0123456789abcdef/main.js", 404, "", "no-store"},
		{"GET", "/main.js", 404, "", "no-store"},
		{"GET", "/index.html", 404, "", "no-store"},
		{"GET", "/v1beta/models", 404, "", "no-store"},
		{"GET", "/studio/", 303, "", "no-cache"},
		{"POST", "/", 405, "", ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			res := get(t, h, c.method, c.path)
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
			if got := res.Header.Get("Content-Type"); c.mime != "" && got != c.mime {
				t.Errorf("type %q, want %q", got, c.mime)
			}
			if got := res.Header.Get("Cache-Control"); !strings.Contains(got, c.cache) {
				t.Errorf("Cache-Control %q, want %q", got, c.cache)
			}
			if got := res.Header.Get("Content-Security-Policy"); got != policy {
				t.Errorf("policy %q", got)
			}
			if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
		})
	}
}

func TestTheSamePageIsNotSentAgain(t *testing.T) {
	h := Handler()
	tag := get(t, h, "GET", "/").Header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	if res := get(t, h, "GET", "/", "If-None-Match", tag); res.StatusCode != http.StatusNotModified {
		t.Errorf("status %d for the same page", res.StatusCode)
	}
	if res := get(t, h, "GET", "/", "If-None-Match", `"other"`); res.StatusCode != http.StatusOK {
		t.Errorf("status %d for another page", res.StatusCode)
	}
}

// TestAssetsHaveOneVersion: a change of any file changes the address of all.
func TestAssetsHaveOneVersion(t *testing.T) {
	folder := func(script string) string {
		s, err := load(fstest.MapFS{"index.html": {Data: []byte("{{assets}}")}, "a.js": {Data: []byte(script)}, "b.js": {Data: []byte("b")}})
		if err != nil {
			t.Fatal(err)
		}
		if string(s.page) != s.folder {
			t.Errorf("the page says %q, its assets are at %q", s.page, s.folder)
		}
		return s.folder
	}
	if folder("1") != folder("1") || folder("1") == folder("2") {
		t.Error("the folder does not tell versions apart")
	}
	if _, err := load(fstest.MapFS{"a.js": {Data: []byte("a")}}); err == nil {
		t.Error("a site without a page loads")
	}
}

// TestVendored holds that the library is what npm publishes as htm 3.1.1
// (htm/preact/standalone.module.js), unchanged, and that licences are with it.
func TestVendored(t *testing.T) {
	all := files(t)
	sum := sha256.Sum256([]byte(all["vendor/htm-preact.js"]))
	const want = "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("vendor/htm-preact.js has SHA-256 %s, want %s", got, want)
	}
	if !strings.Contains(all["vendor/LICENSE-htm"], "Apache License") || !strings.Contains(all["vendor/LICENSE-preact"], "MIT") {
		t.Error("a licence is missing")
	}
}

// TestWeight holds the page below 300 KB, without any compression.
func TestWeight(t *testing.T) {
	total := 0
	for name, text := range files(t) {
		if !strings.Contains(name, "LICENSE") {
			total += len(text)
		}
	}
	t.Logf("%d bytes", total)
	if total >= 300_000 {
		t.Errorf("the page weighs %d bytes, which is more than 300 KB", total)
	}
}

var (
	imported = regexp.MustCompile(`(?m)^import (?:[^"]*? from )?"([^"]+)";`)
	absolute = regexp.MustCompile(`(?:https?:)?//[\w.-]+\.[a-z]{2,}`)
	inline   = regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+=|javascript:`)
	linked   = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	unsafe   = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|dangerouslySetInnerHTML`)
)

// TestThePageIsWhole: all that scripts import is there, nothing is asked of other
// servers, and nothing is written that the policy would refuse or that makes a
// model's words a part of the page.
func TestThePageIsWhole(t *testing.T) {
	all := files(t)
	for name, text := range all {
		if strings.HasPrefix(name, "vendor/") {
			continue
		}
		for _, m := range imported.FindAllStringSubmatch(text, -1) {
			if _, ok := all[path.Join(path.Dir(name), m[1])]; !ok || !strings.HasPrefix(m[1], "./") {
				t.Errorf("%s imports %s, which is not here", name, m[1])
			}
		}
		for _, u := range absolute.FindAllString(text, -1) {
			if u != "//www.w3.org" && u != "http://www.w3.org" {
				t.Errorf("%s names another server: %s", name, u)
			}
		}
		if m := unsafe.FindString(text); m != "" {
			t.Errorf("%s uses %s", name, m)
		}
		if n := strings.Count(text, "\n"); n >= 800 {
			t.Errorf("%s has %d lines", name, n)
		}
	}
	page := all["index.html"]
	if m := inline.FindString(page); m != "" {
		t.Errorf("index.html has %q, which the policy refuses", m)
	}
	links := linked.FindAllStringSubmatch(page, -1)
	if len(links) < 4 {
		t.Fatalf("index.html links %d files", len(links))
	}
	for _, m := range links {
		name, ok := strings.CutPrefix(m[1], "{{assets}}")
		if _, there := all[name]; !ok || !there {
			t.Errorf("index.html links %s, which is not here", m[1])
		}
	}
	if text := body(t, get(t, Handler(), "GET", "/")); strings.Contains(text, "{{") {
		t.Error("a place in index.html is not filled")
	}
}
