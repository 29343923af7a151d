package kvcache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/handscroll/handscroll/internal/disk"
)

// Files of a stored context of open weights, beside the manifest and the pages.
const (
	partsName = "parts.json"
	textsName = "parts.txt"
)

// Saved is a stored context of open weights: texts, and the pages of a sequence
// that has read them. It belongs to one goroutine.
type Saved struct {
	dir    string
	m      manifest
	parts  []SavedPart
	unlock func()
}

// SavedPart is one text of a stored context.
type SavedPart struct {
	Source string `json:"source"`
	Hash   string `json:"sha256"`
	Bytes  int    `json:"bytes"`
	Tokens int    `json:"tokens"`
	Text   []byte `json:"-"`
}

// OpenSaved opens the stored context in dir; one that is missing is empty. A
// context of another model is a [*ModelError], a damaged one a [*FormatError].
func OpenSaved(dir string, id Identity, f Format) (*Saved, error) {
	m, err := loadManifest(dir)
	if err != nil {
		return nil, err
	}
	if m.Format == "" {
		m = manifest{Format: formatName, Version: formatVersion, Model: id.Name, Fingerprint: id.Fingerprint, Cache: f.String(), Complete: true}
		return &Saved{dir: dir, m: m}, nil
	}
	if m.Fingerprint != id.Fingerprint || m.Cache == "" {
		return nil, &ModelError{filepath.Join(dir, manifestName), Identity{Name: m.Model, Fingerprint: m.Fingerprint}, id}
	}
	if m.Cache != f.String() {
		return nil, fmt.Errorf("kvcache: %s holds keys and values as %s, not %v", dir, m.Cache, f)
	}
	s := &Saved{dir: dir, m: m}
	return s, s.loadParts()
}

func (s *Saved) loadParts() error {
	path := filepath.Join(s.dir, partsName)
	list, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	if err := json.Unmarshal(list, &s.parts); err != nil {
		return &FormatError{path, 0, err.Error()}
	}
	path = filepath.Join(s.dir, textsName)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	for i := range s.parts {
		p := &s.parts[i]
		if p.Bytes < 0 || p.Bytes > len(text) {
			return &FormatError{path, int64(len(text)), fmt.Sprintf("the text of %s has %d bytes", p.Source, p.Bytes)}
		}
		p.Text, text = text[:p.Bytes:p.Bytes], text[p.Bytes:]
	}
	return nil
}

// Parts returns the texts.
func (s *Saved) Parts() []SavedPart { return s.parts }

// Dir returns the directory.
func (s *Saved) Dir() string { return s.dir }

// Tokens returns how many tokens the saved pages hold.
func (s *Saved) Tokens() int { return int(s.m.Committed) }

// Complete reports whether the last writer came to its end.
func (s *Saved) Complete() bool { return s.m.Complete }

// Edit takes the lock, so that parts and pages can be written. If another process
// has it, the error is a [*LockedError].
func (s *Saved) Edit() error {
	if s.unlock != nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	unlock, err := lock(s.dir)
	s.unlock = unlock
	return err
}

// SetParts stores the texts. Pages of other texts must be given up by Commit first.
func (s *Saved) SetParts(parts []SavedPart) error {
	list, err := json.MarshalIndent(parts, "", "  ")
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	var text bytes.Buffer
	for _, p := range parts {
		text.Write(p.Text)
	}
	// The texts first: ones beyond the list do no harm.
	for _, f := range []struct {
		name string
		data []byte
	}{{textsName, text.Bytes()}, {partsName, append(list, '\n')}} {
		if err := disk.WriteFile(filepath.Join(s.dir, f.name), f.data); err != nil {
			return fmt.Errorf("kvcache: %w", err)
		}
	}
	s.parts = parts
	return nil
}

// Commit says that the pages saved hold the first tokens of the texts, and whether
// those are all.
func (s *Saved) Commit(tokens int, complete bool) error {
	s.m.Committed, s.m.Complete, s.m.Segments = int64(tokens), complete, len(s.parts)
	s.m.Tokens, s.m.Text = int64(tokens), 0
	for _, p := range s.parts {
		s.m.Text += int64(p.Bytes)
	}
	return s.m.save(s.dir)
}

// Close gives the lock back.
func (s *Saved) Close() {
	if s.unlock != nil {
		s.unlock()
		s.unlock = nil
	}
}

// SavedParts returns the texts of the context stored in dir, if it is one of open
// weights, and the model that read it.
func SavedParts(dir string) (parts []SavedPart, id Identity, ok bool, err error) {
	m, err := loadManifest(dir)
	if err != nil || m.Cache == "" {
		return nil, id, false, err
	}
	s := &Saved{dir: dir, m: m}
	err = s.loadParts()
	return s.parts, Identity{Name: m.Model, Fingerprint: m.Fingerprint}, true, err
}

// savedFiles are the files of a stored context of open weights.
func savedFiles(dir string) ([]string, error) {
	var out []string
	for _, pattern := range []string{"page-*.kv", "page-*.kv.tmp", partsName, partsName + ".tmp", textsName, textsName + ".tmp"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("kvcache: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

func savedBytes(dir string) (n int64) {
	files, err := savedFiles(dir)
	if err != nil {
		return 0
	}
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			n += fi.Size()
		}
	}
	return n
}

func removeSaved(dir string) error {
	files, err := savedFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("kvcache: %w", err)
		}
	}
	return nil
}
