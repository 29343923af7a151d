package handscroll

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/media"
)

// The errors that reading, opening and asking give reasons by.
type (
	// ChangedError: a part has another text than when it was read.
	ChangedError = engine.ChangedError
	// UnfinishedError: reading was interrupted and not taken up again.
	UnfinishedError = engine.UnfinishedError
	// MemoryError: a context does not fit into memory; with the numbers.
	MemoryError = engine.MemoryError
	// ModelError: a stored context was made by another model.
	ModelError = engine.ModelError
	// FormatError: a stored context is damaged; with the file and the offset.
	FormatError = engine.FormatError
	// LockedError: another process is reading into a stored context.
	LockedError = engine.LockedError
	// SizeError: files hold more text than may be in memory; with the numbers.
	SizeError = media.SizeError
)

// Source describes a part of a context.
type Source struct {
	Name   string
	Bytes  int64 // of text
	Tokens int   // read
	Hash   [32]byte
	Done   bool   // false if reading it was interrupted
	Kind   string // text, picture, sound or film
	// Entries of its frames and of its sound, and the length of a film or sound.
	Seen, Heard int
	Length      time.Duration
}

// Sources returns the context's parts in order.
func (c *Context) Sources() []Source { return sourcesOf(c.c.Sources()) }

func sourcesOf(in []engine.Source) []Source {
	out := make([]Source, len(in))
	for i, s := range in {
		out[i] = Source(s)
	}
	return out
}

// StoredContext describes a stored context.
type StoredContext struct {
	Name        string
	Dir         string
	Model       string // name of the model that read it
	Fingerprint string // of that model
	Parts       int
	Tokens      int64
	TextBytes   int64
	DiskBytes   int64
	Complete    bool  // false if reading was interrupted
	Err         error // why there is no more to be said
}

// ContextDir returns the directory of the stored context called name: below
// HANDSCROLL_HOME if that is set, else in the platform's directory for a user's
// data.
func ContextDir(name string) (string, error) {
	if name == "" || len(name) > 100 || name[0] == '.' || strings.ContainsFunc(name, notInName) {
		return "", fmt.Errorf("handscroll: %q is no name for a context: up to 100 bytes of letters and digits in any script and of -_. with no dot first", name)
	}
	home, err := engine.Home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, name), nil
}

// ModelDir returns the directory that fetched model files are kept in: models,
// where [ContextDir] has contexts.
func ModelDir() (string, error) { return engine.ModelHome() }

func notInName(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N) && !strings.ContainsRune("-_.", r)
}

// StoredContexts lists the contexts that [ContextDir] leads to, by name.
func StoredContexts() ([]StoredContext, error) {
	home, err := engine.Home()
	if err != nil {
		return nil, err
	}
	list, err := engine.ListStored(home)
	if err != nil {
		return nil, err
	}
	out := make([]StoredContext, len(list))
	for i, s := range list {
		out[i] = StoredContext{
			Name: s.Name, Dir: filepath.Join(home, s.Name),
			Model: s.Model.Name, Fingerprint: s.Model.Fingerprint,
			Parts: s.Segments, Tokens: s.Tokens, TextBytes: s.Text, DiskBytes: s.Bytes,
			Complete: s.Complete, Err: s.Err,
		}
	}
	return out, nil
}

// HasStoredContext reports whether dir holds a context, whole or not.
func HasStoredContext(dir string) bool { return engine.HasStored(dir) }

// StoredSources returns the parts of the context stored in dir. It needs no
// model.
func StoredSources(dir string) ([]Source, error) {
	s, _, err := engine.StoredSources(dir)
	if err != nil {
		return nil, err
	}
	return sourcesOf(s), nil
}

// RemoveStored deletes the context stored in dir.
func RemoveStored(dir string) error { return engine.RemoveStored(dir) }
