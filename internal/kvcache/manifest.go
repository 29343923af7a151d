package kvcache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/handscroll/handscroll/internal/disk"
)

// Files of a stored context's directory.
const (
	logName      = "context.log"
	manifestName = "context.json"
	lockName     = "lock"
	asidePrefix  = "sensing-"
)

// manifest is the commit: how much of the log is known to be on the disk, and
// what `context ls` shows without opening the log.
type manifest struct {
	Format      string `json:"format"`
	Version     int    `json:"version"`
	Model       string `json:"model"`
	Fingerprint string `json:"fingerprint"`
	Committed   int64  `json:"committed"`       // bytes of the log; of open weights, tokens in pages
	Cache       string `json:"cache,omitempty"` // how open weights' keys and values are stored
	Segments    int    `json:"segments"`
	Tokens      int64  `json:"tokens"`
	Text        int64  `json:"text"`     // bytes of the segments' texts
	Complete    bool   `json:"complete"` // whether the last writer came to its end
}

const formatName = "handscroll context"

// loadManifest reads dir's manifest; a missing one is a commit of nothing.
func loadManifest(dir string) (manifest, error) {
	path := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return manifest{Complete: true}, nil
	}
	if err != nil {
		return manifest{}, fmt.Errorf("kvcache: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		var syntax *json.SyntaxError
		at := int64(0)
		if errors.As(err, &syntax) {
			at = syntax.Offset
		}
		return manifest{}, &FormatError{path, at, err.Error()}
	}
	if m.Format != formatName || m.Committed < 0 {
		return manifest{}, &FormatError{path, 0, fmt.Sprintf("format %q with %d bytes committed", m.Format, m.Committed)}
	}
	if m.Version != formatVersion {
		return manifest{}, &FormatError{path, 0, fmt.Sprintf("format version %d, this program reads %d", m.Version, formatVersion)}
	}
	return m, nil
}

// save replaces dir's manifest: whole or not at all, also through a power cut.
func (m manifest) save(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	if err := disk.WriteFile(filepath.Join(dir, manifestName), append(data, '\n')); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	return nil
}

// Info is what a stored context's manifest says.
type Info struct {
	Name     string // base name of its directory
	Model    Identity
	Segments int
	Tokens   int64
	Text     int64 // bytes of text
	Bytes    int64 // bytes on disk
	Complete bool  // false if the last writer did not come to its end
	Err      error // why the manifest cannot be read
}

// List returns the stored contexts among the directories of home, by name. A
// missing home holds none.
func List(home string) ([]Info, error) {
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kvcache: %w", err)
	}
	var out []Info
	for _, e := range entries {
		dir := filepath.Join(home, e.Name())
		if !Exists(dir) {
			continue
		}
		m, err := loadManifest(dir)
		info := Info{
			Name:     e.Name(),
			Model:    Identity{Name: m.Model, Fingerprint: m.Fingerprint},
			Segments: m.Segments, Tokens: m.Tokens, Text: m.Text,
			Complete: m.Complete, Err: err,
		}
		if fi, err := os.Stat(filepath.Join(dir, logName)); err == nil {
			info.Bytes = fi.Size()
			info.Complete = info.Complete && fi.Size() == m.Committed
		}
		if m.Cache != "" {
			info.Bytes = savedBytes(dir)
		}
		out = append(out, info)
	}
	return out, nil
}

// Exists reports whether dir holds a stored context.
func Exists(dir string) bool {
	for _, name := range []string{manifestName, logName} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err == nil && fi.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// Remove deletes the stored context in dir, unless it is being read into.
func Remove(dir string) error {
	if !Exists(dir) {
		return fmt.Errorf("kvcache: remove %s: %w", dir, fs.ErrNotExist)
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	// Only the files that are ours: a mistaken HANDSCROLL_HOME must not cost a
	// directory. The manifest goes first, so that a half-removed context is an
	// uncommitted one.
	for _, name := range []string{manifestName, manifestName + ".tmp", logName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("kvcache: %w", err)
		}
	}
	if err := removeSaved(dir); err != nil {
		return err
	}
	if err := removeAside(dir); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		unlock() // an open file cannot be removed there
	}
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	if err := os.Remove(dir); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	return nil
}
