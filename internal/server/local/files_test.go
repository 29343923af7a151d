package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// settled returns a file when it has been looked into.
func settled(t *testing.T, b *Backend, owner, id string) *backend.File {
	t.Helper()
	b.files.mu.Lock()
	r, err := b.files.find(owner, id)
	b.files.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.probed:
	case <-t.Context().Done():
	}
	f, err := b.File(t.Context(), owner, id)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	ctx := t.Context()
	data := []byte("# Notes\n\n" + gateLine + "\n")
	f := send(t, b, "me", "../../etc/passwd.md", data)
	if f = settled(t, b, "me", f.ID); f.State != backend.FileActive || f.SHA256 != sha256.Sum256(data) || f.Name != "../../etc/passwd.md" {
		t.Errorf("%+v", f)
	}
	other := send(t, b, "you", "same.md", data)
	for _, err := range []error{
		b.DeleteFile(ctx, "you", f.ID),
		errOf(b.File(ctx, "you", f.ID)),
		errOf(b.Content(ctx, "you", f.ID)),
		errOf(b.Generate(ctx, &backend.Request{Model: "handscroll", Owner: "you", Logprobs: -1, Messages: say(backend.Part{File: f.ID}, text(gateAsk))}, nil)),
	} {
		wantKind(t, err, backend.NotFound, f.ID)
	}
	broken := send(t, b, "me", "x.png", []byte("\x89PNG\r\n\x1a\nrubbish and more rubbish"))
	if broken = settled(t, b, "me", broken.ID); broken.State != backend.FileFailed || broken.Reason == "" || strings.Contains(broken.Reason, dir) {
		t.Errorf("a broken picture: %+v", broken)
	}
	_, err := b.Generate(ctx, &backend.Request{Model: "handscroll", Owner: "me", Logprobs: -1, Messages: say(backend.Part{File: broken.ID}, text("?"))}, nil)
	wantKind(t, err, backend.Precondition, broken.Reason)
	settled(t, b, "you", other.ID)
	b.crash()

	b = open(t, Options{Dir: dir})
	list, err := b.Files(ctx, "me")
	if err != nil || len(list) != 2 || list[0].ID != broken.ID || list[1].Name != f.Name {
		t.Errorf("after a crash %+v, %v", list, err)
	}
	// A content stays as long as anybody has it.
	c, err := b.Content(ctx, "me", f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.DeleteFile(ctx, "me", f.ID), b.DeleteFile(ctx, "you", other.ID), b.DeleteFile(ctx, "me", broken.ID)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
		t.Errorf("content %q, %v", got, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "blobs", "*")); err != nil || len(left) > 0 {
		t.Errorf("blobs %v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("records %v, %v", left, err)
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestUploads(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir, MaxFile: 1000})
	ctx := t.Context()
	_, err := b.Begin(ctx, backend.NewUpload{Size: 1001})
	wantKind(t, err, backend.TooLarge, "1001", "1000")
	_, err = b.Begin(ctx, backend.NewUpload{ID: "../x"})
	wantKind(t, err, backend.Invalid, "../x")
	u, err := b.Begin(ctx, backend.NewUpload{Owner: "me", ID: "my-file", Name: "a.txt", MIME: "text/plain", Size: 11})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Begin(ctx, backend.NewUpload{Owner: "me", ID: "my-file", Size: 1})
	wantKind(t, err, backend.Conflict, "my-file")
	if _, err := b.Begin(ctx, backend.NewUpload{Owner: "you", ID: "my-file", Size: 1}); err != nil {
		t.Errorf("another owner's ID: %v", err)
	}
	add := func(offset int64, s string) error {
		return errOf(b.Append(ctx, "me", u.ID, offset, strings.NewReader(s)))
	}
	if err := add(0, "hello"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, add(0, "hello"), backend.Conflict, "5 bytes")
	wantKind(t, add(7, "x"), backend.Conflict, "5 bytes")
	wantKind(t, add(5, "too much of it"), backend.Invalid, "11")
	wantKind(t, errOf(b.Append(ctx, "you", "none", 0, strings.NewReader(""))), backend.NotFound)
	wantKind(t, errOf(b.Finish(ctx, "me", u.ID)), backend.Invalid, "5 bytes of the 11")
	// A client that breaks off goes on where it was.
	gone := errors.New("gone")
	_, err = b.Append(ctx, "me", u.ID, 5, io.MultiReader(strings.NewReader(" wo"), iotest.ErrReader(gone)))
	if !errors.Is(err, gone) {
		t.Errorf("a client that breaks off: %v", err)
	}
	b.crash()
	b = open(t, Options{Dir: dir})
	if got, err := b.Upload(ctx, "me", u.ID); err != nil || got.Size != 8 || got.Total != 11 || got.Done {
		t.Errorf("after a crash %+v, %v", got, err)
	}
	if err := add(8, "rld"); err != nil {
		t.Fatal(err)
	}
	f, err := b.Finish(ctx, "me", u.ID)
	if err != nil || f.Size != 11 || f.SHA256 != sha256.Sum256([]byte("hello world")) || f.ID != "my-file" {
		t.Fatalf("%+v, %v", f, err)
	}
	wantKind(t, add(11, "x"), backend.NotFound)
	settled(t, b, "me", f.ID)
	// Of unknown size, up to the limit.
	u, err = b.Begin(ctx, backend.NewUpload{Owner: "me", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	b.opts.MaxFile = 1000
	wantKind(t, add(0, strings.Repeat("x", 1001)), backend.TooLarge, "1000")
	wantKind(t, errOf(b.Finish(ctx, "me", u.ID)), backend.Invalid, "empty")
}

// An upload that nothing comes of any more is deleted after an hour, a stored context
// when it expires.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b, err := New(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close(context.Background())
		ctx := context.Background()
		u, err := b.Begin(ctx, backend.NewUpload{Owner: "me", Size: -1})
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.Store(ctx, backend.NewStored{Model: "handscroll", Messages: say(text(gateLine)), TTL: 2 * time.Hour}, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		if _, err := b.Append(ctx, "me", u.ID, 0, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		if _, err := b.Append(ctx, "me", u.ID, 1, strings.NewReader("x")); err != nil {
			t.Errorf("an upload that is not abandoned: %v", err)
		}
		time.Sleep(19 * time.Minute)
		if _, err := b.Extend(ctx, "", s.ID, time.Now().Add(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := b.Stored(ctx, "", s.ID); err != nil {
			t.Errorf("before it expires: %v", err)
		}
		time.Sleep(5 * time.Minute)
		_, err = b.Stored(ctx, "", s.ID)
		wantKind(t, err, backend.NotFound)
		time.Sleep(time.Hour)
		_, err = b.Append(ctx, "me", u.ID, 2, strings.NewReader("x"))
		wantKind(t, err, backend.NotFound)
		for _, d := range []string{"entries/*", "stored/*/*", "uploads/*/*"} {
			if left, err := filepath.Glob(filepath.Join(dir, d)); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		}
	})
}

// What a killed process leaves behind is cleaned up.
func TestDebris(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	b.crash()
	for _, p := range []string{"blobs/abc", "tmp/x", "entries/lost/context.log", "entries/gone.json", "entries/gone/context.log", "entries/torn.json.tmp", "stored/me/torn.json.tmp", "sessions/s/page-000000.kv"} {
		path := filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("{torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b = open(t, Options{Dir: dir})
	for _, d := range []string{"blobs", "tmp", "entries", "sessions", "stored/me"} {
		if left, err := os.ReadDir(filepath.Join(dir, d)); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v, %v", d, left, err)
		}
	}
	if n := b.Stats().StoredBytes; n != 0 {
		t.Errorf("%d bytes", n)
	}
}

// An upload that is given up leaves nothing, and its ID is free.
func TestGiveUpUpload(t *testing.T) {
	b := open(t, Options{})
	ctx := t.Context()
	u, err := b.Begin(ctx, backend.NewUpload{Owner: "a", ID: "mine", Size: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ctx, "a", u.ID, 0, bytes.NewReader([]byte("half"))); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.DeleteFile(ctx, "b", u.ID), backend.NotFound)
	if err := b.DeleteFile(ctx, "a", u.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, errOf(b.Upload(ctx, "a", u.ID)), backend.NotFound)
	if left, err := filepath.Glob(filepath.Join(b.opts.Dir, "uploads", "*", "*")); err != nil || len(left) > 0 || b.files.bytes() != 0 {
		t.Errorf("left: %v, %v, %d bytes", left, err, b.files.bytes())
	}
	if _, err := b.Begin(ctx, backend.NewUpload{Owner: "a", ID: "mine", Size: 10}); err != nil {
		t.Error(err)
	}
}

// A directory's name is no pattern, and files that were not looked into before a crash
// are afterwards, all of them.
func TestFilesAfterCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [b]")
	b := open(t, Options{Dir: dir})
	for range cap(b.files.probes) {
		b.files.probes <- struct{}{} // nothing is looked into
	}
	var ids []string
	for i := range 40 {
		ids = append(ids, send(t, b, "a", "notes.txt", []byte(strings.Repeat("note\n", i+1))).ID)
	}
	b.crash()
	// As if the process had been killed before the upload's own record was deleted.
	stale := b.files.uploadPath("a", ids[0], ".json")
	if err := save(stale, &upload{Upload: backend.Upload{ID: ids[0], Owner: "a", Total: -1}}); err != nil {
		t.Fatal(err)
	}
	b = open(t, Options{Dir: dir})
	wantKind(t, errOf(b.Upload(t.Context(), "a", ids[0])), backend.NotFound)
	for _, id := range ids {
		if f := settled(t, b, "a", id); f.State != backend.FileActive {
			t.Errorf("%+v", f)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(stale)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A file that is deleted before it was looked into does not bring its content back.
func TestDeletedBeforeProbe(t *testing.T) {
	var logs bytes.Buffer
	b := open(t, Options{Log: slog.New(slog.NewTextHandler(&logs, nil))})
	for range cap(b.files.probes) {
		b.files.probes <- struct{}{}
	}
	f := send(t, b, "a", "notes.txt", []byte("note\n"))
	b.files.mu.Lock()
	probed := b.files.list[key("a", f.ID)].probed
	b.files.mu.Unlock()
	if err := b.DeleteFile(t.Context(), "a", f.ID); err != nil {
		t.Fatal(err)
	}
	for range cap(b.files.probes) {
		<-b.files.probes
	}
	<-probed
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if logs.Len() > 0 || len(b.files.blobs) > 0 {
		t.Errorf("%s%v", &logs, b.files.blobs)
	}
}

// An upload whose size nobody announced ends at the quota; what has come stays.
func TestUploadOverQuota(t *testing.T) {
	const quota = 3 << 20
	b := open(t, Options{Quota: quota})
	u, err := b.Begin(t.Context(), backend.NewUpload{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Append(t.Context(), "", u.ID, 0, bytes.NewReader(make([]byte, 3*quota)))
	wantKind(t, err, backend.Unavailable)
	if u, err = b.Upload(t.Context(), "", u.ID); err != nil || u.Size != quota {
		t.Errorf("%+v, %v", u, err)
	}
}
