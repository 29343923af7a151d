//go:build !unix

package gguf

import (
	"io"
	"os"
)

// mapFile reads the file whole: there is no mapping here yet.
func mapFile(f *os.File) ([]byte, func() error, error) {
	data, err := io.ReadAll(f)
	return data, func() error { return nil }, err
}
