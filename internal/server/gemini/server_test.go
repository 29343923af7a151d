package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// client speaks to a server of the family over a backend in memory.
type client struct {
	t    *testing.T
	fake *backendtest.Fake
	url  string
}

func serve(t *testing.T, o Options) *client {
	t.Helper()
	fake := backendtest.New()
	h := New(fake, o)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server's gate finds out whose a key is; here its name is the owner.
		h.ServeHTTP(w, r.WithContext(backend.WithOwner(r.Context(), r.Header.Get("X-Goog-Api-Key"))))
	}))
	t.Cleanup(s.Close)
	return &client{t, fake, s.URL}
}

// do sends a request; header has pairs of names and values.
func (c *client) do(method, path, body string, header ...string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { res.Body.Close() })
	return res
}

// json sends a request that must succeed and decodes the answer into out, if it is not
// nil.
func (c *client) json(method, path, body string, out any, header ...string) {
	c.t.Helper()
	res := c.do(method, path, body, header...)
	data := read(c.t, res)
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, data)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(data, out); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, data)
	}
}

// fails sends a request that must fail, and returns its error.
func (c *client) fails(code int, method, path, body string, header ...string) apiError {
	c.t.Helper()
	res := c.do(method, path, body, header...)
	data := read(c.t, res)
	var e errorBody
	if err := json.Unmarshal(data, &e); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, data)
	}
	if res.StatusCode != code || e.Error.Code != code || e.Error.Status == "" || e.Error.Message == "" {
		c.t.Fatalf("%s %s: status %d and error %+v, want %d", method, path, res.StatusCode, e.Error, code)
	}
	return e.Error
}

// field is what an error says is wrong.
func (e apiError) field() string {
	for _, d := range e.Details {
		if len(d.Violations) > 0 {
			return d.Violations[0].Field
		}
	}
	return ""
}

func read(t *testing.T, res *http.Response) []byte {
	t.Helper()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// question is a body that asks.
func question(text string) string {
	return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%q}]}]}`, text)
}

const native = "/v1beta/models/" + backendtest.Native

// last is what the backend was asked last.
func (c *client) last() *backend.Request {
	c.t.Helper()
	all := c.fake.Requests()
	if len(all) == 0 {
		c.t.Fatal("the backend was asked nothing")
	}
	return all[len(all)-1]
}

// upload stores a file and returns it.
func (c *client) upload(name, mimeType, content string, header ...string) file {
	c.t.Helper()
	var body bytes.Buffer
	fmt.Fprintf(&body, "--b\r\nContent-Type: application/json\r\n\r\n{\"file\":{\"display_name\":%q}}\r\n--b\r\nContent-Type: %s\r\n\r\n%s\r\n--b--\r\n", name, mimeType, content)
	var out struct{ File file }
	header = append([]string{"X-Goog-Upload-Protocol", "multipart", "Content-Type", "multipart/related; boundary=b"}, header...)
	c.json("POST", "/upload/v1beta/files", body.String(), &out, header...)
	return out.File
}

func TestUnknownMethods(t *testing.T) {
	c := serve(t, Options{})
	for _, r := range []string{
		"GET /v1beta/", "GET /v1beta/nothing", "PUT /v1beta/files", "POST /v1beta/files/x:register",
		"POST /v1beta/models/handscroll:predict", "GET /v1beta/models/handscroll:generateContent",
		"GET /upload/v1beta/files", "GET /v1beta/files/a/b", "GET /v1beta/models/", "GET /v1/models",
	} {
		method, path, _ := strings.Cut(r, " ")
		if e := c.fails(404, method, path, ""); e.Status != "NOT_FOUND" || !strings.Contains(e.Message, path) {
			t.Errorf("%s: %+v", r, e)
		}
	}
}

func TestErrors(t *testing.T) {
	want := map[backend.Kind]string{
		backend.Invalid: "400 INVALID_ARGUMENT", backend.Precondition: "400 FAILED_PRECONDITION", backend.TooLong: "400 INVALID_ARGUMENT",
		backend.Unauthorized: "401 UNAUTHENTICATED", backend.Forbidden: "403 PERMISSION_DENIED", backend.NotFound: "404 NOT_FOUND",
		backend.Conflict: "409 ABORTED", backend.TooLarge: "413 INVALID_ARGUMENT", backend.Unsupported: "400 INVALID_ARGUMENT",
		backend.Busy: "429 RESOURCE_EXHAUSTED", backend.Internal: "500 INTERNAL", backend.Unavailable: "503 UNAVAILABLE",
		backend.Deadline: "504 DEADLINE_EXCEEDED", backend.TooSlow: "408 DEADLINE_EXCEEDED",
	}
	for k, w := range want {
		rec := httptest.NewRecorder()
		WriteError(rec, &backend.Error{Kind: k, Message: "why", Param: "contents[0]", RetryAfter: 1500e6})
		var e errorBody
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d %s", rec.Code, e.Error.Status); got != w || e.Error.Code != rec.Code {
			t.Errorf("kind %d is %s, want %s", k, got, w)
		}
		if e.Error.Message != "why" || e.Error.field() != "contents[0]" || rec.Header().Get("Retry-After") != "2" {
			t.Errorf("kind %d: %s, Retry-After %q", k, rec.Body, rec.Header().Get("Retry-After"))
		}
		retry := e.Error.Details[len(e.Error.Details)-1]
		if retry.Type != "type.googleapis.com/google.rpc.RetryInfo" || retry.RetryDelay != "1.5s" {
			t.Errorf("kind %d: %+v", k, retry)
		}
		if first := e.Error.Details[0]; first.Type != "type.googleapis.com/google.rpc.ErrorInfo" || first.Reason == "" {
			t.Errorf("kind %d: %+v", k, first)
		}
	}
	if len(want) != len(statuses) {
		t.Errorf("%d kinds have a status, %d are tested", len(statuses), len(want))
	}
}

func TestErrorsOfTheServerItselfStayWithIt(t *testing.T) {
	c := serve(t, Options{})
	c.fake.Fail("Generate", fmt.Errorf("open /secret/place: no such file"))
	e := c.fails(500, "POST", native+":generateContent", question("why"))
	if strings.Contains(e.Message, "secret") {
		t.Errorf("the client sees %q", e.Message)
	}
}

func TestModels(t *testing.T) {
	c := serve(t, Options{})
	var m model
	c.json("GET", native, "", &m)
	if m.Name != "models/handscroll" || m.InputTokenLimit != 1<<20 || m.OutputTokenLimit != 512 || m.MaxTemperature != 2 || !m.Native {
		t.Errorf("%+v", m)
	}
	if got := strings.Join(m.Methods, " "); got != "generateContent countTokens createCachedContent embedContent batchEmbedContents" {
		t.Errorf("methods %s", got)
	}
	var names []string
	for token := ""; ; {
		var l struct {
			Models        []model
			NextPageToken string
		}
		c.json("GET", "/v1beta/models?pageSize=2&pageToken="+token, "", &l)
		for _, m := range l.Models {
			names = append(names, m.Name)
		}
		if token = l.NextPageToken; token == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "models/handscroll models/text-only models/small-limit" {
		t.Errorf("listed %s", got)
	}
	if e := c.fails(404, "GET", "/v1beta/models/gpt", ""); !strings.Contains(e.Message, "text-only") {
		t.Errorf("an unknown model: %q does not say which are known", e.Message)
	}
	for _, q := range []string{"pageSize=-1", "pageSize=x", "pageToken=x"} {
		if e := c.fails(400, "GET", "/v1beta/models?"+q, ""); !strings.HasPrefix(q, e.field()) || e.field() == "" {
			t.Errorf("%s: %+v", q, e)
		}
	}
}
