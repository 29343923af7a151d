package hub

import (
	"fmt"
	"os"
	"runtime"

	"github.com/handscroll/handscroll/internal/disk"
)

// LockedError says that a file is being fetched already.
type LockedError struct{ Path string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("hub: %s is being fetched by another process", e.Path)
}

// lock takes the lock of the file at path and returns how to release it. The
// system releases it when the process dies, however it dies.
func lock(path string) (unlock func(), err error) {
	f, ok, err := disk.LockPath(path + lockSuffix)
	switch {
	case err != nil:
		return nil, fmt.Errorf("hub: %w", err)
	case !ok:
		return nil, &LockedError{path}
	}
	return func() { release(f) }, nil
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
