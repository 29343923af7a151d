package kvcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// commitEvery bounds how often Append waits for the disk. What is lost to a
// power cut is no more than this; a killed process loses nothing appended.
const commitEvery = 2 * time.Second

// Store is a stored context: the log of docs/formats.md in one directory.
//
// Open shows what was committed. To append, call Edit, then Begin and Append
// (or Drop), then Finish, which shows the new entries.
type Store struct {
	dir   string
	id    Identity
	data  []byte       // the mapping that segments point into
	unmap func() error // of it; nil if there is none
	log   contents
	// complete is what the manifest said, at Open or Edit.
	complete bool

	// Between Edit and Finish:
	unlock    func()
	file      *os.File
	out       io.WriterAt // file, or a test's failing disk
	end       int64       // where the next record goes
	count     uint32      // segments begun, dropped ones included
	shadow    []*editing
	committed time.Time
	buf       []byte
}

// editing follows a segment through Edit, without its text.
type editing struct {
	number uint32
	tokens int64
	text   int64
	done   bool
	seg    *Segment // nil if begun since Edit
}

// Open returns the stored context in dir, empty if there is none yet. With a
// non-empty id.Fingerprint a context of another model is a [*ModelError]; a
// damaged one is a [*FormatError]. All checksums are verified.
func Open(dir string, id Identity) (*Store, error) {
	s := &Store{dir: dir, id: id}
	m, err := loadManifest(dir)
	if err != nil {
		return nil, err
	}
	if m.Cache != "" {
		return nil, &ModelError{filepath.Join(dir, manifestName), Identity{Name: m.Model, Fingerprint: m.Fingerprint}, id}
	}
	s.complete = m.Complete
	if err := s.load(m.Committed, 0); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Dir returns the directory.
func (s *Store) Dir() string { return s.dir }

// Identity returns the model that the entries were made by.
func (s *Store) Identity() Identity { return s.id }

// Complete reports whether the last writer came to the end of what it meant to
// append.
func (s *Store) Complete() bool { return s.complete }

// load maps the first n bytes of the log and scans them, comparing payload
// checksums from offset verify on.
func (s *Store) load(n, verify int64) error {
	if n == 0 {
		return nil
	}
	path := filepath.Join(s.dir, logName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &FormatError{path, 0, fmt.Sprintf("the file is missing; %d bytes were committed", n)}
	}
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	if fi.Size() < n {
		return &FormatError{path, fi.Size(), fmt.Sprintf("the file ends here; %d bytes were committed", n)}
	}
	if s.data, s.unmap, err = mapFile(f, n); err != nil {
		return err
	}
	s.log = contents{}
	if err := s.log.scan(s.data, verify); err != nil {
		return &FormatError{path, s.log.end, err.Error()}
	}
	return s.checkModel()
}

func (s *Store) checkModel() error {
	if s.id.Fingerprint == "" {
		s.id = s.log.id
	}
	if s.log.id != s.id {
		// The fingerprint decides: the name is only for people.
		if named := s.log.id; named.Fingerprint == s.id.Fingerprint && named.DK == s.id.DK && named.DV == s.id.DV {
			return nil
		}
		return &ModelError{filepath.Join(s.dir, logName), s.log.id, s.id}
	}
	return nil
}

// Segments returns the segments in order, as Open or Finish last saw them.
func (s *Store) Segments() []*Segment { return s.log.live() }

// Close releases the mapping and, after an Edit without Finish, the lock.
func (s *Store) Close() error {
	s.release()
	s.data, s.log = nil, contents{}
	return s.forget()
}

// forget gives the mapping back.
func (s *Store) forget() error {
	if s.unmap == nil {
		return nil
	}
	unmap := s.unmap
	s.unmap = nil
	if err := unmap(); err != nil {
		return fmt.Errorf("kvcache: unmap: %w", err)
	}
	return nil
}

func (s *Store) release() {
	if s.file != nil {
		s.file.Close()
		s.file, s.out = nil, nil
	}
	if s.unlock != nil {
		s.unlock()
		s.unlock = nil
	}
}

// Edit takes the lock, creates what is missing and cuts off what a killed
// writer left half written; whole records beyond the last commit are kept. If
// another process holds the lock it returns a [*LockedError].
func (s *Store) Edit() (err error) {
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	if s.unlock, err = lock(s.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	m, err := loadManifest(s.dir)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, logName)
	if s.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	s.out = s.file
	if err := s.salvage(m); err != nil {
		return err
	}
	// Beyond the commit is what a killed writer had begun with.
	s.complete = m.Complete && s.log.end <= m.Committed
	s.end = s.log.end
	s.count = uint32(len(s.log.segments))
	s.shadow = nil
	for i, seg := range s.log.segments {
		if !s.log.dropped[i] {
			s.shadow = append(s.shadow, &editing{uint32(i), int64(seg.Tokens()), int64(len(seg.Text)), seg.Done(), seg})
		}
	}
	if s.end == 0 {
		return s.writeHead()
	}
	return nil
}

// salvage maps the whole log, keeps its whole records and truncates the rest.
func (s *Store) salvage(m manifest) error {
	fi, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	path := filepath.Join(s.dir, logName)
	if fi.Size() < m.Committed {
		return &FormatError{path, fi.Size(), fmt.Sprintf("the file ends here; %d bytes were committed", m.Committed)}
	}
	data, unmap, err := mapFile(s.file, fi.Size())
	if err != nil {
		return err
	}
	found := contents{}
	scanErr := found.scan(data, min(int64(len(s.data)), m.Committed))
	if scanErr != nil && found.end < m.Committed {
		return errors.Join(&FormatError{path, found.end, scanErr.Error()}, unmap())
	}
	if err := s.forget(); err != nil {
		return err
	}
	s.data, s.unmap, s.log = data, unmap, found
	if found.end > 0 {
		if err := s.checkModel(); err != nil {
			return err
		}
	}
	if err := s.file.Truncate(found.end); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	return nil
}

func (s *Store) writeHead() error {
	payload := s.id.Fingerprint + "\n" + s.id.Name
	return s.write(record{
		kind: kindHead, payload: int64(len(payload)), count: formatVersion,
		first: int64(s.id.DK) | int64(s.id.DV)<<32,
	}, func(b []byte) { copy(b, payload) })
}

// write appends a record. On failure the log is cut back to whole records.
func (s *Store) write(r record, fill func([]byte)) error {
	if s.out == nil {
		panic("kvcache: append outside Edit")
	}
	s.buf = seal(s.buf, r, fill)
	if _, err := s.out.WriteAt(s.buf, s.end); err != nil {
		// Best effort: a torn record is also cut off by the next Edit.
		s.file.Truncate(s.end)
		return fmt.Errorf("kvcache: %w", err)
	}
	s.end += int64(len(s.buf))
	if cap(s.buf) > 1<<22 {
		s.buf = nil // a long text's buffer is not worth keeping
	}
	return nil
}

// Begin starts a segment and stores its text and notes.
func (s *Store) Begin(source string, hash [32]byte, text, notes []byte) error {
	if len(source) > maxSource {
		return fmt.Errorf("kvcache: name of %d bytes, at most %d fit", len(source), maxSource)
	}
	r := record{kind: kindSegment, segment: s.count, offset: int64(len(text)), line: int64(len(notes)), payload: int64(36 + len(source) + len(text) + len(notes))}
	err := s.write(r, func(b []byte) {
		copy(b, hash[:])
		binary.LittleEndian.PutUint32(b[32:], uint32(len(source)))
		copy(b[36:], source)
		copy(b[36+len(source):], text)
		copy(b[36+len(source)+len(text):], notes)
	})
	if err != nil {
		return err
	}
	s.shadow = append(s.shadow, &editing{number: s.count, text: int64(len(text))})
	s.count++
	return nil
}

// Append adds a block to the last segment, which may be one that an earlier
// process left unfinished. The run is copied.
func (s *Store) Append(b Block) error {
	e := s.shadow[len(s.shadow)-1]
	if e.done || e.tokens != int64(b.First) {
		panic(fmt.Sprintf("kvcache: block at token %d appended after %d", b.First, e.tokens))
	}
	r := record{
		kind: kindBlock, segment: e.number, count: uint32(b.Run.N), first: int64(b.First),
		offset: b.Offset, line: int64(b.Line), last: b.Last,
		payload: int64(BlockBytes(b.Run.N, s.id.DK, s.id.DV)),
	}
	if err := s.write(r, func(p []byte) { putRun(p, b.Run) }); err != nil {
		return err
	}
	e.tokens += int64(b.Run.N)
	e.done = b.Last
	if time.Since(s.committed) < commitEvery {
		return nil
	}
	return s.Commit()
}

// Drop marks a segment, one of Segments after Edit, as no longer part of the
// context. Its bytes stay in the log.
func (s *Store) Drop(seg *Segment) error {
	for i, e := range s.shadow {
		if e.seg != nil && e.seg == seg {
			if err := s.write(record{kind: kindDrop, segment: e.number}, func([]byte) {}); err != nil {
				return err
			}
			s.shadow = append(s.shadow[:i:i], s.shadow[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("kvcache: %s: not a segment of this context", seg.Source)
}

// Commit makes everything appended survive a power cut, and known as not yet
// complete.
func (s *Store) Commit() error { return s.commit(false) }

func (s *Store) commit(complete bool) error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("kvcache: %w", err)
	}
	m := manifest{
		Format: formatName, Version: formatVersion,
		Model: s.id.Name, Fingerprint: s.id.Fingerprint,
		Committed: s.end, Segments: len(s.shadow), Complete: complete,
	}
	for _, e := range s.shadow {
		m.Tokens += e.tokens
		m.Text += e.text
		m.Complete = m.Complete && e.done
	}
	if err := m.save(s.dir); err != nil {
		return err
	}
	s.complete, s.committed = m.Complete, time.Now()
	return nil
}

// Finish commits, releases the lock and shows what was appended; complete says
// that nothing is missing. Views taken before are invalid afterwards.
func (s *Store) Finish(complete bool) error {
	err := s.commit(complete)
	end := s.end
	s.release()
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return s.load(end, end) // written by this process: no need to verify again
}
