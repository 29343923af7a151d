package kvcache

import (
	"fmt"
	"path/filepath"

	"github.com/handscroll/handscroll/internal/disk"
)

// LockedError says that another process is reading into the context.
type LockedError struct{ Dir string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("kvcache: %s is being read into by another process", e.Dir)
}

// lock takes dir's lock and returns how to release it. The system releases it
// when the process dies, however it dies.
func lock(dir string) (unlock func(), err error) {
	f, ok, err := disk.LockPath(filepath.Join(dir, lockName))
	switch {
	case err != nil:
		return nil, fmt.Errorf("kvcache: %w", err)
	case !ok:
		return nil, &LockedError{dir}
	}
	return func() { f.Close() }, nil
}
