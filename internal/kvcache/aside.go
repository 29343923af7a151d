package kvcache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/handscroll/handscroll/internal/disk"
)

// WriteAside keeps data beside the context, under a name of letters and digits: what
// whoever reads into it wants to find again if it does not come to its end. It is
// replaced whole or not at all.
func (s *Store) WriteAside(name string, data []byte) error {
	if err := disk.WriteFile(s.aside(name), data); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	return nil
}

// ReadAside returns what WriteAside has kept; an error that is fs.ErrNotExist if it
// has nothing.
func (s *Store) ReadAside(name string) ([]byte, error) {
	data, err := os.ReadFile(s.aside(name))
	if err != nil {
		return nil, fmt.Errorf("kvcache: %w", err)
	}
	return data, nil
}

// DropAside removes all that WriteAside has kept.
func (s *Store) DropAside() error { return removeAside(s.dir) }

func (s *Store) aside(name string) string { return filepath.Join(s.dir, asidePrefix+name) }

func removeAside(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kvcache: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), asidePrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("kvcache: %w", err)
		}
	}
	return nil
}
