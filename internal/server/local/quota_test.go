package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// What is announced is set aside before it comes, also for the next process.
func TestReservation(t *testing.T) {
	const quota = 1 << 20
	dir := t.TempDir()
	b := open(t, Options{Dir: dir, Quota: quota})
	ctx := t.Context()
	var all sync.WaitGroup
	var begun atomic.Int32
	for range 16 {
		all.Go(func() {
			if _, err := b.Begin(ctx, backend.NewUpload{Size: quota / 4}); err == nil {
				begun.Add(1)
			} else {
				wantKind(t, err, backend.Unavailable, "1048576")
			}
		})
	}
	all.Wait()
	if n := begun.Load(); n != 4 {
		t.Fatalf("%d uploads of a quarter each were begun", n)
	}
	b.crash()
	b = open(t, Options{Dir: dir, Quota: quota})
	_, err := b.Begin(ctx, backend.NewUpload{Size: 1})
	wantKind(t, err, backend.Unavailable)
	u, err := b.Begin(ctx, backend.NewUpload{Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Append(ctx, "", u.ID, 0, bytes.NewReader(make([]byte, 1)))
	wantKind(t, err, backend.Unavailable)
	wantKind(t, errOf(b.Store(ctx, backend.NewStored{Model: "handscroll", Messages: say(text(gateLine))}, nil)), backend.Unavailable)
	// What is given up is there for others.
	for _, u := range b.files.uploads {
		if u.Total > 0 {
			if err := b.DeleteFile(ctx, "", u.ID); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if got, err := b.Append(ctx, "", u.ID, 0, bytes.NewReader(make([]byte, 1000))); err != nil || got.Size != 1000 {
		t.Errorf("%+v, %v", got, err)
	}
	if n := b.Stats().StoredBytes; n != quota*3/4+1000 {
		t.Errorf("%d bytes are set aside", n)
	}
}

// While a context is read what it will take is set aside; afterwards it is what it takes.
func TestReservedWhileRead(t *testing.T) {
	b := open(t, Options{})
	_, err := b.Store(t.Context(), backend.NewStored{Model: "handscroll", Messages: say(text(haystack(1, 8<<10, gateLine)))}, func(backend.Event) error {
		if n := b.Stats().StoredBytes; n < 200<<10 {
			t.Errorf("%d bytes are set aside while it is read", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.Stats().StoredBytes, treeSize(b.entries.dir("")); got > want || got < want-4096 {
		t.Errorf("%d bytes, %d on disk", got, want)
	}
}

// What is refused all the same costs nobody what was read before.
func TestRefusedEvictsNothing(t *testing.T) {
	const quota = 8 << 20
	b := open(t, Options{Quota: quota})
	r := request(text(haystack(1, 20<<10, gateLine)), text(gateAsk))
	generate(t, b, r)
	_, err := b.Begin(t.Context(), backend.NewUpload{Size: quota + 1})
	wantKind(t, err, backend.Unavailable, "8388608", "8388609")
	if again := generate(t, b, r); again.Usage.Cached == 0 || b.Stats().Evicted != 0 {
		t.Errorf("%+v, %d evicted", again.Usage, b.Stats().Evicted)
	}
	if _, err := b.Begin(t.Context(), backend.NewUpload{Size: quota}); err != nil || b.Stats().Evicted != 1 {
		t.Errorf("%v, %d evicted", err, b.Stats().Evicted)
	}
}

// What was read before a client left needs no room a second time, and stays while there
// is none for the rest.
func TestInterruptedFitsWhereItWould(t *testing.T) {
	b := open(t, Options{Quota: 1 << 30})
	r := request(text(haystack(1, 160<<10, gateLine)), text(gateAsk))
	whole := generate(t, b, r)
	full := b.Stats().StoredBytes
	b.entries.evict(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leaves := *r
	leaves.Progress = true
	if _, err := b.Generate(ctx, &leaves, func(e backend.Event) error {
		if e.Progress != nil && e.Progress.Tokens > whole.Usage.Prompt/2 {
			cancel()
		}
		return nil
	}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	part, read := b.Stats().StoredBytes, b.Stats().ReadTokens
	if part < full/3 {
		t.Fatalf("%d bytes of %d are there", part, full)
	}
	b.quota = part + 1<<20
	wantKind(t, errOf(b.Generate(t.Context(), r, nil)), backend.Unavailable)
	if now := b.Stats().StoredBytes; now != part {
		t.Errorf("%d bytes of %d are left when there is no room", now, part)
	}
	b.quota = full * 5 / 4
	if out := generate(t, b, r); out.Choices[0].Text != whole.Choices[0].Text {
		t.Errorf("%q, want %q", out.Choices[0].Text, whole.Choices[0].Text)
	}
	if n := b.Stats().ReadTokens - read; n > int64(whole.Usage.Prompt)*2/3 {
		t.Errorf("%d tokens of %d were read again", n, whole.Usage.Prompt)
	}
}

// One key keeps at most its share, whatever the order; others keep theirs.
func TestShares(t *testing.T) {
	for model, share := range map[string]int{"handscroll": 1 << 20, "tiny": 8 << 20} {
		b := open(t, Options{Models: []ModelSpec{{ID: "handscroll"}, {"tiny", tiny(t)}}, Quota: int64(5 * share / 2), OwnerQuota: int64(share)})
		ctx := t.Context()
		put := func(owner string, n int) error {
			u, err := b.Begin(ctx, backend.NewUpload{Owner: owner, Size: -1})
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Append(ctx, owner, u.ID, 0, bytes.NewReader(bytes.Repeat([]byte("ab "), n/3)))
			if err == nil {
				_, err = b.Finish(ctx, owner, u.ID)
			}
			if err != nil {
				if err := b.DeleteFile(ctx, owner, u.ID); err != nil {
					t.Fatal(err)
				}
			}
			return err
		}
		store := func(owner string) (*backend.Stored, error) {
			return b.Store(ctx, backend.NewStored{Model: model, Owner: owner, Messages: say(text(haystack(1, 4<<10, gateLine)))}, nil)
		}
		s, err := store("me")
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, put("me", share), backend.Unavailable, "your")
		wantKind(t, errOf(b.Begin(ctx, backend.NewUpload{Owner: "me", Size: int64(share)})), backend.Unavailable, "your")
		if err := put("you", share/4); err != nil {
			t.Error(err)
		}
		if err := b.DeleteStored(ctx, "me", s.ID); err != nil {
			t.Fatal(err)
		}
		if err := put("me", share-1000); err != nil {
			t.Error(err)
		}
		if _, err := store("me"); err == nil {
			t.Errorf("%s: more than a share is kept", model)
		} else {
			wantKind(t, err, backend.Unavailable, "your")
		}
		// What was read and is kept for nobody counts as nobody's.
		if model == "handscroll" {
			r := request(text(haystack(1, 4<<10, gateLine)), text(gateAsk))
			r.Owner = "me"
			generate(t, b, r)
			wantKind(t, errOf(store("me")), backend.Unavailable, "your")
		}
	}
}

// slow comes a byte at a time, when it is told.
type slow struct{ next chan struct{} }

func (s slow) Read(p []byte) (int, error) {
	if _, ok := <-s.next; !ok {
		return 0, io.EOF
	}
	p[0] = 'x'
	return 1, nil
}
