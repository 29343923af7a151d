package hub

import (
	"fmt"
	"os"
	"runtime"
)

// LockedError says that a file is being fetched already.
type LockedError struct{ Path string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("hub: %s is being fetched by another process", e.Path)
}

// lock takes the lock of the file at path and returns how to release it. The
// system releases it when the process dies, however it dies.
func lock(path string) (unlock func(), err error) {
	name := path + lockSuffix
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
		ok, err := lockFile(f)
		if err != nil || !ok {
			f.Close()
			if err == nil {
				err = &LockedError{path}
			}
			return nil, err
		}
		// Its last holder may have removed the file between opening and locking
		// it; then the lock guards nothing.
		held, err1 := f.Stat()
		named, err2 := os.Stat(name)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return func() { release(f) }, nil
		}
		f.Close()
	}
}

// release removes the lock file and closes it. A lock file that stays does no
// harm: only a held one keeps others away.
func release(f *os.File) {
	if runtime.GOOS == "windows" {
		// An open file is not removed there, so that one which another process
		// takes in between stays.
		f.Close()
		os.Remove(f.Name())
		return
	}
	os.Remove(f.Name())
	f.Close()
}
