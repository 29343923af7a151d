package disk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := open(), open()
	defer second.Close()
	if ok, err := Lock(first); !ok || err != nil {
		t.Fatalf("the first lock: %v, %v", ok, err)
	}
	if ok, err := Lock(second); ok || err != nil {
		t.Errorf("a second lock: %v, %v", ok, err)
	}
	first.Close()
	if ok, err := Lock(second); !ok || err != nil {
		t.Errorf("after the first was closed: %v, %v", ok, err)
	}
}

func TestMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("some text"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int64]string{0: "", 4: "some", 9: "some text"} {
		data, unmap, err := Map(f, n)
		if err != nil || string(data) != want {
			t.Errorf("%d bytes are %q: %v", n, data, err)
			continue
		}
		if err := unmap(); err != nil {
			t.Error(err)
		}
	}
	f.Close()
	if _, _, err := Map(f, 4); err == nil {
		t.Error("a closed file was mapped")
	}
	if err := SyncDir(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}

func TestFree(t *testing.T) {
	n, err := Free(t.TempDir())
	if err != nil || n <= 0 {
		t.Errorf("%d bytes are free: %v", n, err)
	}
	if _, err := Free(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing directory has free space")
	}
}

// What could not be written leaves nothing behind.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "by a directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x")); err == nil {
		t.Error("a file replaced a directory")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
}
