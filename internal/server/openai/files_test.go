package openai

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// field is one of a form; a file if it has a filename.
type field struct{ name, filename, mime, value string }

func form(t *testing.T, fields ...field) (body *bytes.Buffer, typ string) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for _, f := range fields {
		h := textproto.MIMEHeader{}
		d := `form-data; name="` + f.name + `"`
		if f.filename != "" {
			d += `; filename="` + f.filename + `"`
		}
		h.Set("Content-Disposition", d)
		if f.mime != "" {
			h.Set("Content-Type", f.mime)
		}
		p, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, f.value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body, w.FormDataContentType()
}

func (c *client) form(fields ...field) *httptest.ResponseRecorder {
	c.t.Helper()
	body, typ := form(c.t, fields...)
	r := httptest.NewRequestWithContext(c.t.Context(), "POST", "/v1/files", body)
	r.Header.Set("Content-Type", typ)
	return c.do(r)
}

func upload(t *testing.T, c *client, name, mime, data, purpose string) value {
	t.Helper()
	return ok(t, c.form(field{"purpose", "", "", purpose}, field{"file", name, mime, data}))
}

func TestFileLife(t *testing.T) {
	c, _ := newClient(t, Options{})
	v := upload(t, c, `../dir/notes 1.txt`, "text/plain", "hello", "assistants")
	v.want("object", "file", "bytes", 5, "purpose", "assistants", "status", "processed")
	id := v.at("id").(string)
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		ok(t, c.get(prefix+"files/"+id)).want("id", id, "bytes", 5)
		ok(t, c.get(prefix+"files")).want("object", "list", "data.0.id", id, "has_more", false, "first_id", id, "last_id", id)
	}
	w := c.get("/v1/files/" + id + "/content")
	if w.Code != 200 || w.Body.String() != "hello" {
		t.Errorf("status %d: %q", w.Code, w.Body)
	}
	// Content must never run as a page of this server.
	for h, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"} {
		if got := w.Header().Get(h); got != want {
			t.Errorf("%s is %q", h, got)
		}
	}
	if d := w.Header().Get("Content-Disposition"); !strings.HasPrefix(d, "attachment;") || strings.Contains(d, "/") {
		t.Errorf("Content-Disposition %q", d)
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/files/"+id+"/content", nil)
	r.Header.Set("Range", "bytes=1-2")
	if w := c.do(r); w.Code != 206 || w.Body.String() != "el" {
		t.Errorf("range: status %d: %q", w.Code, w.Body)
	}
	bob := c.as("bob")
	for _, w := range []*httptest.ResponseRecorder{bob.get("/v1/files/" + id), bob.get("/v1/files/" + id + "/content"), bob.delete("/v1/files/" + id)} {
		wantError(t, w, 404, "", "not_found", id)
	}
	ok(t, bob.get("/v1/files")).want("data", []any{}, "has_more", false)
	ok(t, c.delete("/v1/files/"+id)).want("id", id, "object", "file", "deleted", true)
	wantError(t, c.get("/v1/files/"+id), 404, "", "not_found", id)
}

func TestFileStates(t *testing.T) {
	c, f := newClient(t, Options{})
	now := time.Now()
	f.SetClock(func() time.Time { return now })
	f.SetProcessing(time.Minute)
	v := upload(t, c, "broken.pdf", "application/pdf", "%PDF-1.7", "user_data")
	v.want("status", "uploaded")
	if at := v.at("expires_at"); at != nil {
		t.Errorf("expires at %v, though nobody asked for that", at)
	}
	now = now.Add(100 * time.Hour)
	v = ok(t, c.get("/v1/files/"+v.at("id").(string)))
	v.want("status", "error")
	if v.at("status_details").(string) == "" {
		t.Error("it does not say why")
	}
}

func TestPurposeMayComeAfterTheFile(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, purpose := range []string{"user_data", "vision"} {
		v := ok(t, c.form(field{"file", "a.txt", "text/plain", "x"}, field{"other", "", "", "y"}, field{"purpose", "", "", purpose}))
		v.want("purpose", purpose)
	}
	ok(t, c.get("/v1/files?purpose=vision")).want("data.0.purpose", "vision", "has_more", false)

	// A backend that cannot be told later says what to do.
	less := &client{t, New(struct{ backend.Backend }{f}, Options{}), "ann"}
	wantError(t, less.form(field{"file", "a.txt", "text/plain", "x"}, field{"purpose", "", "", "vision"}), 400, "purpose", "", "before the file")
	ok(t, less.form(field{"purpose", "", "", "vision"}, field{"file", "a.txt", "text/plain", "x"})).want("purpose", "vision")
}

func TestFilePages(t *testing.T) {
	c, f := newClient(t, Options{})
	now := time.Now()
	f.SetClock(func() time.Time { return now })
	var ids []string
	for range 5 {
		now = now.Add(time.Second)
		ids = append(ids, upload(t, c, "a.txt", "text/plain", "x", "user_data").at("id").(string))
	}
	p := ok(t, c.get("/v1/files?limit=2"))
	p.want("data.0.id", ids[4], "data.1.id", ids[3], "has_more", true, "last_id", ids[3])
	p = ok(t, c.get("/v1/files?limit=2&after="+ids[3]))
	p.want("data.0.id", ids[2], "data.1.id", ids[1], "has_more", true)
	p = ok(t, c.get("/v1/files?limit=2&after="+ids[1]))
	p.want("data.0.id", ids[0], "has_more", false)
	p = ok(t, c.get("/v1/files?order=asc&after="+ids[1]))
	p.want("data.0.id", ids[2], "data.2.id", ids[4], "has_more", false)
	wantError(t, c.get("/v1/files?limit=0"), 400, "limit", "", "1 to 10000")
	wantError(t, c.get("/v1/files?limit=x"), 400, "limit", "", "1 to 10000")
	wantError(t, c.get("/v1/files?order=up"), 400, "order", "", "asc, desc")
	wantError(t, c.get("/v1/files?after=nobody"), 400, "after", "", "not in the list")
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

func TestUploadsThatFailAreGivenUp(t *testing.T) {
	u := &uploads{Fake: backendtest.New()}
	c := &client{t, New(u, Options{}), "ann"}
	wantError(t, c.form(field{"file", "a.txt", "text/plain", "x"}), 400, "purpose", "", "missing")
	var e *backend.Error
	if _, err := u.Upload(t.Context(), "ann", u.id); u.id == "" || !errors.As(err, &e) || e.Kind != backend.NotFound {
		t.Errorf("upload %q is still there: %v", u.id, err)
	}
	u.id = ""
	ok(t, c.form(field{"file", "a.txt", "text/plain", "x"}, field{"purpose", "", "", "user_data"}))
	if _, err := u.Upload(t.Context(), "ann", u.id); err != nil {
		t.Errorf("a finished upload is given up: %v", err)
	}
}

func TestFormsThatAreWrong(t *testing.T) {
	c, _ := newClient(t, Options{})
	file, purpose := field{"file", "a.txt", "text/plain", "x"}, field{"purpose", "", "", "user_data"}
	many := []field{}
	for range maxFormParts + 1 {
		many = append(many, field{"x", "", "", "y"})
	}
	for _, e := range []struct {
		fields      []field
		param, text string
	}{
		{[]field{purpose}, "file", "missing"},
		{[]field{file}, "purpose", "missing"},
		{[]field{{"purpose", "", "", "fun"}, file}, "purpose", "assistants, batch"},
		{[]field{purpose, {"file", "", "", "text"}}, "file", "no name"},
		{[]field{purpose, {"file", "a.txt", "text/plain", ""}}, "file", "empty"},
		{[]field{purpose, file, file}, "file", "two"},
		{[]field{purpose, {"expires_after[anchor]", "", "", "created_at"}, file}, "expires_after", "not supported"},
		{[]field{{"x", "", "", strings.Repeat("y", maxFormField+1)}}, "x", "longer than"},
		{many, "", "more than 32"},
	} {
		wantError(t, c.form(e.fields...), 400, e.param, "", e.text)
	}
	wantError(t, c.post("/v1/files", `{}`), 400, "", "", "multipart/form-data")

	body, typ := form(t, purpose, field{"file", "a.txt", "text/plain", strings.Repeat("x", 1000)})
	for _, cut := range []int{10, 100, 500} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/files", bytes.NewReader(body.Bytes()[:cut]))
		r.Header.Set("Content-Type", typ)
		w := c.do(r)
		wantError(t, w, 400, parse(t, w.Body.Bytes()).paramOr(), "", "")
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/files", nil)
	r.Header.Set("Content-Type", typ)
	r.Body = http.MaxBytesReader(nil, io.NopCloser(body), 700)
	wantError(t, c.do(r), 413, "file", "request_too_large", "700 bytes")
	ok(t, c.get("/v1/files")).want("data", []any{})

	big := strings.Repeat("x", backendtest.MaxFile+1)
	wantError(t, c.form(purpose, field{"file", "a.txt", "text/plain", big}), 413, "file", "request_too_large", "more bytes")
}

// paramOr is the field that an error names, if any.
func (v value) paramOr() string {
	s, _ := v.at("error.param").(string)
	return s
}
