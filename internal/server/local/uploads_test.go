package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// How far an upload has come is told while bytes are awaited; who wants to add to it
// besides waits no longer than it wants to.
func TestStatusOfSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b, err := New(Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close(ctx)
		u, err := b.Begin(ctx, backend.NewUpload{Size: 10})
		if err != nil {
			t.Fatal(err)
		}
		s := slow{make(chan struct{})}
		ended := make(chan error, 1)
		go func() { ended <- errOf(b.Append(ctx, "", u.ID, 0, s)) }()
		for i := range int64(3) {
			synctest.Wait()
			if got, err := b.Upload(ctx, "", u.ID); err != nil || got.Size != i {
				t.Errorf("%+v, %v, want %d bytes", got, err, i)
			}
			s.next <- struct{}{}
		}
		gone, leave := context.WithCancel(ctx)
		leave()
		if _, err := b.Append(gone, "", u.ID, 3, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("beside another: %v", err)
		}
		close(s.next)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// After a power cut an upload goes on from what is surely there.
func TestUploadAfterPowerCut(t *testing.T) {
	data := []byte("some words that come in two pieces")
	for _, test := range []struct {
		name  string
		left  []byte // of the first 20 bytes and what came after them
		wants int64
	}{
		{"all", data[:20], 20},
		{"a tail of zeros", append(bytes.Clone(data[:20]), 0, 0, 0, 0), 20},
		{"less than was confirmed", data[:12], 12},
		{"nothing", nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, Options{Dir: dir})
			ctx := t.Context()
			u, err := b.Begin(ctx, backend.NewUpload{Size: int64(len(data))})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Append(ctx, "", u.ID, 0, bytes.NewReader(data[:20])); err != nil {
				t.Fatal(err)
			}
			b.crash()
			part := only(t, dir, "uploads/*/*.part")
			if test.left == nil {
				err = os.Remove(part)
			} else {
				err = os.WriteFile(part, test.left, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			b = open(t, Options{Dir: dir})
			got, err := b.Upload(ctx, "", u.ID)
			if err != nil || got.Size != test.wants {
				t.Fatalf("%+v, %v", got, err)
			}
			if _, err := b.Append(ctx, "", u.ID, 33, strings.NewReader("s")); true {
				wantKind(t, err, backend.Conflict, "go on from there")
			}
			if _, err := b.Append(ctx, "", u.ID, got.Size, bytes.NewReader(data[got.Size:])); err != nil {
				t.Fatal(err)
			}
			f, err := b.Finish(ctx, "", u.ID)
			if err != nil || f.SHA256 != sha256.Sum256(data) {
				t.Fatalf("%+v, %v", f, err)
			}
			if on, err := os.ReadFile(only(t, dir, "blobs/*")); err != nil || !bytes.Equal(on, data) {
				t.Errorf("%q, %v", on, err)
			}
			settled(t, b, "", f.ID)
		})
	}
}
