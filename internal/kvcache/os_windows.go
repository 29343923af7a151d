package kvcache

import (
	"fmt"
	"io"
	"os"
)

// mapFile reads the first n bytes of f: a mapped file could not be truncated
// here, which resuming needs.
func mapFile(f *os.File, n int64) (data []byte, unmap func() error, err error) {
	data = make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, n), data); err != nil {
		return nil, nil, fmt.Errorf("kvcache: %s: %w", f.Name(), err)
	}
	return data, func() error { return nil }, nil
}
