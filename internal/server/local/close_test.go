package local

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Nothing begins once the backend closes.
func TestNothingAfterClose(t *testing.T) {
	b := open(t, Options{})
	f := send(t, b, "", "a.txt", []byte(gateLine))
	ctx := t.Context()
	s, err := b.Store(ctx, backend.NewStored{Model: "handscroll", Messages: say(text(gateLine))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.Begin(ctx, backend.NewUpload{Name: "b.txt", Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	ask := request(text(gateLine), text(gateAsk))
	for name, f := range map[string]func() error{
		"Generate":     func() error { _, err := b.Generate(ctx, ask, nil); return err },
		"Count":        func() error { _, err := b.Count(ctx, ask); return err },
		"Embed":        func() error { _, _, err := b.Embed(ctx, "handscroll", []string{"a"}, 0); return err },
		"Begin":        func() error { _, err := b.Begin(ctx, backend.NewUpload{Name: "c.txt"}); return err },
		"Append":       func() error { _, err := b.Append(ctx, "", u.ID, 0, strings.NewReader("abc")); return err },
		"Upload":       func() error { _, err := b.Upload(ctx, "", u.ID); return err },
		"Finish":       func() error { _, err := b.Finish(ctx, "", u.ID); return err },
		"SetPurpose":   func() error { return b.SetPurpose(ctx, "", u.ID, "user_data") },
		"File":         func() error { _, err := b.File(ctx, "", f.ID); return err },
		"Files":        func() error { _, err := b.Files(ctx, ""); return err },
		"Content":      func() error { _, err := b.Content(ctx, "", f.ID); return err },
		"DeleteFile":   func() error { return b.DeleteFile(ctx, "", f.ID) },
		"Store":        func() error { _, err := b.Store(ctx, backend.NewStored{Model: "handscroll"}, nil); return err },
		"Stored":       func() error { _, err := b.Stored(ctx, "", s.ID); return err },
		"StoredList":   func() error { _, err := b.StoredList(ctx, ""); return err },
		"Extend":       func() error { _, err := b.Extend(ctx, "", s.ID, time.Time{}); return err },
		"DeleteStored": func() error { return b.DeleteStored(ctx, "", s.ID) },
	} {
		err := f()
		var e *backend.Error
		if !errors.As(err, &e) || e.Kind != backend.Unavailable || e.RetryAfter <= 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file that is being sent is waited for, until there is no more time.
func TestCloseWaitsForContent(t *testing.T) {
	b := open(t, Options{})
	f := send(t, b, "", "a.txt", []byte(gateLine))
	c, err := b.Content(context.Background(), "", f.ID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- b.Close(ctx) }()
	for begun := false; !begun; {
		_, err := b.Files(t.Context(), "")
		begun = err != nil
	}
	if data, err := io.ReadAll(c); err != nil || string(data) != gateLine {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := c.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-closed:
		t.Fatalf("closed while a file is read: %v", err)
	default:
	}
	cancel()
	<-b.life.Done()
	if n, err := io.Copy(io.Discard, c); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes read, %v", n, err)
	}
	if err := errors.Join(c.Close(), <-closed); err != nil {
		t.Error(err)
	}
}
