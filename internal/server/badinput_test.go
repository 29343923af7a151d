package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	geminiapi "github.com/handscroll/handscroll/internal/server/gemini"
	openaiapi "github.com/handscroll/handscroll/internal/server/openai"
)

// badInput is a request that must be refused, and how.
type badInput struct {
	name string
	// before makes what the request is about; ID in its path and body stands for what
	// is returned.
	before       func(c *caller) string
	method, path string // POST is the default
	body         string
	header       []string
	code         int
	status       string // of Gemini's API google.rpc.Code, of OpenAI's the error's code
	param        string
	says         []string
}

// caller speaks to a server with both families as they are served, over a backend in
// memory and connections without a network. Its time is a test's.
type caller struct {
	*testing.T
	*house
	pipes  *pipes
	client *http.Client
}

const (
	badBody = 4 << 10 // bytes of a request
	badFile = 8 << 10 // and of a file
)

func newCaller(t *testing.T) *caller {
	h := newHouse(t, func(o *Options) {
		o.MaxBody, o.MaxFile = badBody, badFile
		o.Gemini, o.GeminiError = geminiapi.New(o.Backend, geminiapi.Options{MaxBody: badBody}), geminiapi.WriteError
		o.OpenAI, o.OpenAIError = openaiapi.New(o.Backend, openaiapi.Options{MaxPart: badFile}), openaiapi.WriteError
	})
	p, client, _ := h.open(t)
	return &caller{t, h, p, client}
}

func (c *caller) do(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, local+path, body)
	if err != nil {
		c.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.client.Do(r)
	return res, bodyOf(c, res, err)
}

// made sends a request that must succeed, and returns a field of the answer.
func (c *caller) made(field, method, path, body string, header ...string) string {
	c.Helper()
	res, text := c.do(method, path, strings.NewReader(body), header...)
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil || res.StatusCode != 200 {
		c.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	if inner, ok := v["file"].(map[string]any); ok {
		v = inner
	}
	return fmt.Sprint(v[field])
}

// started begins a resumable upload and returns the rest of its address.
func (c *caller) started() string {
	c.Helper()
	res, text := c.do("POST", "/upload/v1beta/files", strings.NewReader("{}"), "X-Goog-Upload-Protocol", "resumable",
		"X-Goog-Upload-Command", "start", "X-Goog-Upload-Header-Content-Length", "100")
	if res.StatusCode != 200 {
		c.Fatalf("%d %s", res.StatusCode, text)
	}
	return strings.TrimPrefix(res.Header.Get("X-Goog-Upload-URL"), local+"/upload/v1beta/files?")
}

// file uploads one and returns its ID.
func (c *caller) file() string {
	return strings.TrimPrefix(c.made("name", "POST", "/upload/v1beta/files", "three words here", "X-Goog-Upload-Protocol", "raw", "Content-Type", "text/plain"), "files/")
}

// stored makes a stored context and returns its ID.
func (c *caller) stored() string {
	return strings.TrimPrefix(c.made("name", "POST", "/v1beta/cachedContents", `{"model":"models/handscroll","contents":[{"parts":[{"text":"a b c"}]}]}`), "cachedContents/")
}

// expired waits for longer than anything that is kept lives.
func expired(id string) string {
	time.Sleep(72 * time.Hour)
	return id
}

// fullDisk makes a method of the backend fail as when there is no room.
func fullDisk(c *caller, method string) string {
	c.fake.Fail(method, &backend.Error{Kind: backend.Unavailable, Message: "the disk is full", RetryAfter: time.Minute})
	return ""
}

// refused is an error as both families write it.
type refused struct {
	status string // or code
	param  string
	text   string
}

func geminiRefused(t *testing.T, res *http.Response, body string) refused {
	t.Helper()
	var v struct {
		Error struct {
			Code            int
			Message, Status string
			Details         []struct {
				Type            string `json:"@type"`
				Reason          string
				FieldViolations []struct{ Field string }
			}
		}
	}
	e := &v.Error
	if err := json.Unmarshal([]byte(body), &v); err != nil || e.Code != res.StatusCode || len(e.Details) == 0 ||
		e.Details[0].Type != "type.googleapis.com/google.rpc.ErrorInfo" || e.Details[0].Reason == "" {
		t.Fatalf("%d %s is not an error of Gemini's API", res.StatusCode, body)
	}
	r := refused{e.Status, "", e.Message}
	for _, d := range e.Details {
		for _, f := range d.FieldViolations {
			r.param = f.Field
		}
	}
	return r
}

func openaiRefused(t *testing.T, res *http.Response, body string) refused {
	t.Helper()
	var v struct {
		Error *struct {
			Message, Type string
			Param, Code   *string
		}
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.Error == nil || v.Error.Type == "" {
		t.Fatalf("%d %s is not an error of OpenAI's API", res.StatusCode, body)
	}
	r := refused{"", "", v.Error.Message}
	if v.Error.Param != nil {
		r.param = *v.Error.Param
	}
	if v.Error.Code != nil {
		r.status = *v.Error.Code
	}
	return r
}

func (b *badInput) run(t *testing.T, parse func(*testing.T, *http.Response, string) refused) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t)
		id := ""
		if b.before != nil {
			id = b.before(c)
		}
		method := b.method
		if method == "" {
			method = "POST"
		}
		res, body := c.do(method, strings.ReplaceAll(b.path, "ID", id), strings.NewReader(strings.ReplaceAll(b.body, "ID", id)), b.header...)
		if res.StatusCode == 200 {
			t.Fatalf("answered with %s", body)
		}
		got := parse(t, res, body)
		if res.StatusCode != b.code || got.status != b.status || got.param != b.param {
			t.Errorf("%d %q, field %q: %s; want %d %q, field %q", res.StatusCode, got.status, got.param, got.text, b.code, b.status, b.param)
		}
		for _, s := range b.says {
			if !strings.Contains(got.text, s) {
				t.Errorf("%q does not say %q", got.text, s)
			}
		}
		if retry := res.Header.Get("Retry-After"); (retry == "60") != (b.code == 503) {
			t.Errorf("Retry-After %q", retry)
		}
		if n := len(c.fake.Requests()); n > 0 {
			t.Errorf("%d requests were answered", n)
		}
	})
}

// The table of what the API must refuse: see the tests below for what a table cannot do
// (uploads that are abandoned, slow clients).
func TestBadInputGemini(t *testing.T) {
	const small = "/v1beta/models/small-limit:generateContent"
	ask := func(parts string) string { return `{"contents":[{"parts":[` + parts + `]}]}` }
	long := ask(`{"text":"` + strings.Repeat("word ", 21) + `"}`)
	chunk := []string{"X-Goog-Upload-Command", "upload", "X-Goog-Upload-Offset", "7"}
	for _, b := range []badInput{
		{name: "malformed JSON", path: geminiPath, body: `{"contents":[`, code: 400, status: "INVALID_ARGUMENT", says: []string{"not valid JSON"}},
		{name: "malformed JSON of a context", path: "/v1beta/cachedContents", body: `]`, code: 400, status: "INVALID_ARGUMENT", says: []string{"JSON"}},
		{name: "unknown model", path: "/v1beta/models/gpt-9:generateContent", body: ask(`{"text":"hi"}`), code: 404, status: "NOT_FOUND", param: "model", says: []string{"gpt-9", "handscroll", "text-only", "small-limit"}},
		{name: "unknown model, streamed", path: "/v1beta/models/gpt-9:streamGenerateContent?alt=sse", body: ask(`{"text":"hi"}`), code: 404, status: "NOT_FOUND", param: "model", says: []string{"text-only"}},
		{name: "unknown model of a context", path: "/v1beta/cachedContents", body: `{"model":"models/gpt-9","contents":[{"parts":[{"text":"x"}]}]}`, code: 404, status: "NOT_FOUND", param: "model", says: []string{"text-only"}},
		{name: "unknown context", path: geminiPath, body: `{"cachedContent":"cachedContents/none","contents":[{"parts":[{"text":"hi"}]}]}`, code: 404, status: "NOT_FOUND", says: []string{"none"}},
		{name: "expired context", before: func(c *caller) string { return expired(c.stored()) }, path: geminiPath, body: `{"cachedContent":"cachedContents/ID","contents":[{"parts":[{"text":"hi"}]}]}`, code: 404, status: "NOT_FOUND", says: []string{"expired"}},
		{name: "expired context, looked at", before: func(c *caller) string { return expired(c.stored()) }, method: "GET", path: "/v1beta/cachedContents/ID", code: 404, status: "NOT_FOUND", says: []string{"expired"}},
		{name: "unknown file", path: geminiPath, body: ask(`{"fileData":{"fileUri":"files/none"}},{"text":"hi"}`), code: 404, status: "NOT_FOUND", says: []string{"none"}},
		{name: "expired file", before: func(c *caller) string { return expired(c.file()) }, path: geminiPath, body: ask(`{"fileData":{"fileUri":"files/ID"}},{"text":"hi"}`), code: 404, status: "NOT_FOUND", says: []string{"expired"}},
		{name: "wrong key", before: func(c *caller) string { return c.add(c, "ann", KeyLimits{}) }, path: geminiPath, body: ask(`{"text":"hi"}`), header: []string{"X-Goog-Api-Key", "hs-wrong"}, code: 401, status: "UNAUTHENTICATED", says: []string{"not valid"}},
		{name: "no key", before: func(c *caller) string { return c.add(c, "ann", KeyLimits{}) }, path: geminiPath, body: ask(`{"text":"hi"}`), code: 401, status: "UNAUTHENTICATED", says: []string{"needs an API key"}},
		{name: "too large a body", path: geminiPath, body: ask(`{"text":"` + strings.Repeat("x", badBody) + `"}`), code: 413, status: "INVALID_ARGUMENT", says: []string{strconv.Itoa(badBody)}},
		{name: "too large a file", path: "/upload/v1beta/files", body: strings.Repeat("x", badFile+2<<20), header: []string{"X-Goog-Upload-Protocol", "raw"}, code: 413, status: "INVALID_ARGUMENT"},
		{name: "a prompt over the limit", path: small, body: long, code: 400, status: "INVALID_ARGUMENT", says: []string{"21", "20"}},
		{name: "a prompt over the limit, counted", path: "/v1beta/models/small-limit:countTokens", body: long, code: 400, status: "INVALID_ARGUMENT", says: []string{"21", "20"}},
		{name: "unsupported part type", path: "/v1beta/models/text-only:generateContent", body: ask(`{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`), code: 400, status: "INVALID_ARGUMENT", param: "contents[0].parts[1]", says: []string{"IMAGE"}},
		{name: "a part of a type that there is not", path: geminiPath, body: ask(`{"text":"look"},{"hologram":{}}`), code: 400, status: "INVALID_ARGUMENT", param: "contents[0].parts[1]", says: []string{"hologram"}},
		{name: "a part of code", path: geminiPath, body: ask(`{"executableCode":{"code":"1"}}`), code: 400, status: "INVALID_ARGUMENT", param: "contents[0].parts[0].executableCode"},
		{name: "an upload at a wrong offset", before: (*caller).started, path: "/upload/v1beta/files?ID", body: "later", header: chunk, code: 409, status: "ABORTED", says: []string{"0 bytes", "go on from there"}},
		{name: "an upload that is unknown", path: "/upload/v1beta/files?upload_id=none", body: "x", header: chunk, code: 404, status: "NOT_FOUND", says: []string{"none"}},
		{name: "a schema that nothing follows", path: geminiPath, body: `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"integer","minimum":7,"maximum":3}}}`,
			code: 400, status: "INVALID_ARGUMENT", param: "generationConfig.responseJsonSchema", says: []string{"minimum"}},
		{name: "a schema of the API's own that nothing follows", path: geminiPath, body: `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"INTEGER","minimum":7,"maximum":3}}}`,
			code: 400, status: "INVALID_ARGUMENT", param: "generationConfig.responseSchema", says: []string{"minimum"}},
		{name: "a full disk while a file comes", before: func(c *caller) string { id := c.started(); fullDisk(c, "Append"); return id }, path: "/upload/v1beta/files?ID", body: "x",
			header: []string{"X-Goog-Upload-Command", "upload", "X-Goog-Upload-Offset", "0"}, code: 503, status: "UNAVAILABLE", says: []string{"disk"}},
		{name: "a full disk while a context is read", before: func(c *caller) string { return fullDisk(c, "Store") }, path: "/v1beta/cachedContents", body: `{"model":"models/handscroll","contents":[{"parts":[{"text":"x"}]}]}`, code: 503, status: "UNAVAILABLE", says: []string{"disk"}},
		{name: "a full disk while a prompt is read", before: func(c *caller) string { return fullDisk(c, "Generate") }, path: geminiPath, body: ask(`{"text":"hi"}`), code: 503, status: "UNAVAILABLE", says: []string{"disk"}},
	} {
		t.Run(b.name, func(t *testing.T) { b.run(t, geminiRefused) })
	}
}

func TestBadInputOpenAI(t *testing.T) {
	ask := func(model, content, more string) string {
		return `{"model":"` + model + `","messages":[{"role":"user","content":` + content + `}]` + more + `}`
	}
	long := strings.Repeat("word ", 21)
	schema := func(s string) string {
		return `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":` + s + `}}`
	}
	const impossible = `{"type":"integer","minimum":7,"maximum":3}`
	key := func(c *caller) string { return c.add(c, "ann", KeyLimits{}) }
	body, typ := badForm(t, "user_data", strings.Repeat("x", 10))
	long2M, longTyp := badForm(t, "user_data", strings.Repeat("x", badFile+2<<20))
	for _, b := range []badInput{
		{name: "malformed JSON", path: openaiPath, body: `{"messages":[`, code: 400, says: []string{"not JSON"}},
		{name: "malformed JSON of a response", path: "/v1/responses", body: `]`, code: 400, says: []string{"not JSON"}},
		{name: "unknown model", path: openaiPath, body: ask("gpt-9", `"hi"`, ""), code: 404, status: "model_not_found", param: "model", says: []string{"gpt-9", "handscroll", "text-only", "small-limit"}},
		{name: "unknown model, streamed", path: openaiPath, body: ask("gpt-9", `"hi"`, `,"stream":true`), code: 404, status: "model_not_found", param: "model", says: []string{"text-only"}},
		{name: "unknown model of a response", path: "/v1/responses", body: `{"model":"gpt-9","input":"hi"}`, code: 404, status: "model_not_found", param: "model", says: []string{"text-only"}},
		{name: "unknown context", path: openaiPath, body: ask("handscroll", `"hi"`, `,"cached_content":"cachedContents/none"`), code: 404, status: "not_found", says: []string{"none"}},
		{name: "expired context", before: func(c *caller) string { return expired(c.stored()) }, path: openaiPath, body: ask("handscroll", `"hi"`, `,"cached_content":"cachedContents/ID"`), code: 404, status: "not_found", says: []string{"expired"}},
		{name: "unknown file", path: openaiPath, body: ask("handscroll", `[{"type":"file","file":{"file_id":"none"}},{"type":"text","text":"hi"}]`, ""), code: 404, status: "not_found", param: "messages[0].content[0].file.file_id", says: []string{"none"}},
		{name: "expired file", before: func(c *caller) string { return expired(c.file()) }, path: openaiPath, body: ask("handscroll", `[{"type":"file","file":{"file_id":"ID"}},{"type":"text","text":"hi"}]`, ""), code: 404, status: "not_found", param: "messages[0].content[0].file.file_id", says: []string{"expired"}},
		{name: "expired file, looked at", before: func(c *caller) string { return expired(c.file()) }, method: "GET", path: "/v1/files/ID", code: 404, status: "not_found", says: []string{"expired"}},
		{name: "unknown response", path: "/v1/responses", body: `{"model":"handscroll","input":"hi","previous_response_id":"resp_none"}`, code: 404, status: "not_found", param: "previous_response_id", says: []string{"resp_none"}},
		{name: "wrong key", before: key, path: openaiPath, body: ask("handscroll", `"hi"`, ""), header: []string{"Authorization", "Bearer hs-wrong"}, code: 401, status: "invalid_api_key", says: []string{"not valid"}},
		{name: "no key", before: key, path: openaiPath, body: ask("handscroll", `"hi"`, ""), code: 401, status: "invalid_api_key", says: []string{"needs an API key"}},
		{name: "too large a body", path: openaiPath, body: ask("handscroll", `"`+strings.Repeat("x", badBody)+`"`, ""), code: 413, status: "request_too_large", says: []string{strconv.Itoa(badBody)}},
		{name: "too large a file", path: "/v1/files", body: long2M, header: []string{"Content-Type", longTyp}, code: 413, status: "request_too_large"},
		{name: "a prompt over the limit", path: openaiPath, body: ask("small-limit", `"`+long+`"`, ""), code: 400, status: "context_length_exceeded", says: []string{"21", "20"}},
		{name: "a prompt over the limit, of a response", path: "/v1/responses", body: `{"model":"small-limit","input":"` + long + `"}`, code: 400, status: "context_length_exceeded", says: []string{"21", "20"}},
		{name: "a prompt over the limit, to be gone on with", path: "/v1/completions", body: `{"model":"small-limit","prompt":"` + long + `"}`, code: 400, status: "context_length_exceeded", says: []string{"21", "20"}},
		{name: "unsupported part type", path: openaiPath, body: ask("text-only", `[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]`, ""), code: 415, status: "unsupported_content", param: "messages[0].content", says: []string{"IMAGE"}},
		{name: "a part of a type that there is not", path: openaiPath, body: ask("handscroll", `[{"type":"text","text":"look"},{"type":"hologram"}]`, ""), code: 415, status: "unsupported_content", param: "messages[0].content[1].type", says: []string{"hologram"}},
		{name: "a part of a type that there is not, of a response", path: "/v1/responses", body: `{"model":"handscroll","input":[{"role":"user","content":[{"type":"hologram"}]}]}`, code: 415, status: "unsupported_content", param: "input[0].content[0].type", says: []string{"hologram"}},
		{name: "a schema that nothing follows", path: openaiPath, body: ask("handscroll", `"hi"`, schema(impossible)), code: 400, param: "response_format", says: []string{"minimum"}},
		{name: "a schema that nothing follows, of a response", path: "/v1/responses", body: `{"model":"handscroll","input":"hi","text":{"format":{"type":"json_schema","name":"n","schema":` + impossible + `}}}`, code: 400, param: "text.format", says: []string{"minimum"}},
		{name: "a full disk while a file comes", before: func(c *caller) string { return fullDisk(c, "Append") }, path: "/v1/files", body: body, header: []string{"Content-Type", typ}, code: 503, status: "unavailable", param: "file", says: []string{"disk"}},
		{name: "a full disk while a prompt is read", before: func(c *caller) string { return fullDisk(c, "Generate") }, path: openaiPath, body: ask("handscroll", `"hi"`, ""), code: 503, status: "unavailable", says: []string{"disk"}},
	} {
		t.Run(b.name, func(t *testing.T) { b.run(t, openaiRefused) })
	}
}

// badForm is a form that uploads a file.
func badForm(t *testing.T, purpose, content string) (body, typ string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("purpose", purpose); err != nil {
		t.Fatal(err)
	}
	p, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="a.txt"`}, "Content-Type": {"text/plain"}})
	if err == nil {
		_, err = io.WriteString(p, content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// TestBadInputAbandoned has clients that leave in the middle of an upload.
func TestBadInputAbandoned(t *testing.T) {
	t.Run("gemini", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCaller(t)
			at := "/upload/v1beta/files?" + c.started()
			c.leave("POST "+at+" HTTP/1.1\r\nHost: localhost\r\nX-Goog-Upload-Command: upload, finalize\r\nX-Goog-Upload-Offset: 0\r\n", "half of it")
			// It can be gone on with for an hour.
			time.Sleep(50 * time.Minute)
			res, body := c.do("POST", at, nil, "X-Goog-Upload-Command", "query")
			if got := res.Header.Get("X-Goog-Upload-Size-Received"); res.StatusCode != 200 || got != "10" || res.Header.Get("X-Goog-Upload-Status") != "active" {
				t.Errorf("%d, %q bytes: %s", res.StatusCode, got, body)
			}
			time.Sleep(2 * time.Hour)
			res, body = c.do("POST", at, nil, "X-Goog-Upload-Command", "query")
			if got := geminiRefused(t, res, body); got.status != "NOT_FOUND" || res.Header.Get("X-Goog-Upload-Status") != "cancelled" {
				t.Errorf("%d %+v", res.StatusCode, got)
			}
			if _, body := c.do("GET", "/v1beta/files", nil); strings.Contains(body, "files/") {
				t.Errorf("half a file is listed: %s", body)
			}
		})
	})
	t.Run("openai", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCaller(t)
			form, typ := badForm(t, "user_data", strings.Repeat("x", 1000))
			c.leave("POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+typ+"\r\n", form[:len(form)/2])
			if s := c.fake.Stats(); s.StoredBytes != 0 {
				t.Errorf("%d bytes are kept", s.StoredBytes)
			}
			if _, body := c.do("GET", "/v1/files", nil); !strings.Contains(body, `"data":[]`) {
				t.Errorf("half a file is listed: %s", body)
			}
		})
	})
}

// leave sends half of a request and hangs up.
func (c *caller) leave(head, half string) {
	c.Helper()
	conn, err := c.pipes.dial(c.Context(), "", "")
	if err != nil {
		c.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "%sContent-Length: 5000\r\n\r\n%s", head, half); err != nil {
		c.Fatal(err)
	}
	conn.Close()
	synctest.Wait()
}

// TestBadInputSlow has clients that send a request so slowly that it holds a connection.
func TestBadInputSlow(t *testing.T) {
	const post = " HTTP/1.1\r\nHost: localhost\r\n"
	for _, c := range []struct {
		name, head string
		parse      func(*testing.T, *http.Response, string) refused
		status     string
	}{
		{"gemini", "POST " + geminiPath + post, geminiRefused, "DEADLINE_EXCEEDED"},
		{"gemini, a context", "POST /v1beta/cachedContents" + post, geminiRefused, "DEADLINE_EXCEEDED"},
		{"gemini, a file", "POST /upload/v1beta/files" + post + "X-Goog-Upload-Protocol: raw\r\n", geminiRefused, "DEADLINE_EXCEEDED"},
		{"gemini, a file with its description", "POST /upload/v1beta/files" + post + "X-Goog-Upload-Protocol: multipart\r\nContent-Type: multipart/related; boundary=b\r\n", geminiRefused, "DEADLINE_EXCEEDED"},
		{"openai", "POST " + openaiPath + post, openaiRefused, "request_timeout"},
		{"openai, a response", "POST /v1/responses" + post, openaiRefused, "request_timeout"},
		{"openai, a file", "POST /v1/files" + post + "Content-Type: multipart/form-data; boundary=b\r\n", openaiRefused, "request_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newCaller(t)
				got, took := rawly(t, s.pipes, func(w io.Writer) {
					fmt.Fprintf(w, "%sContent-Length: 1000\r\n\r\n{", c.head)
					for range 1000 {
						time.Sleep(5 * time.Second)
						if _, err := io.WriteString(w, " "); err != nil {
							return
						}
					}
				})
				head, body, _ := strings.Cut(got, "\r\n\r\n")
				if !strings.HasPrefix(head, "HTTP/1.1 408 ") || !strings.Contains(head, "Connection: close") || took > 31*time.Second {
					t.Fatalf("after %s %q", took, got)
				}
				if r := c.parse(t, &http.Response{StatusCode: 408}, body); r.status != c.status || !strings.Contains(r.text, "too slowly") {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}
