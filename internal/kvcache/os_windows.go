package kvcache

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes an exclusive lock on f without waiting; false if it is held.
func lockFile(f *os.File) (bool, error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("kvcache: lock %s: %w", f.Name(), err)
	}
	return true, nil
}

// mapFile reads the first n bytes of f: a mapped file could not be truncated
// here, which resuming needs.
func mapFile(f *os.File, n int64) ([]byte, error) {
	data := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, n), data); err != nil {
		return nil, fmt.Errorf("kvcache: %s: %w", f.Name(), err)
	}
	return data, nil
}

func unmapFile([]byte) error { return nil }

// syncDir does nothing: a directory cannot be synced here.
func syncDir(string) error { return nil }
