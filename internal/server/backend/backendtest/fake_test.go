package backendtest

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

func ask(text string, parts ...backend.Part) *backend.Request {
	return &backend.Request{Model: Native, Owner: "ann", Logprobs: -1,
		Messages: []backend.Message{{Role: backend.User, Parts: append(parts, backend.Part{Text: text})}}}
}

func wantKind(t *testing.T, err error, k backend.Kind, text string) {
	t.Helper()
	var e *backend.Error
	if !errors.As(err, &e) || e.Kind != k || !strings.Contains(e.Message, text) {
		t.Fatalf("error %v, want kind %d with %q", err, k, text)
	}
}

func put(t *testing.T, f *Fake, owner, name, mime, data string) *backend.File {
	t.Helper()
	ctx := t.Context()
	u, err := f.Begin(ctx, backend.NewUpload{Owner: owner, Name: name, MIME: mime, Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	half := len(data) / 2
	if u, err = f.Append(ctx, owner, u.ID, 0, strings.NewReader(data[:half])); err != nil || u.Size != int64(half) {
		t.Fatal(u, err)
	}
	_, err = f.Append(ctx, owner, u.ID, 0, strings.NewReader("again"))
	if half > 0 {
		wantKind(t, err, backend.Conflict, "go on from there")
	}
	if _, err = f.Append(ctx, owner, u.ID, int64(half), strings.NewReader(data[half:])); err != nil {
		t.Fatal(err)
	}
	x, err := f.Finish(ctx, owner, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestAnswers(t *testing.T) {
	f := New()
	var pieces []string
	var steps int
	r := ask("how many doors are there?", backend.Part{Data: []byte("three doors"), Name: "a.txt", MIME: "text/plain"}, backend.Part{Data: []byte("x"), MIME: "image/png"})
	r.Count, r.Progress, r.Logprobs = 2, true, 1
	res, err := f.Generate(t.Context(), r, func(e backend.Event) error {
		if e.Progress != nil {
			steps++
		}
		if e.Delta != nil {
			pieces = append(pieces, e.Delta.Text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := res.Choices[0], res.Choices[1]
	if a.Text != "how many doors are there?" || b.Text != a.Text+" #2" || strings.Join(pieces, "") != a.Text+b.Text || steps != 4 {
		t.Errorf("answers %q, %q in pieces %q, %d steps", a.Text, b.Text, pieces, steps)
	}
	if u := res.Usage; u.Prompt != 2+258+5 || u.Answer != 11 || u.Cached != 0 || u.ByKind[backend.Image] != 258 {
		t.Errorf("usage %+v", u)
	}
	if len(a.Tokens) != 5 || len(a.Tokens[0].Top) != 1 || len(a.Evidence) != 2 || a.Evidence[0].Quote != "three doors" {
		t.Errorf("answer %+v", a)
	}
	again, err := f.Generate(t.Context(), r, nil)
	if err != nil || again.Usage.Cached != 2+258+4 || len(f.Requests()) != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	r.Owner = "bob"
	if other, err := f.Generate(t.Context(), r, nil); err != nil || other.Usage.Cached != 0 {
		t.Errorf("another's prompt was cached: %+v, %v", other, err)
	}
}

func TestWaysToAnswer(t *testing.T) {
	f := New()
	tools := []backend.Tool{{Name: "open", Parameters: []byte(`{"type":"object","properties":{"door":{"type":"integer"}}}`)}, {Name: "shut"}}
	for _, c := range []struct {
		name   string
		change func(*backend.Request)
		text   string
		finish backend.Finish
		call   string
	}{
		{"plain", func(*backend.Request) {}, "please call shut now", backend.FinishStop, ""},
		{"tool named", func(r *backend.Request) { r.Tools = tools }, "", backend.FinishCalls, "shut {}"},
		{"tool not allowed", func(r *backend.Request) { r.Tools = tools; r.ToolChoice.Only = []string{"open"} }, "please call shut now", backend.FinishStop, ""},
		{"tool forced", func(r *backend.Request) {
			r.Tools = tools
			r.ToolChoice = backend.ToolChoice{Mode: backend.ToolAny, Only: []string{"open"}}
		}, "", backend.FinishCalls, `open {"door":7}`},
		{"length", func(r *backend.Request) { r.Sampling.MaxTokens = 2 }, "please call", backend.FinishLength, ""},
		{"stop", func(r *backend.Request) { r.Sampling.Stop = []string{" shut"} }, "please call", backend.FinishStop, ""},
		{"schema", func(r *backend.Request) {
			r.Sampling.Schema = []byte(`{"type":"object","properties":{"a":{"type":"array","items":{"enum":["x"]}}}}`)
		}, `{"a":["x"]}`, backend.FinishStop, ""},
		{"echo", func(r *backend.Request) { r.Raw, r.Echo = true, true }, "please call shut now please call shut now", backend.FinishStop, ""},
	} {
		r := ask("please call shut now")
		c.change(r)
		res, err := f.Generate(t.Context(), r, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := res.Choices[0]
		call := ""
		if len(got.Calls) > 0 {
			call = got.Calls[0].Name + " " + string(got.Calls[0].Arguments)
		}
		if got.Text != c.text || got.Finish != c.finish || call != c.call {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	f := New()
	r := ask("one")
	r.Model = "gpt-9"
	_, err := f.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.NotFound, "known are handscroll")
	r = ask(strings.Repeat("word ", 21))
	r.Model = Small
	_, err = f.Count(t.Context(), r)
	wantKind(t, err, backend.TooLong, "has 21 tokens; model \"small-limit\" takes 20")
	r = ask("look", backend.Part{Data: []byte("x"), MIME: "video/mp4"})
	r.Model = Text
	_, err = f.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.Unsupported, "takes no VIDEO")
	_, _, err = f.Embed(t.Context(), Text, []string{"a"}, 0)
	wantKind(t, err, backend.Invalid, "makes no embeddings; ask one that does: handscroll")
	boom := backend.Errorf(backend.Busy, "later")
	f.Fail("Generate", boom)
	if _, err := f.Generate(t.Context(), ask("x"), nil); err != boom {
		t.Errorf("%v", err)
	}
	f.Fail("Generate", nil)
	f.Fail("Stream", boom)
	n := 0
	if _, err := f.Generate(t.Context(), ask("x y z"), func(backend.Event) error { n++; return nil }); err != boom || n != 1 {
		t.Errorf("%v after %d pieces", err, n)
	}
}

func TestFilesArePrivateAndExpire(t *testing.T) {
	f := New()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	f.SetClock(func() time.Time { return now })
	f.SetProcessing(time.Minute)
	x := put(t, f, "ann", "notes.txt", "text/plain", "the gate code is 7421")
	_, err := f.Generate(t.Context(), ask("code?", backend.Part{File: x.ID}), nil)
	wantKind(t, err, backend.Precondition, "PROCESSING")
	now = now.Add(time.Minute)
	res, err := f.Generate(t.Context(), ask("code?", backend.Part{File: x.ID}), nil)
	if err != nil || res.Choices[0].Evidence[0].Source != "notes.txt" {
		t.Fatalf("%+v, %v", res, err)
	}
	_, err = f.File(t.Context(), "bob", x.ID)
	wantKind(t, err, backend.NotFound, x.ID)
	if l, err := f.Files(t.Context(), "bob"); err != nil || len(l) != 0 {
		t.Errorf("bob sees %v, %v", l, err)
	}
	r, err := f.Content(t.Context(), "ann", x.ID)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "the gate code is 7421" {
		t.Errorf("%q, %v", data, err)
	}
	broken := put(t, f, "ann", "broken.pdf", "application/pdf", "%PDF-1.7")
	now = now.Add(time.Hour)
	if broken, err = f.File(t.Context(), "ann", broken.ID); err != nil || broken.State != backend.FileFailed || broken.Reason == "" {
		t.Errorf("%+v, %v", broken, err)
	}
	if l, _ := f.Files(t.Context(), "ann"); len(l) != 2 || l[0].ID != broken.ID {
		t.Errorf("list %+v", l)
	}
	if err := f.DeleteFile(t.Context(), "ann", broken.ID); err != nil {
		t.Error(err)
	}
	now = now.Add(48 * time.Hour)
	_, err = f.File(t.Context(), "ann", x.ID)
	wantKind(t, err, backend.NotFound, "expired")
}

func TestUploadsThatGoWrong(t *testing.T) {
	f := New()
	now := time.Now()
	f.SetClock(func() time.Time { return now })
	ctx := t.Context()
	u, err := f.Begin(ctx, backend.NewUpload{Owner: "ann", Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Append(ctx, "ann", u.ID, 0, io.MultiReader(strings.NewReader("abc"), errReader{}))
	wantKind(t, err, backend.Invalid, "broke off")
	if u, err = f.Upload(ctx, "ann", u.ID); err != nil || u.Size != 3 {
		t.Errorf("%+v, %v", u, err)
	}
	_, err = f.Finish(ctx, "ann", u.ID)
	wantKind(t, err, backend.Precondition, "3 of 10")
	_, err = f.Append(ctx, "ann", u.ID, 3, strings.NewReader("12345678"))
	wantKind(t, err, backend.TooLarge, "more bytes")
	_, err = f.Begin(ctx, backend.NewUpload{Owner: "ann", ID: "../x"})
	wantKind(t, err, backend.Invalid, "letters")
	_, err = f.Begin(ctx, backend.NewUpload{Owner: "ann", Size: MaxFile + 1})
	wantKind(t, err, backend.TooLarge, "allowed")
	now = now.Add(2 * time.Hour)
	_, err = f.Upload(ctx, "ann", u.ID)
	wantKind(t, err, backend.NotFound, "given up")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestStoredContexts(t *testing.T) {
	f := New()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	f.SetClock(func() time.Time { return now })
	c, err := f.Store(t.Context(), backend.NewStored{Model: Native, Owner: "ann", Name: "book", TTL: time.Minute,
		Messages: []backend.Message{{Role: backend.User, Parts: []backend.Part{{Data: []byte("a b c"), Name: "book.txt"}}}}}, nil)
	if err != nil || c.Tokens != 3 || c.Sources[0].Name != "book.txt" {
		t.Fatalf("%+v, %v", c, err)
	}
	r := ask("what is b?")
	r.Context = c.ID
	res, err := f.Generate(t.Context(), r, nil)
	if err != nil || res.Usage.Prompt != 6 || res.Usage.Cached != 3 || res.Choices[0].Evidence[0].Source != "book.txt" {
		t.Fatalf("%+v, %v", res, err)
	}
	r.Model = Text
	_, err = f.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.Invalid, "was made with model")
	if c, err = f.Extend(t.Context(), "ann", c.ID, now.Add(time.Hour)); err != nil || !c.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v, %v", c, err)
	}
	now = now.Add(59 * time.Minute)
	_, err = f.Stored(t.Context(), "bob", c.ID)
	wantKind(t, err, backend.NotFound, c.ID)
	if l, err := f.StoredList(t.Context(), "ann"); err != nil || len(l) != 1 {
		t.Errorf("%v, %v", l, err)
	}
	now = now.Add(time.Minute)
	wantKind(t, f.DeleteStored(t.Context(), "ann", c.ID), backend.NotFound, "expired")
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		resume := f.Pause()
		ctx, cancel := context.WithCancel(t.Context())
		left, stayed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := f.Generate(ctx, ask("a b"), nil); left <- err }()
		go func() { _, err := f.Generate(t.Context(), ask("a b"), nil); stayed <- err }()
		if err := f.AwaitRunning(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-left; err != context.Canceled {
			t.Errorf("left with %v", err)
		}
		if n := f.Stats().Running; n != 1 {
			t.Errorf("%d run", n)
		}
		resume()
		if err := <-stayed; err != nil {
			t.Error(err)
		}
	})
}

func TestEmbed(t *testing.T) {
	v, u, err := New().Embed(t.Context(), Native, []string{"a b", "c"}, 8)
	if err != nil || len(v) != 2 || u.Prompt != 3 {
		t.Fatal(v, u, err)
	}
	var sum, dot float64
	for i := range v[0] {
		sum += float64(v[0][i]) * float64(v[0][i])
		dot += float64(v[0][i]) * float64(v[1][i])
	}
	if len(v[0]) != 8 || math.Abs(sum-1) > 1e-5 || dot > 0.999 {
		t.Errorf("length %g, likeness %g", sum, dot)
	}
}
