package gemini

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// start begins a resumable upload and returns the path to go on at.
func (c *client) start(body string, header ...string) string {
	c.t.Helper()
	res := c.do("POST", "/upload/v1beta/files", body, append([]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start"}, header...)...)
	data := read(c.t, res)
	if res.StatusCode != 200 || len(data) != 0 || res.Header.Get("X-Goog-Upload-Status") != "active" {
		c.t.Fatalf("start: %d %q %v", res.StatusCode, data, res.Header)
	}
	u, err := url.Parse(res.Header.Get("X-Goog-Upload-URL"))
	if err != nil || "http://"+u.Host != c.url {
		c.t.Fatalf("address %q, %v", res.Header.Get("X-Goog-Upload-URL"), err)
	}
	return u.RequestURI()
}

// chunk sends a piece of an upload.
func (c *client) chunk(path, command string, offset int, data string) *http.Response {
	c.t.Helper()
	header := []string{"X-Goog-Upload-Command", command, "Content-Type", "application/json"}
	if offset >= 0 {
		header = append(header, "X-Goog-Upload-Offset", strconv.Itoa(offset))
	}
	return c.do("POST", path, data, header...)
}

// stands checks what an answer says of where an upload stands.
func stands(t *testing.T, what string, res *http.Response, code int, status string, size int) {
	t.Helper()
	if res.StatusCode != code || res.Header.Get("X-Goog-Upload-Status") != status || res.Header.Get("X-Goog-Upload-Size-Received") != strconv.Itoa(size) {
		t.Errorf("%s: %d, status %q, size %q, want %d %s %d: %s", what, res.StatusCode, res.Header.Get("X-Goog-Upload-Status"),
			res.Header.Get("X-Goog-Upload-Size-Received"), code, status, size, read(t, res))
	}
}

func TestResumableUpload(t *testing.T) {
	s := serve(t, Options{})
	now := time.Now()
	s.fake.SetClock(func() time.Time { return now })
	s.fake.SetProcessing(time.Minute)
	content := "one two three"
	path := s.start(`{"file":{"displayName":"count.txt","mime_type":"text/plain","name":"files/my-id"}}`, "X-Goog-Upload-Header-Content-Length", "13")
	stands(t, "query", s.chunk(path, "query", -1, ""), 200, "active", 0)
	stands(t, "first chunk", s.chunk(path, "upload", 0, content[:4]), 200, "active", 4)
	stands(t, "wrong offset", s.chunk(path, "upload", 9, content[9:]), 409, "active", 4)
	stands(t, "no offset", s.chunk(path, "upload", -1, content[4:]), 400, "active", 4)
	stands(t, "too early an end", s.chunk(path, "finalize", -1, ""), 400, "active", 4)
	stands(t, "unknown command", s.chunk(path, "upload, launch", 4, ""), 400, "active", 4)
	stands(t, "impossible commands", s.chunk(path, "upload, query", 4, ""), 400, "active", 4)
	stands(t, "second chunk", s.chunk(path, "upload", 4, content[4:8]), 200, "active", 8)
	stands(t, "query", s.chunk(path, "query", -1, ""), 200, "active", 8)
	// The last chunk may be empty, where the length is a multiple of the chunks'.
	stands(t, "third chunk", s.chunk(path, "upload", 8, content[8:]), 200, "active", 13)
	res := s.chunk(path, "upload, finalize", 13, "")
	stands(t, "last chunk", res, 200, "final", 13)
	var out struct{ File file }
	unmarshal(t, read(t, res), &out)
	f := out.File
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	if f.Name != "files/my-id" || f.DisplayName != "count.txt" || f.MIMEType != "text/plain" || f.Size != 13 || f.State != "PROCESSING" ||
		f.SHA256 != base64.StdEncoding.EncodeToString([]byte(digest)) || f.URI != s.url+"/v1beta/files/my-id" || f.Expires == "" || f.Created == "" {
		t.Errorf("%+v", f)
	}
	stands(t, "after the end", s.chunk(path, "query", -1, ""), 200, "final", 13)
	stands(t, "one chunk more", s.chunk(path, "upload", 13, "x"), 409, "final", 13)

	// A file that is not read yet cannot be asked about.
	e := s.fails(400, "POST", native+":generateContent", `{"contents":[{"parts":[{"fileData":{"fileUri":"files/my-id"}}]}]}`)
	if e.Status != "FAILED_PRECONDITION" || e.field() != "contents[0].parts[0]" {
		t.Errorf("%+v", e)
	}
	now = now.Add(time.Hour)
	s.json("GET", "/v1beta/files/my-id", "", &f)
	if f.State != "ACTIVE" {
		t.Errorf("state %s", f.State)
	}
	s.fails(409, "POST", "/upload/v1beta/files", `{"file":{"name":"my-id"}}`, "X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start")

	// One that is left alone is deleted.
	path = s.start("")
	now = now.Add(2 * time.Hour)
	stands(t, "abandoned", s.chunk(path, "upload", 0, "x"), 404, "cancelled", 0)
}

func TestUploadsAreGivenUpAndPrivate(t *testing.T) {
	s := serve(t, Options{})
	path := s.start(`{}`)
	res := s.do("POST", path, "", "X-Goog-Upload-Command", "query", "X-Goog-Api-Key", "another")
	stands(t, "another's query", res, 404, "cancelled", 0)
	stands(t, "cancel", s.chunk(path, "cancel", -1, ""), 200, "cancelled", 0)
	stands(t, "cancelled", s.chunk(path, "upload", 0, "x"), 404, "cancelled", 0)

	f := s.upload("mine", "text/plain", "x")
	for _, method := range []string{"GET", "DELETE"} {
		s.fails(404, method, "/v1beta/"+f.Name, "", "X-Goog-Api-Key", "another")
	}
	s.fails(404, "GET", "/v1beta/"+f.Name+":download?alt=media", "", "X-Goog-Api-Key", "another")
	s.json("DELETE", "/v1beta/"+f.Name, "", nil)
	s.fails(404, "GET", "/v1beta/"+f.Name, "")
}

func TestUploadAddressKeepsAKeyOfTheQuery(t *testing.T) {
	s := serve(t, Options{})
	res := s.do("POST", "/upload/v1beta/files?key=k%26", "", "X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start")
	u, err := url.Parse(res.Header.Get("X-Goog-Upload-URL"))
	if err != nil || u.Query().Get("key") != "k&" {
		t.Errorf("%v %v", u, err)
	}
}

// TestABrokenUploadGoesOn sends a chunk whose connection ends in its middle.
func TestABrokenUploadGoesOn(t *testing.T) {
	s := serve(t, Options{})
	path := s.start("")
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, "POST", s.url+path, pr)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Goog-Upload-Command", "upload")
	req.Header.Set("X-Goog-Upload-Offset", "0")
	done := make(chan error)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	if _, err := pw.Write([]byte("half of ")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil {
		t.Fatal("the connection did not break")
	}
	pw.Close()
	// Whether the half has come is for the server to say.
	res := s.chunk(path, "query", -1, "")
	size, err := strconv.Atoi(res.Header.Get("X-Goog-Upload-Size-Received"))
	if err != nil || size != 0 && size != 8 {
		t.Fatalf("size %d, %v", size, err)
	}
	stands(t, "the rest", s.chunk(path, "upload, finalize", size, "half of it"[size:]), 200, "final", 10)
}

func TestBadUploads(t *testing.T) {
	s := serve(t, Options{})
	for _, c := range []struct {
		header []string
		body   string
		code   int
		field  string
	}{
		{nil, "x", 400, "X-Goog-Upload-Protocol"},
		{[]string{"X-Goog-Upload-Protocol", "carrier pigeon"}, "", 400, "X-Goog-Upload-Protocol"},
		{[]string{"X-Goog-Upload-Protocol", "resumable"}, "", 400, "X-Goog-Upload-Command"},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start, upload"}, "", 400, "X-Goog-Upload-Command"},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start"}, "{", 400, ""},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start"}, `{"file":{"name":"files/../../etc"}}`, 400, "file.name"},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start"}, `{"junk":"` + strings.Repeat("x", maxDescription) + `"}`, 413, ""},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start"}, `{"file":{"displayName":"a\u0000b"}}`, 400, "file.displayName"},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start", "X-Goog-Upload-Header-Content-Length", "-3"}, `{}`, 400, "X-Goog-Upload-Header-Content-Length"},
		{[]string{"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start", "X-Goog-Upload-Header-Content-Length", "1000000000"}, `{}`, 413, ""},
		{[]string{"X-Goog-Upload-Protocol", "multipart", "Content-Type", "text/plain"}, "x", 400, "Content-Type"},
		{[]string{"X-Goog-Upload-Protocol", "multipart", "Content-Type", "multipart/related; boundary=b"}, "--b\r\n\r\n{}\r\n--b--\r\n", 400, ""},
	} {
		if e := s.fails(c.code, "POST", "/upload/v1beta/files", c.body, c.header...); e.field() != c.field {
			t.Errorf("%v: %+v", c.header, e)
		}
	}
}

func TestNamesOfUploads(t *testing.T) {
	s := serve(t, Options{})
	for header, want := range map[string]string{"a.txt": "a.txt", "/home/me/a.txt": "a.txt", `C:\me\a.txt`: "a.txt", "%C3%A9t%C3%A9.txt": "été.txt", "/": ""} {
		var out struct{ File file }
		s.json("POST", "/upload/v1beta/files", "content", &out, "X-Goog-Upload-Protocol", "raw", "X-Goog-Upload-File-Name", header, "Content-Type", "text/plain")
		if out.File.DisplayName != want || out.File.Size != 7 || out.File.MIMEType != "text/plain" {
			t.Errorf("%s: %+v", header, out.File)
		}
	}
}

func TestFiles(t *testing.T) {
	s := serve(t, Options{})
	film := s.upload("film.mp4", "video/mp4", "frames")
	broken := s.upload("broken.pdf", "application/pdf", "?")
	if film.Video == nil || film.Video.Duration != "10s" {
		t.Errorf("%+v", film.Video)
	}
	if broken.State != "FAILED" || broken.Error == nil || broken.Error.Message == "" || broken.Error.Code != 3 {
		t.Errorf("%+v", broken)
	}
	var l struct{ Files []file }
	s.json("GET", "/v1beta/files", "", &l)
	if len(l.Files) != 2 || l.Files[0].Name != broken.Name || l.Files[1].Name != film.Name {
		t.Errorf("%+v", l.Files)
	}
}

func TestDownload(t *testing.T) {
	s := serve(t, Options{})
	f := s.upload("film.mp4", "video/mp4", "0123456789")
	for _, path := range []string{
		"/v1beta/" + f.Name + ":download?alt=media", "/v1beta/" + f.Name + "?alt=media",
		"/v1beta/files/" + f.URI + ":download?alt=media", // as npm's SDK asks
	} {
		res := s.do("GET", path, "")
		if data := read(t, res); string(data) != "0123456789" || res.Header.Get("Content-Type") != "video/mp4" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q %v", path, data, res.Header)
		}
		res = s.do("GET", path, "", "Range", "bytes=3-5")
		if data := read(t, res); string(data) != "345" || res.StatusCode != 206 {
			t.Errorf("a range: %d %q", res.StatusCode, data)
		}
		res = s.do("GET", path, "", "If-None-Match", res.Header.Get("ETag"))
		if res.StatusCode != 304 {
			t.Errorf("known content: %d", res.StatusCode)
		}
	}
	s.fails(400, "GET", "/v1beta/"+f.Name+":download", "")
	page := s.upload("evil \"page\".html", "text/html", "<script>alert(1)</script>")
	res := s.do("GET", "/v1beta/"+page.Name+":download?alt=media", "")
	if how := res.Header.Get("Content-Disposition"); !strings.HasPrefix(how, "attachment;") || !strings.Contains(res.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a page is shown: %v", res.Header)
	}
}

func TestWhatABrowserShows(t *testing.T) {
	for mimeType, want := range map[string]bool{
		"video/mp4": true, "audio/mpeg": true, "image/png": true, "text/plain; charset=utf-8": true, "application/pdf": true,
		"image/svg+xml": false, "text/html": false, "application/xhtml+xml": false, "": false, "IMAGE/SVG+XML": false,
	} {
		if got := shown(mimeType); got != want {
			t.Errorf("%q: %v", mimeType, got)
		}
	}
}

func TestUploadErrorsOfTheBackend(t *testing.T) {
	s := serve(t, Options{})
	path := s.start("")
	s.fake.Fail("Append", backend.Errorf(backend.Unavailable, "the disk is full"))
	res := s.chunk(path, "upload", 0, "x")
	stands(t, "a full disk", res, 503, "active", 0)
	if !bytes.Contains(read(t, res), []byte("UNAVAILABLE")) {
		t.Error("no status in the body")
	}
}

// uploads remembers the last upload's ID.
type uploads struct {
	*backendtest.Fake
	id string
}

func (u *uploads) Begin(ctx context.Context, n backend.NewUpload) (*backend.Upload, error) {
	up, err := u.Fake.Begin(ctx, n)
	if err == nil {
		u.id = up.ID
	}
	return up, err
}

func TestWholeUploadsThatFailAreGivenUp(t *testing.T) {
	u := &uploads{Fake: backendtest.New()}
	r := httptest.NewRequest("POST", "/upload/v1beta/files?uploadType=media", strings.NewReader("half"))
	r.ContentLength = 8
	rec := httptest.NewRecorder()
	New(u, Options{}).ServeHTTP(rec, r)
	var e *backend.Error
	if _, err := u.Upload(t.Context(), "", u.id); rec.Code != 400 || u.id == "" || !errors.As(err, &e) || e.Kind != backend.NotFound {
		t.Errorf("%d, and upload %q is still there: %v", rec.Code, u.id, err)
	}
}
