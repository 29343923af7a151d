package kvcache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	s, err := Open(dir, Identity{Name: "m", Fingerprint: "f", DK: 8, DV: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Edit(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAside("a1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing was kept, and reading it gives %v", err)
	}
	for _, data := range []string{"first", "second"} {
		if err := s.WriteAside("a1", []byte(data)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.ReadAside("a1"); err != nil || string(got) != data {
			t.Errorf("%q, %v, want %q", got, err, data)
		}
	}
	if err := s.DropAside(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAside("a1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dropped, and reading it gives %v", err)
	}
	if err := s.WriteAside("b2", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}
