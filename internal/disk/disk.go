package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// LockPath opens, or creates, the file at path and takes the lock on it without
// waiting; ok is false if another holds it. Closing the file gives the lock back.
// The system does so when a process dies, however it dies.
func LockPath(path string) (f *os.File, ok bool, err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, false, err
		}
		if ok, err := Lock(f); err != nil || !ok {
			f.Close()
			return nil, false, err
		}
		// Its last holder may have removed the file between opening and locking it;
		// then the lock guards nothing.
		held, err1 := f.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return f, true, nil
		}
		f.Close()
	}
}

// WriteFile replaces the file at path: whole or not at all, also through a power
// cut. When it fails nothing of the new content stays.
func WriteFile(path string, data []byte) error { return WriteFileMode(path, data, 0o666) }

// WriteFileMode is WriteFile for a file with permissions of its own.
func WriteFileMode(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}
