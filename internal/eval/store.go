package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// The files of a run, in its directory.
const (
	manifestFile = "run.json"
	resultsFile  = "results.jsonl"
	summaryFile  = "summary.json"
)

// manifestFormat is the version of run.json and results.jsonl.
const manifestFormat = 1

// A Manifest is run.json: everything that decides what a trial is. Two runs
// with equal manifests are the same run.
type Manifest struct {
	Format         int       `json:"format"`
	Task           string    `json:"task"`
	Model          string    `json:"model"`
	Haystack       string    `json:"haystack"`
	HaystackSHA256 string    `json:"haystack_sha256"`
	Seed           uint64    `json:"seed"`
	Lengths        []int     `json:"lengths"` // tokens; -1 in run.json: the whole haystack, once
	Depths         []float64 `json:"depths"`  // percent
	Trials         int       `json:"trials"`
	Needles        int       `json:"needles"`
	Direct         bool      `json:"direct"` // every context read from scratch
}

// ErrOtherRun is returned when a directory holds the results of another run.
var ErrOtherRun = errors.New("the directory holds another run")

// differences names the fields in which two manifests of one type differ.
func differences[M any](m, other M) string {
	a, b := reflect.ValueOf(m), reflect.ValueOf(other)
	var out []string
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			name := a.Type().Field(i).Tag.Get("json")
			out = append(out, fmt.Sprintf("%s was %v, is now %v", name, y, x))
		}
	}
	return strings.Join(out, "; ")
}

// A record is a line of results.jsonl.
type record interface{ id() string }

func (r Result) id() string { return r.ID }

// A journal holds the results of a run and the file they are appended to.
type journal[R record] struct {
	file    *os.File
	results []R
	done    map[string]bool // by id
}

// store is the journal of a run over text.
type store = journal[Result]

func openStore(dir string, m Manifest) (*store, error) { return openJournal[Result](dir, m) }

func loadResults(path string) (*store, error) { return readJournal[Result](path) }

// openJournal opens dir for the run m, creating it if missing, and loads what an
// interrupted run left there. A torn last line is cut off.
func openJournal[R record, M any](dir string, m M) (*journal[R], error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	path := filepath.Join(dir, manifestFile)
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		var old M
		if err := json.Unmarshal(data, &old); err != nil {
			return nil, fmt.Errorf("eval: %s: %w", path, err)
		}
		if d := differences(m, old); d != "" {
			return nil, fmt.Errorf("eval: %s: %w (%s); name another directory or remove this one", dir, ErrOtherRun, d)
		}
		if exists(dir, summaryFile) && !exists(dir, resultsFile) {
			return nil, fmt.Errorf("eval: %s: %s without the %s that it sums up; remove the directory to run again", dir, summaryFile, resultsFile)
		}
	case errors.Is(err, fs.ErrNotExist):
		if exists(dir, resultsFile) {
			return nil, fmt.Errorf("eval: %s: %w (%s without %s)", dir, ErrOtherRun, resultsFile, manifestFile)
		}
		if err := writeJSON(path, m); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("eval: %w", err)
	}
	return readJournal[R](filepath.Join(dir, resultsFile))
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// readJournal reads the lines of a results file and opens it for appending.
func readJournal[R record](path string) (*journal[R], error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	s := &journal[R]{file: f, done: make(map[string]bool)}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("eval: %w", err)
	}
	end := int64(0)
	for line := 1; ; line++ {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		var r R
		if err := json.Unmarshal(data[:i], &r); err != nil {
			f.Close()
			return nil, fmt.Errorf("eval: %s:%d: %w", path, line, err)
		}
		s.results = append(s.results, r)
		s.done[r.id()] = true
		end += int64(i) + 1
		data = data[i+1:]
	}
	if err := f.Truncate(end); err == nil {
		_, err = f.Seek(end, 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("eval: %w", err)
	}
	return s, nil
}

// add appends a result.
func (s *journal[R]) add(r R) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	s.results = append(s.results, r)
	s.done[r.id()] = true
	return nil
}

// loadSummary returns the summary of a run that has finished, else nil: it is
// the last file that a run writes.
func loadSummary[S any](dir string) (*S, error) {
	path := filepath.Join(dir, summaryFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	var s S
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("eval: %s: %w", path, err)
	}
	return &s, nil
}

// writeJSON writes v to path, whole or not at all.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return writeFile(path, append(data, '\n'))
}

// writeFile writes data to path, whole or not at all.
func writeFile(path string, data []byte) error {
	temp := path + ".tmp"
	if err := os.WriteFile(temp, data, 0o644); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}
