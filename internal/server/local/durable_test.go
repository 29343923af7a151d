package local

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// only returns the one path that a pattern below dir matches.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %v, %v", pattern, found, err)
	}
	return found[0]
}

// Nothing is deleted because a record cannot be read: it is out of service, and when it
// is repaired all is as it was.
func TestDamagedRecords(t *testing.T) {
	models := []ModelSpec{{ID: "handscroll"}, {"tiny", tiny(t)}}
	half := func(whole []byte) []byte { return whole[:len(whole)/2] }
	for _, test := range []struct {
		name, record, model string
		damage              func(whole []byte) []byte
	}{
		{"file", "files/*/*.json", "handscroll", half},
		{"upload", "uploads/*/*.json", "handscroll", half},
		{"entry", "entries/*.json", "handscroll", half},
		{"context", "stored/*/*.json", "handscroll", half},
		{"context of open weights", "stored/*/*.json", "tiny", half},
		{"empty", "stored/*/*.json", "handscroll", func([]byte) []byte { return nil }},
		{"another's", "stored/*/*.json", "handscroll", func([]byte) []byte { return []byte("{}") }},
		{"a later version", "stored/*/*.json", "tiny", func(whole []byte) []byte { return append([]byte(`{"Version":2,`), whole[1:]...) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, Options{Dir: dir, Models: models})
			f := send(t, b, "me", "notes.txt", []byte(haystack(1, 2<<10, gateLine)))
			settled(t, b, "me", f.ID)
			s, err := b.Store(t.Context(), backend.NewStored{Model: test.model, Owner: "me", Messages: say(backend.Part{File: f.ID})}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.name == "upload" {
				if _, err := b.Begin(t.Context(), backend.NewUpload{Owner: "me", ID: "on-its-way", Size: 1}); err != nil {
					t.Fatal(err)
				}
			}
			b.crash()
			path := only(t, dir, test.record)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			broken := test.damage(whole)
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			before := treeSize(dir)
			var logs bytes.Buffer
			b = open(t, Options{Dir: dir, Models: models, Log: slog.New(slog.NewTextHandler(&logs, nil))})
			b.entries.evict(1)                    // whatever there is
			if test.record == "stored/*/*.json" { // it may have been made of any file
				b.files.sweep(time.Now().Add(1000 * time.Hour))
			}
			if after := treeSize(dir); after != before {
				t.Errorf("%d bytes are left of %d", after, before)
			}
			if n := b.Stats().StoredBytes; n < before-int64(len(broken))-4096 {
				t.Errorf("%d bytes of %d are counted", n, before)
			}
			if !strings.Contains(logs.String(), path) {
				t.Errorf("the log does not name %s:\n%s", path, &logs)
			}
			if test.record == "files/*/*.json" {
				wantKind(t, errOf(b.File(t.Context(), "me", f.ID)), backend.NotFound)
				wantKind(t, errOf(b.Begin(t.Context(), backend.NewUpload{Owner: "me", ID: f.ID, Size: 1})), backend.Conflict, "damaged")
			}
			if test.record == "uploads/*/*.json" {
				wantKind(t, errOf(b.Begin(t.Context(), backend.NewUpload{Owner: "me", ID: "on-its-way", Size: 1})), backend.Conflict, "damaged")
			}
			b.crash()
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			b = open(t, Options{Dir: dir, Models: models})
			c, err := b.Content(t.Context(), "me", f.ID)
			if err == nil {
				err = c.Close()
			}
			if err != nil {
				t.Error(err)
			}
			r := request(text(gateAsk))
			r.Model, r.Owner, r.Context, r.Sampling.MaxTokens = test.model, "me", s.ID, 9
			if a := generate(t, b, r); a.Usage.Cached < s.Tokens {
				t.Errorf("%+v of %d tokens", a.Usage, s.Tokens)
			}
		})
	}
}

// A file that ends the process while it is looked into does so once.
func TestCrashingFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	looking, killed := make(chan struct{}), make(chan struct{})
	b.files.look = func(context.Context, string, *backend.File) (found backend.File, err error) {
		close(looking)
		<-killed
		return found, nil
	}
	f := send(t, b, "me", "bomb.txt", []byte("boom"))
	<-looking
	path := only(t, dir, "files/*/*.json")
	then, err := os.ReadFile(path) // what a killed process leaves
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	close(killed)
	b.crash()
	// One that was told to stop has not crashed.
	b = open(t, Options{Dir: dir})
	if f := settled(t, b, "me", f.ID); f.State != backend.FileActive {
		t.Errorf("after a stop: %+v", f)
	}
	b.crash()
	if err := os.WriteFile(path, then, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b = open(t, Options{Dir: dir})
		got, err := b.File(t.Context(), "me", f.ID)
		if err != nil || got.State != backend.FileFailed || got.Reason != stoppedIn {
			t.Errorf("%+v, %v", got, err)
		}
		wantKind(t, errOf(b.Generate(t.Context(), &backend.Request{Model: "handscroll", Owner: "me", Logprobs: -1, Messages: say(backend.Part{File: f.ID}, text("?"))}, nil)), backend.Precondition, "stopped")
		b.crash()
	}
}

// A file whose content is gone says so, and can be deleted.
func TestLostContent(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	f := send(t, b, "me", "notes.txt", []byte("some notes"))
	settled(t, b, "me", f.ID)
	b.crash()
	if err := os.Remove(only(t, dir, "blobs/*")); err != nil {
		t.Fatal(err)
	}
	b = open(t, Options{Dir: dir})
	got, err := b.File(t.Context(), "me", f.ID)
	if err != nil || got.State != backend.FileFailed || !strings.Contains(got.Reason, "upload it again") {
		t.Errorf("%+v, %v", got, err)
	}
	wantKind(t, errOf(b.Content(t.Context(), "me", f.ID)), backend.NotFound, "upload it again")
	again := send(t, b, "me", "notes.txt", []byte("some notes"))
	if err := b.DeleteFile(t.Context(), "me", f.ID); err != nil {
		t.Error(err)
	}
	if got := settled(t, b, "me", again.ID); got.State != backend.FileActive {
		t.Errorf("%+v", got)
	}
	if c, err := b.Content(t.Context(), "me", again.ID); err != nil {
		t.Error(err)
	} else if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A stored context whose data is lost stays listed and says what to do; who sends its
// content again repairs it.
func TestLostContext(t *testing.T) {
	models := []ModelSpec{{ID: "handscroll"}, {"tiny", tiny(t)}}
	whole := func(p string) error { return os.RemoveAll(p) }
	for _, test := range []struct {
		name, model, path string
		damage            func(path string) error
	}{
		{"directory", "handscroll", "entries/*[a-z0-9][a-z0-9][a-z0-9][a-z0-9]", func(p string) error { return os.RemoveAll(strings.TrimSuffix(p, ".json")) }},
		{"record", "handscroll", "entries/*.json", whole},
		{"manifest", "handscroll", "entries/*/context.json", func(p string) error { return os.WriteFile(p, []byte(`{"format":`), 0o600) }},
		{"session", "tiny", "sessions/*", whole},
		{"session's page", "tiny", "sessions/*/page-000000.kv", whole},
		{"session's manifest", "tiny", "sessions/*/context.json", func(p string) error { return os.WriteFile(p, []byte(`{"format":`), 0o600) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, Options{Dir: dir, Models: models})
			doc := backend.Part{Data: []byte(haystack(1, 2<<10, gateLine)), Name: "notes.txt"}
			s, err := b.Store(t.Context(), backend.NewStored{Model: test.model, Owner: "me", Messages: say(doc)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			b.crash()
			pattern := test.path
			if test.name == "directory" {
				pattern = "entries/*.json"
			}
			if err := test.damage(only(t, dir, pattern)); err != nil {
				t.Fatal(err)
			}
			b = open(t, Options{Dir: dir, Models: models})
			r := request(text(gateAsk))
			r.Model, r.Owner, r.Context, r.Sampling.MaxTokens = test.model, "me", s.ID, 9
			for range 2 {
				_, err := b.Generate(t.Context(), r, nil)
				wantKind(t, err, backend.NotFound, s.ID, "create it again")
			}
			if list, err := b.StoredList(t.Context(), "me"); err != nil || len(list) != 1 || list[0].ID != s.ID {
				t.Errorf("listed: %+v, %v", list, err)
			}
			if test.model == "handscroll" {
				again := request(doc, text(gateAsk))
				again.Owner = "me"
				if a := generate(t, b, again); !strings.Contains(a.Choices[0].Text, "4471") {
					t.Errorf("%q", a.Choices[0].Text)
				}
			} else if _, err := b.Generate(t.Context(), tinyRequest(doc, text(gateAsk)), nil); err != nil {
				t.Error(err)
			}
			if test.model == "handscroll" {
				if a := generate(t, b, r); !strings.Contains(a.Choices[0].Text, "4471") || a.Usage.Cached < s.Tokens {
					t.Errorf("repaired: %q, %+v", a.Choices[0].Text, a.Usage)
				}
			}
			if err := b.DeleteStored(t.Context(), "me", s.ID); err != nil {
				t.Error(err)
			}
			wantKind(t, errOf(b.Generate(t.Context(), r, nil)), backend.NotFound, "deleted")
			b.crash()
			b = open(t, Options{Dir: dir, Models: models})
			for _, d := range []string{"entries", "sessions", "stored/*"} {
				if left, err := filepath.Glob(filepath.Join(dir, d, "*")); err != nil || len(left) > 0 {
					t.Errorf("left: %v, %v", left, err)
				}
			}
		})
	}
}

// A stored context that is deleted while it is looked up is not there; no two delete it.
func TestDeletedMeanwhile(t *testing.T) {
	b := openTiny(t, Options{})
	for _, opened := range []bool{false, true} {
		s, err := b.Store(t.Context(), backend.NewStored{Model: "tiny", Messages: say(text("The river ran past the mill."))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.stored.find("", s.ID)
		if err != nil {
			t.Fatal(err)
		}
		var session *kept
		if opened {
			if err := b.sessions.load(b.models[0], r); err != nil {
				t.Fatal(err)
			}
			session = b.sessions.list[len(b.sessions.list)-1]
			session.refs++ // a request goes on with it
		}
		gone := make(chan error, 8)
		for range cap(gone) {
			go func() { gone <- b.DeleteStored(context.Background(), "", s.ID) }()
		}
		deleted := 0
		for range cap(gone) {
			if err := <-gone; err == nil {
				deleted++
			} else {
				wantKind(t, err, backend.NotFound, s.ID)
			}
		}
		if deleted != 1 {
			t.Errorf("%d have deleted it", deleted)
		}
		wantKind(t, b.sessions.load(b.models[0], r), backend.NotFound, s.ID)
		wantKind(t, errOf(b.Extend(t.Context(), "", s.ID, time.Time{})), backend.NotFound, s.ID)
		if opened {
			b.sessions.done(session, 0)
		}
		if left, err := os.ReadDir(filepath.Join(b.opts.Dir, "sessions")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

// Files go after two days, or when their client says; never while a stored context was
// made of them or a request reads them.
func TestFilesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ctx := context.Background()
		b, err := New(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { b.Close(ctx) }()
		put := func(ttl time.Duration, data string) *backend.File {
			u, err := b.Begin(ctx, backend.NewUpload{Owner: "me", Name: "notes.txt", Size: -1, TTL: ttl})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Append(ctx, "me", u.ID, 0, strings.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			f, err := b.Finish(ctx, "me", u.ID)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return f
		}
		usual, short, long := put(0, "usual"), put(time.Hour, "short"), put(-1, "long")
		if !usual.Expires.Equal(usual.Created.Add(48*time.Hour)) || !short.Expires.Equal(short.Created.Add(time.Hour)) || !long.Expires.IsZero() {
			t.Errorf("%v, %v, %v", usual.Expires, short.Expires, long.Expires)
		}
		named := put(time.Hour, gateLine)
		s, err := b.Store(ctx, backend.NewStored{Model: "handscroll", Owner: "me", Messages: say(backend.Part{File: named.ID}), TTL: 72 * time.Hour}, nil)
		if err != nil {
			t.Fatal(err)
		}
		read := put(time.Hour, "being read")
		c, err := b.Content(ctx, "me", read.ID)
		if err != nil {
			t.Fatal(err)
		}
		there := func() (ids []string) {
			list, err := b.Files(ctx, "me")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				ids = append(ids, f.ID)
				if !f.Expires.IsZero() && !time.Now().Before(f.Expires) {
					t.Errorf("%s has expired at %v, and is listed", f.ID, f.Expires)
				}
			}
			return ids
		}
		if n := len(there()); n != 5 {
			t.Errorf("%d files", n)
		}
		time.Sleep(time.Hour + 2*sweepEvery)
		wantKind(t, errOf(b.File(ctx, "me", short.ID)), backend.NotFound)
		if f, err := b.File(ctx, "me", named.ID); err != nil || !f.Expires.Equal(s.Expires) {
			t.Errorf("of a stored context: %+v, %v", f, err)
		}
		if n, left := len(there()), only(t, dir, "files/*/"+read.ID+".json"); n != 3 || left == "" {
			t.Errorf("%d files", n)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		// So it is for the next process.
		b.crash()
		if b, err = New(Options{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		if n := len(there()); n != 2 {
			t.Errorf("%d files after two days", n)
		}
		if err := b.DeleteStored(ctx, "me", s.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, errOf(b.File(ctx, "me", named.ID)), backend.NotFound)
		time.Sleep(1000 * time.Hour)
		if ids := there(); len(ids) != 1 || ids[0] != long.ID {
			t.Errorf("%v are left", ids)
		}
		only(t, dir, "blobs/*")
		only(t, dir, "files/*/*")
	})
}
