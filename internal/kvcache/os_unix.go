//go:build unix

package kvcache

import (
	"os"

	"github.com/handscroll/handscroll/internal/disk"
)

// mapFile maps the first n bytes of f for reading.
func mapFile(f *os.File, n int64) (data []byte, unmap func() error, err error) { return disk.Map(f, n) }
