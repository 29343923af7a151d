package engine

import "github.com/handscroll/handscroll/internal/kvcache"

// Errors of stored contexts, for those who may not import kvcache.
type (
	FormatError = kvcache.FormatError
	ModelError  = kvcache.ModelError
	LockedError = kvcache.LockedError
)

// StoredInfo is what can be said of a stored context without opening it.
type StoredInfo = kvcache.Info

// ListStored returns the contexts stored below home, by name.
func ListStored(home string) ([]StoredInfo, error) { return kvcache.List(home) }

// HasStored reports whether dir holds a stored context.
func HasStored(dir string) bool { return kvcache.Exists(dir) }

// RemoveStored deletes the context stored in dir.
func RemoveStored(dir string) error { return kvcache.Remove(dir) }
