package hub

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestListPages(t *testing.T) {
	s := newSite(t)
	s.api = func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("cursor")
		if page != "2" {
			next := "2"
			if page == "" {
				next = "1"
			}
			w.Header().Add("Link", `</x>; rel="prev", <`+r.URL.Path+`?recursive=true&cursor=`+next+`>; rel="next"`)
		}
		fmt.Fprintf(w, `[{"type":"file","path":"m%s.gguf","size":7,"oid":"%040d"}]`, page, 0)
	}
	l, err := s.client("").List(context.Background(), testRepo, "")
	if err != nil || len(l.Files) != 3 || l.Files[2].Path != "m2.gguf" || l.Revision != "main" {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestListWithoutEnd(t *testing.T) {
	s := newSite(t)
	pages, link := 0, ""
	s.api = func(w http.ResponseWriter, r *http.Request) {
		pages++
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, strings.ReplaceAll(link, "N", fmt.Sprint(pages))))
		fmt.Fprint(w, "[]")
	}
	for _, test := range []struct{ link, says string }{
		{"?recursive=true", "has no end"},
		{"?n=N", "has no end"},
		{"http://elsewhere.test/", "another host"},
		{"%zz", "another host"},
	} {
		pages, link = 0, test.link
		_, err := s.client("hf_secret").List(context.Background(), testRepo, "")
		wantError(t, err, test.says)
	}
}

func TestListTooLarge(t *testing.T) {
	s := newSite(t)
	s.api = func(w http.ResponseWriter, r *http.Request) {
		blank := []byte(strings.Repeat(" ", 1<<20))
		for range maxListBytes/len(blank) + 1 {
			if _, err := w.Write(blank); err != nil {
				return
			}
		}
	}
	_, err := s.client("").List(context.Background(), testRepo, "")
	wantError(t, err, "more than 16777216 bytes")
}

func TestListCutOff(t *testing.T) {
	s := newSite(t)
	s.files["m.gguf"] = model(1, 10)
	tries := 0
	s.api = func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "[{")
			return
		}
		s.list(w)
	}
	if l, err := s.client("").List(context.Background(), testRepo, ""); err != nil || len(l.Files) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestListOfBrokenEntries(t *testing.T) {
	good := fmt.Sprintf(`"size":1,"oid":"%040d"`, 0)
	for list, says := range map[string]string{
		`<html>`:                 "is there a hub at the endpoint",
		`{}`:                     "not a list of files",
		`[`:                      "not a list of files",
		`[{"type":"file"}]`:      "refused",
		`[{"type":"file","x":1}`: "not a list of files",
		`[{"type":"file","path":"a","size":-1,"oid":"x"}]`:                                                                   "size -1",
		`[{"type":"file","path":"a","size":1e30}]`:                                                                           "not a list",
		`[{"type":"file","path":"a","size":1,"oid":"xyz"}]`:                                                                  "checksum",
		`[{"type":"file","path":"a","size":1}]`:                                                                              "checksum",
		`[{"type":"file","path":"a",` + good + `,"lfs":{"oid":"00","size":1}}]`:                                              "checksum",
		`[{"type":"file","path":"a",` + good + `},{"type":"file","path":"a",` + good + `}]`:                                  "twice",
		`[{"type":"file","path":"a",` + good + `,"lfs":{"oid":"` + strings.Repeat("z", 64) + `","size":1,"pointerSize":1}}]`: "checksum",
	} {
		s := newSite(t)
		s.api = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, list) }
		_, err := s.client("").List(context.Background(), testRepo, "")
		wantError(t, err, says)
	}
}

func TestNamesThatLeadOut(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/../../x", "a/..", "./a", "/etc/passwd", "a//b", "a/", `a\b`, `..\x`, `C:\x`,
		"a\x00b", "a\nb", "a\x1b[31m", "a\u009bb", "a\xffb"} {
		f := File{Path: name, GitSHA1: strings.Repeat("0", 40)}
		wantError(t, f.check(), "refused")
	}
	for _, name := range []string{"a", "a/b.gguf", "..a", "...", "a b", "é/模型.gguf"} {
		f := File{Path: name, GitSHA1: strings.Repeat("0", 40)}
		if err := f.check(); err != nil {
			t.Error(err)
		}
	}
	s := newSite(t)
	s.files["../x.gguf"] = model(1, 10)
	_, err := s.client("").List(context.Background(), testRepo, "")
	wantError(t, err, `"../x.gguf" is refused`)
}

func TestRepoAndRevision(t *testing.T) {
	s := newSite(t)
	var asked string
	s.api = func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath()
		fmt.Fprint(w, "[]")
	}
	c := s.client("")
	for _, repo := range []string{"", "a", "a/b/c", "../b", "a/..", "a/b?c", "a b/c", "a/b\n", "/a/b", "a/" + strings.Repeat("b", 97)} {
		_, err := c.List(context.Background(), repo, "")
		wantError(t, err, "OWNER/NAME")
	}
	for _, revision := range []string{".", "..", "a\nb"} {
		_, err := c.List(context.Background(), testRepo, revision)
		wantError(t, err, "no revision")
	}
	if asked != "" {
		t.Errorf("asked %s", asked)
	}
	if _, err := c.List(context.Background(), testRepo, "refs/pr/1 ?"); err != nil || asked != "/api/models/some/model/tree/refs%2Fpr%2F1%20%3F" {
		t.Errorf("asked %s, %v", asked, err)
	}
}

func FuzzParseFiles(f *testing.F) {
	f.Add([]byte(`[{"type":"file","path":"a/b","size":3,"oid":"x","lfs":{"oid":"y","size":4}}]`))
	f.Add([]byte(`[null]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := parseFiles(data)
		if err != nil {
			return
		}
		for _, file := range files {
			if err := file.check(); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add(`<a>; rel="next"`, "bytes 0-1/2")
	f.Add(`<a>; rel=prev, <b>; title="x"; REL="next"`, "bytes 5-4/9")
	f.Add(`<<>>;,<`, "bytes */5")
	f.Fuzz(func(t *testing.T, link, span string) {
		if next := nextLink(http.Header{"Link": {link}}); !strings.Contains(link, "<"+next+">") && next != "" {
			t.Errorf("%q in %q", next, link)
		}
		if first, last, total, ok := parseRange(span); ok && (first < 0 || last < first || total <= last) {
			t.Errorf("%q: %d %d %d", span, first, last, total)
		}
	})
}
