package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
	"github.com/handscroll/handscroll/internal/server/sse"
)

// client asks a handler as one owner.
type client struct {
	t     *testing.T
	h     http.Handler
	owner string
}

func newClient(t *testing.T, o Options) (*client, *backendtest.Fake) {
	f := backendtest.New()
	return &client{t, New(f, o), "ann"}, f
}

// as is the same server for another owner.
func (c *client) as(owner string) *client { return &client{c.t, c.h, owner} }

func (c *client) do(r *http.Request) *httptest.ResponseRecorder {
	c.t.Helper()
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r.WithContext(backend.WithOwner(r.Context(), c.owner)))
	return w
}

func (c *client) post(path, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.do(httptest.NewRequestWithContext(c.t.Context(), "POST", path, strings.NewReader(body)))
}

func (c *client) get(path string) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.do(httptest.NewRequestWithContext(c.t.Context(), "GET", path, nil))
}

func (c *client) delete(path string) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.do(httptest.NewRequestWithContext(c.t.Context(), "DELETE", path, nil))
}

// value is JSON that was answered, to look into by path.
type value struct {
	t *testing.T
	v any
}

// ok reads the body of an answer with status 200.
func ok(t *testing.T, w *httptest.ResponseRecorder) value {
	t.Helper()
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return parse(t, w.Body.Bytes())
}

func parse(t *testing.T, data []byte) value {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return value{t, v}
}

// at looks a value up: names and numbers, with dots between.
func (v value) at(path string) any {
	v.t.Helper()
	x := v.v
	for s := range strings.SplitSeq(path, ".") {
		switch y := x.(type) {
		case map[string]any:
			x = y[s]
		case []any:
			i := int(s[0] - '0')
			if len(s) != 1 || i < 0 || i >= len(y) {
				v.t.Fatalf("%s: no %s in a list of %d", path, s, len(y))
			}
			x = y[i]
		default:
			v.t.Fatalf("%s: no %s in %v", path, s, x)
		}
	}
	return x
}

// want compares values by their paths; numbers are float64.
func (v value) want(pairs ...any) {
	v.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		path, want := pairs[i].(string), pairs[i+1]
		if n, ok := want.(int); ok {
			want = float64(n)
		}
		got := v.at(path)
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			v.t.Errorf("%s is %s, want %s", path, a, b)
		}
	}
}

// wantError checks an answer that is an error.
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, param, code, text string) {
	t.Helper()
	var body struct {
		Error struct {
			Message, Type, Param, Code *string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error.Message == nil || body.Error.Type == nil {
		t.Fatalf("not an error in form: %s (%v)", w.Body, err)
	}
	deref := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	e := body.Error
	if w.Code != status || deref(e.Param) != param || deref(e.Code) != code || !strings.Contains(*e.Message, text) {
		t.Errorf("status %d, want %d, param %q, code %q and %q in it: %s", w.Code, status, param, code, text, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
}

// event is one of a stream.
type event struct {
	name string
	value
	data string
}

// events reads a stream to its end.
func events(t *testing.T, w *httptest.ResponseRecorder) []event {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); w.Code != 200 || ct != "text/event-stream" {
		t.Fatalf("status %d, type %q: %s", w.Code, ct, w.Body)
	}
	r := sse.NewReader(bytes.NewReader(w.Body.Bytes()))
	var out []event
	for {
		name, data, err := r.Next()
		if err != nil {
			return out
		}
		e := event{name: name, data: string(data)}
		if e.data != "[DONE]" {
			e.value = parse(t, slices.Clone(data))
		}
		out = append(out, e)
	}
}

func TestModels(t *testing.T) {
	c, _ := newClient(t, Options{})
	for _, prefix := range []string{"/v1", "/v1beta/openai"} {
		list := ok(t, c.get(prefix+"/models"))
		list.want("object", "list", "data.0.id", "handscroll", "data.0.object", "model", "data.0.owned_by", "handscroll",
			"data.0.created", 1767323045, "data.0.max_model_len", 1<<20, "data.0.embedding_dimensions", 64, "data.0.native", true, "data.1.id", "text-only", "data.1.native", false, "data.2.id", "small-limit")
		ok(t, c.get(prefix+"/models/text-only")).want("id", "text-only", "object", "model")
		ok(t, c.get(prefix+"/models/models%2Ftext-only")).want("id", "text-only")
	}
	wantError(t, c.get("/v1/models/gpt-9"), 404, "model", "model_not_found", "known are handscroll, text-only")
}

func TestRoutesThatAreNot(t *testing.T) {
	c, _ := newClient(t, Options{})
	wantError(t, c.get("/v1/assistants"), 404, "", "not_found", "/v1/assistants")
	wantError(t, c.get("/v1beta/openai/fine_tuning/jobs"), 404, "", "not_found", "fine_tuning")
	w := c.get("/v1/chat/completions")
	wantError(t, w, 405, "", "", "takes POST, not GET")
	if w.Header().Get("Allow") != "POST" {
		t.Errorf("Allow %q", w.Header().Get("Allow"))
	}
	w = c.do(httptest.NewRequestWithContext(t.Context(), "PUT", "/v1/files", nil))
	wantError(t, w, 405, "", "", "takes GET and POST, not PUT")
}

func TestEveryKindOfErrorHasItsForm(t *testing.T) {
	for _, c := range []struct {
		kind   backend.Kind
		status int
		typ    string
		code   string
	}{
		{backend.Invalid, 400, "invalid_request_error", ""},
		{backend.Precondition, 400, "invalid_request_error", "failed_precondition"},
		{backend.TooLong, 400, "invalid_request_error", "context_length_exceeded"},
		{backend.Unauthorized, 401, "authentication_error", "invalid_api_key"},
		{backend.Forbidden, 403, "permission_error", "forbidden"},
		{backend.NotFound, 404, "invalid_request_error", "not_found"},
		{backend.TooSlow, 408, "invalid_request_error", "request_timeout"},
		{backend.Conflict, 409, "invalid_request_error", "conflict"},
		{backend.TooLarge, 413, "invalid_request_error", "request_too_large"},
		{backend.Unsupported, 415, "invalid_request_error", "unsupported_content"},
		{backend.Busy, 429, "rate_limit_error", "rate_limit_exceeded"},
		{backend.Internal, 500, "server_error", ""},
		{backend.Unavailable, 503, "server_error", "unavailable"},
		{backend.Deadline, 504, "server_error", "timeout"},
		{backend.Kind(99), 500, "server_error", ""},
	} {
		w := httptest.NewRecorder()
		e := backend.Errorf(c.kind, "what went wrong")
		e.Param = "field"
		WriteError(w, e)
		wantError(t, w, c.status, "field", c.code, "what went wrong")
		parse(t, w.Body.Bytes()).want("error.type", c.typ)
	}
}

func TestRetryAfterIsWholeSecondsRoundedUp(t *testing.T) {
	for _, c := range []struct {
		kind  backend.Kind
		after time.Duration
		want  string
	}{
		{backend.Busy, 0, "1"},
		{backend.Busy, time.Millisecond, "1"},
		{backend.Busy, 1500 * time.Millisecond, "2"},
		{backend.Unavailable, 30 * time.Second, "30"},
		{backend.Unavailable, 0, ""},
		{backend.Invalid, 0, ""},
	} {
		w := httptest.NewRecorder()
		WriteError(w, &backend.Error{Kind: c.kind, RetryAfter: c.after})
		if got := w.Header().Get("Retry-After"); got != c.want {
			t.Errorf("%v: Retry-After %q, want %q", c, got, c.want)
		}
	}
}

// TestBodiesThatAreNot holds every route that takes JSON to the same.
func TestBodiesThatAreNot(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, path := range []string{"chat/completions", "completions", "responses", "responses/input_tokens", "embeddings"} {
		path = "/v1/" + path
		wantError(t, c.post(path, ``), 400, "", "", "empty")
		wantError(t, c.post(path, `{"model": `), 400, "", "", "this is not JSON")
		wantError(t, c.post(path, `{} {}`), 400, "", "", "this is not JSON")
		wantError(t, c.post(path, `[1]`), 400, "", "", "cannot be a JSON array")
		wantError(t, c.post(path, `{"model": 7}`), 400, "model", "", "cannot be a JSON number")
		wantError(t, c.post(path, `{"model": "gpt-9"}`), 404, "model", "model_not_found", "known are handscroll")
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, nil)
		r.Body = http.MaxBytesReader(nil, http.NoBody, 10)
		r.Body = http.MaxBytesReader(nil, readCloser{strings.NewReader(strings.Repeat(" ", 11))}, 10)
		wantError(t, c.do(r), 413, "", "request_too_large", "10 bytes")
		r = httptest.NewRequestWithContext(t.Context(), "POST", path, nil)
		r.Body = readCloser{failing{}}
		wantError(t, c.do(r), 400, "", "", "could not be read")
		// The server's own reason not to go on reading.
		r = httptest.NewRequestWithContext(t.Context(), "POST", path, nil)
		r.Body = readCloser{iotest.ErrReader(&backend.Error{Kind: backend.Busy, Message: "no memory for it", RetryAfter: 5 * time.Second})}
		w := c.do(r)
		wantError(t, w, 429, "", "rate_limit_exceeded", "no memory")
		if after := w.Header().Get("Retry-After"); after != "5" {
			t.Errorf("%s: Retry-After %q", path, after)
		}
	}
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

type readCloser struct {
	r interface{ Read([]byte) (int, error) }
}

func (r readCloser) Read(p []byte) (int, error) { return r.r.Read(p) }
func (readCloser) Close() error                 { return nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line is dead") }
