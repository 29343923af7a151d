//go:build unix

package local

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Requests do not wait for a disk that takes its time over records: here it never comes
// to an end, as what is written goes into a pipe that nobody reads.
func TestSlowDisk(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	ctx := t.Context()
	f := send(t, b, "", "notes.txt", []byte("some notes"))
	settled(t, b, "", f.ID)
	hay := haystack(1, 2<<10, gateLine)
	s, err := b.Store(ctx, backend.NewStored{Model: "handscroll", Messages: say(text(hay))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.Begin(ctx, backend.NewUpload{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ctx, "", u.ID, 0, bytes.NewReader([]byte("more"))); err != nil {
		t.Fatal(err)
	}
	g, err := b.entries.gather(ctx, &job{m: b.models[0], p: &prompt{units: []*unit{{key: b.stored.list[key("", s.ID)].Units[0].Key}}}, pass: &pass{}}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer g.release()
	asks := map[string]func() error{
		"stored": func() error { return errOf(b.Stored(ctx, "", s.ID)) },
		"list":   func() error { return errOf(b.StoredList(ctx, "")) },
		"file":   func() error { return errOf(b.File(ctx, "", f.ID)) },
		"files":  func() error { return errOf(b.Files(ctx, "")) },
		"upload": func() error { return errOf(b.Upload(ctx, "", u.ID)) },
		"question": func() error {
			r := request(text(gateAsk))
			r.Context = s.ID
			return errOf(b.Generate(ctx, r, nil))
		},
		"new prompt": func() error { return errOf(b.Generate(ctx, request(text(portLine), text(portAsk)), nil)) },
	}
	for name, test := range map[string]struct {
		record string
		write  func() error
		busy   *sync.Mutex // held while it writes
	}{
		"extend": {b.stored.path("", s.ID), func() error { return errOf(b.Extend(ctx, "", s.ID, time.Time{})) }, &b.stored.changes},
		"finish": {b.files.record("", u.ID), func() error { return errOf(b.Finish(ctx, "", u.ID)) }, &b.files.changes},
		"sync":   {b.entries.record(g.held[0].ID), func() error { return b.entries.sync(g.held) }, &g.held[0].writing},
	} {
		pipe := test.record + ".tmp"
		if err := os.MkdirAll(filepath.Dir(pipe), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Skipf("no pipes in this file system: %v", err)
		}
		ended := make(chan error, 1)
		go func() { ended <- test.write() }()
		for test.busy.TryLock() {
			test.busy.Unlock()
		}
		for ask, do := range asks {
			done := make(chan error, 1)
			go func() { done <- do() }()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("%s, %s: %v", name, ask, err)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("%s: %s waits for the disk", name, ask)
			}
		}
		// A pipe cannot be synced: the record is not written.
		end, err := os.OpenFile(pipe, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, <-ended, backend.Unavailable)
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	}
	// What failed is as it was, and can be tried again.
	if _, err := b.Finish(ctx, "", u.ID); err != nil {
		t.Error(err)
	}
	settled(t, b, "", u.ID)
}
