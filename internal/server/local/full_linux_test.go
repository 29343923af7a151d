package local

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// onSmallDisk names the directory in which a test in a process of its own mounts a disk.
const onSmallDisk = "HANDSCROLL_TEST_SMALL_DISK"

// A disk that is really full: what is asked for is refused with what to do, nothing
// half-written stays, and all goes on once there is room. The disk is of memory, in a
// namespace where this process may mount one.
func TestRealDiskFull(t *testing.T) {
	if at := os.Getenv(onSmallDisk); at != "" {
		if err := syscall.Mount("none", at, "tmpfs", 0, "size=4m"); err != nil {
			t.Skipf("cannot mount a small disk: %v", err)
		}
		fullDisk(t, at)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRealDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), onSmallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSPC):
		t.Skipf("this system lets nobody have a namespace of one's own: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	}
}

func fullDisk(t *testing.T, dir string) {
	ctx := t.Context()
	models := []ModelSpec{{ID: "handscroll"}, {"tiny", tiny(t)}}
	b := open(t, Options{Dir: filepath.Join(dir, "data"), Models: models, Quota: 1 << 30})
	f := send(t, b, "me", "notes.txt", []byte("some notes"))
	settled(t, b, "me", f.ID)
	kept, err := b.Store(ctx, backend.NewStored{Model: "handscroll", Owner: "me", Messages: say(text(gateLine))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("some words that do not matter\n"), 40000)
	sized, err := b.Begin(ctx, backend.NewUpload{Owner: "me", Name: "a.txt", Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := b.Begin(ctx, backend.NewUpload{Owner: "me", Name: "b.txt", Size: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Append(ctx, "me", whole.ID, 0, strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	// All but a part of what one upload needs is taken.
	fill := filepath.Join(dir, "fill")
	free, err := disk.Free(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fill, make([]byte, free-400<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = b.Append(ctx, "me", sized.ID, 0, bytes.NewReader(data))
	wantKind(t, err, backend.Unavailable, "full")
	got, err := b.Upload(ctx, "me", sized.ID)
	if err != nil || got.Size >= int64(len(data)) {
		t.Fatalf("%+v, %v", got, err)
	}
	if fi, err := os.Stat(b.files.uploadPath("me", sized.ID, ".part")); err != nil || fi.Size() != got.Size {
		t.Errorf("%d bytes are confirmed, %v, %v", got.Size, fi, err)
	}
	// Now to the last byte.
	if more, err := os.OpenFile(filepath.Join(dir, "fill more"), os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
		t.Fatal(err)
	} else {
		for buf := make([]byte, 4096); err == nil; {
			_, err = more.Write(buf)
		}
		if !disk.Full(err) {
			t.Fatal(err)
		}
		more.Close()
	}
	before := names(t, b.opts.Dir)
	fails := map[string]func() error{
		"begin":   func() error { return errOf(b.Begin(ctx, backend.NewUpload{Owner: "me", Size: 5})) },
		"append":  func() error { return errOf(b.Append(ctx, "me", sized.ID, got.Size, bytes.NewReader(data[got.Size:]))) },
		"finish":  func() error { return errOf(b.Finish(ctx, "me", whole.ID)) },
		"extend":  func() error { return errOf(b.Extend(ctx, "me", kept.ID, kept.Expires.AddDate(0, 0, 1))) },
		"purpose": func() error { return b.SetPurpose(ctx, "me", whole.ID, "vision") },
		"store": func() error {
			return errOf(b.Store(ctx, backend.NewStored{Model: "handscroll", Owner: "me", Messages: say(text(haystack(2, 20<<10, gateLine)))}, nil))
		},
		"store what is read": func() error {
			return errOf(b.Store(ctx, backend.NewStored{Model: "handscroll", Owner: "me", Messages: say(text(gateLine))}, nil))
		},
		"store weights": func() error {
			return errOf(b.Store(ctx, backend.NewStored{Model: "tiny", Owner: "me", Messages: say(text(gateLine))}, nil))
		},
		"read": func() error {
			return errOf(b.Generate(ctx, request(text(haystack(3, 20<<10, gateLine)), text(gateAsk)), nil))
		},
	}
	for name, do := range fails {
		t.Run(name, func(t *testing.T) { wantKind(t, do(), backend.Unavailable, "full") })
	}
	if after := names(t, b.opts.Dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("before\n%s\nafter\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	// Requests that need no disk go on.
	ask := request(text(gateAsk))
	ask.Owner, ask.Context = "me", kept.ID
	if a := generate(t, b, ask); !strings.Contains(a.Choices[0].Text, "4471") {
		t.Errorf("%q", a.Choices[0].Text)
	}
	if s, err := b.Stored(ctx, "me", kept.ID); err != nil || !s.Expires.Equal(kept.Expires) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, name := range []string{"fill", "fill more"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, do := range fails {
		if err := do(); err != nil && name != "purpose" { // it may be a file by now
			t.Errorf("with room again, %s: %v", name, err)
		}
	}
	last, err := b.Finish(ctx, "me", sized.ID)
	if err != nil || last.SHA256 != sha256.Sum256(data) {
		t.Errorf("%+v, %v", last, err)
	}
	for _, id := range []string{f.ID, whole.ID, sized.ID} {
		if f := settled(t, b, "me", id); f.State != backend.FileActive {
			t.Errorf("%+v", f)
		}
	}
}

// names lists all files below a directory.
func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		out = append(out, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
