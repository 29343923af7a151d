package kvcache

import (
	"fmt"
	"os"
	"path/filepath"
)

// LockedError says that another process is reading into the context.
type LockedError struct{ Dir string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("kvcache: %s is being read into by another process", e.Dir)
}

// lock takes dir's lock and returns how to release it. The system releases it
// when the process dies, however it dies.
func lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockName)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, fmt.Errorf("kvcache: %w", err)
		}
		ok, err := lockFile(f)
		if err != nil || !ok {
			f.Close()
			if err == nil {
				err = &LockedError{dir}
			}
			return nil, err
		}
		// A Remove may have unlinked the file between opening and locking it;
		// then the lock guards nothing.
		held, err1 := f.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return func() { f.Close() }, nil
		}
		f.Close()
	}
}
