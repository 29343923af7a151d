package kvcache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var testID = Identity{Name: "test", Fingerprint: strings.Repeat("ab", 32), DK: testDK, DV: testDV}

// script is a reproducible history of appends.
type script []func(s *Store) error

func newScript(seed uint64, segments int) script {
	rng := rand.New(rand.NewPCG(seed, 0))
	var out script
	for i := range segments {
		text := []byte(strings.Repeat("line\n", 10+rng.IntN(300)))
		source := "file" + string(rune('a'+i%26))
		out = append(out, func(s *Store) error { return s.Begin(source, sha256.Sum256(text), text, nil) })
		blocks := 1 + rng.IntN(4)
		first := 0
		for j := range blocks {
			b := Block{First: first, Offset: int64(j * 10), Line: j * 2, Last: j == blocks-1, Run: randomRun(rng, 1+rng.IntN(70))}
			first += b.Run.N
			out = append(out, func(s *Store) error { return s.Append(b) })
		}
	}
	return out
}

// play runs the steps from the given one on between Edit and Finish.
func play(t *testing.T, dir string, steps script) {
	t.Helper()
	s := edit(t, dir)
	for i, step := range steps {
		if err := step(s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if err := s.Finish(true); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, testID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Edit(); err != nil {
		t.Fatal(err)
	}
	return s
}

func readLog(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStoreKeepsWhatMemoryKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "ctx")
	rng := rand.New(rand.NewPCG(7, 7))
	var m Memory
	s := edit(t, dir)
	for i := range 5 {
		text := bytes.Repeat([]byte("text\n"), i+1)
		for _, to := range []interface {
			Begin(string, [32]byte, []byte, []byte) error
		}{&m, s} {
			if err := to.Begin("f", sha256.Sum256(text), text, nil); err != nil {
				t.Fatal(err)
			}
		}
		b := Block{Last: true, Run: randomRun(rng, 1+i*33)}
		if err := errors.Join(m.Append(b), s.Append(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(true); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Segments()) != 5 {
		t.Fatalf("%d segments", len(s.Segments()))
	}
	for i, want := range m.Segments() {
		got := s.Segments()[i]
		if got.Source != want.Source || got.Hash != want.Hash || !bytes.Equal(got.Text, want.Text) || !got.Done() {
			t.Errorf("segment %d: %q, %d bytes, done %v", i, got.Source, len(got.Text), got.Done())
		}
		sameRun(t, got.Blocks[0].Run, want.Blocks[0].Run)
	}
	list, err := List(filepath.Dir(dir))
	if err != nil || len(list) != 1 || list[0].Name != "ctx" || list[0].Segments != 5 || !list[0].Complete || list[0].Tokens != int64(1+34+67+100+133) {
		t.Errorf("List: %+v, %v", list, err)
	}
}

func sameRun(t *testing.T, got, want Run) {
	t.Helper()
	a, b := make([]byte, BlockBytes(got.N, got.DK, got.DV)), make([]byte, BlockBytes(want.N, want.DK, want.DV))
	putRun(a, got)
	putRun(b, want)
	if !bytes.Equal(a, b) {
		t.Errorf("runs of %d and %d tokens differ", got.N, want.N)
	}
}

// A writer killed at any point leaves a log whose whole records survive; going
// on from there gives the same bytes.
func TestInterruptedWriterLosesNoWholeRecord(t *testing.T) {
	steps := newScript(3, 6)
	ref := filepath.Join(t.TempDir(), "ref")
	play(t, ref, steps)
	want := readLog(t, ref)
	rng := rand.New(rand.NewPCG(11, 0))
	for range 60 {
		dir := filepath.Join(t.TempDir(), "ctx")
		k := rng.IntN(len(steps))
		s := edit(t, dir)
		for _, step := range steps[:k] {
			if err := step(s); err != nil {
				t.Fatal(err)
			}
		}
		// Killed inside the next write: some of it is in the file.
		whole := s.end
		s.release()
		s.Close()
		log := readLog(t, dir)
		if int64(len(log)) != whole || !bytes.Equal(log, want[:whole]) {
			t.Fatalf("after %d steps: %d bytes, want %d", k, len(log), whole)
		}
		next := want[whole:min(int64(len(want)), whole+int64(rng.IntN(300)))]
		if err := os.WriteFile(filepath.Join(dir, logName), append(log, next...), 0o666); err != nil {
			t.Fatal(err)
		}
		s = edit(t, dir)
		if s.end < whole {
			t.Fatalf("whole records lost: %d bytes of %d", s.end, whole)
		}
		// Which step comes next follows from what survived.
		done := 0
		for i, seg := range s.log.segments {
			_ = i
			done += 1 + len(seg.Blocks)
		}
		for _, step := range steps[done:] {
			if err := step(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Finish(true); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if !bytes.Equal(readLog(t, dir), want) {
			t.Fatalf("killed after %d steps and %d bytes: another log", k, len(next))
		}
	}
}

func TestTruncatedStoreIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	play(t, dir, newScript(4, 3))
	log := readLog(t, dir)
	for _, n := range []int{0, 1, 63, 64, len(log) / 2, len(log) - 64, len(log) - 1} {
		if err := os.WriteFile(filepath.Join(dir, logName), log[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, testID)
		var fe *FormatError
		if !errors.As(err, &fe) || fe.Offset != int64(n) || filepath.Base(fe.File) != logName {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	os.Remove(filepath.Join(dir, logName))
	if _, err := Open(dir, testID); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("without the log: %v", err)
	}
}

func TestCorruptedStoreIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	play(t, dir, newScript(5, 3))
	log := readLog(t, dir)
	rng := rand.New(rand.NewPCG(9, 0))
	for range 300 {
		at := rng.IntN(len(log))
		bad := bytes.Clone(log)
		bad[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(filepath.Join(dir, logName), bad, 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, testID)
		var fe *FormatError
		if !errors.As(err, &fe) {
			// Padding between payload and next record carries nothing.
			if r := padding(log, at); r {
				continue
			}
			t.Fatalf("bit of byte %d flipped: %v", at, err)
		}
		if fe.Offset > int64(at) {
			t.Errorf("byte %d damaged, reported at %d", at, fe.Offset)
		}
		s := &Store{dir: dir, id: testID}
		if err := s.Edit(); !errors.As(err, &fe) {
			t.Fatalf("Edit accepts it: %v", err)
		}
	}
}

// padding reports whether byte at of log belongs to no header and no payload.
func padding(log []byte, at int) bool {
	for off := int64(0); off < int64(len(log)); {
		r, err := readRecord(log, off)
		if err != nil {
			return false
		}
		if int64(at) < off+r.size() {
			return int64(at) >= off+headerBytes+r.payload
		}
		off += r.size()
	}
	return false
}

func TestDamagedManifestIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	play(t, dir, newScript(5, 1))
	for _, text := range []string{"", "{", `{"format":"other"}`, `{"format":"handscroll context","version":99}`, `{"format":"handscroll context","version":1,"committed":-5}`} {
		if err := os.WriteFile(filepath.Join(dir, manifestName), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		var fe *FormatError
		if _, err := Open(dir, testID); !errors.As(err, &fe) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOtherModelIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	play(t, dir, newScript(5, 1))
	other := testID
	other.Name, other.Fingerprint = "newer", strings.Repeat("cd", 32)
	_, err := Open(dir, other)
	var me *ModelError
	if !errors.As(err, &me) || !strings.Contains(err.Error(), "test (abab") || !strings.Contains(err.Error(), "newer (cdcd") {
		t.Errorf("error names not both models: %v", err)
	}
	s, err := Open(dir, Identity{})
	if err != nil || s.Identity() != testID {
		t.Errorf("any model: %v", err)
	}
	renamed := testID
	renamed.Name = "same file, another name"
	if _, err := Open(dir, renamed); err != nil {
		t.Errorf("renamed model: %v", err)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	a := edit(t, dir)
	b, err := Open(dir, testID)
	if err != nil {
		t.Fatal(err)
	}
	var le *LockedError
	if err := b.Edit(); !errors.As(err, &le) {
		t.Errorf("second writer: %v", err)
	}
	if err := Remove(dir); !errors.As(err, &le) {
		t.Errorf("removed under a writer: %v", err)
	}
	if err := a.Finish(true); err != nil {
		t.Fatal(err)
	}
	if err := b.Edit(); err != nil {
		t.Errorf("after the first has finished: %v", err)
	}
	b.Close()
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("directory after Remove: %v", err)
	}
}

func TestRemoveKeepsOtherFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	play(t, dir, newScript(5, 1))
	mine := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(mine, []byte("years of work"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); err == nil {
		t.Error("no error with a foreign file in the directory")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

// flaky fails after a number of bytes, in the middle of a write.
type flaky struct {
	io.WriterAt
	left int
}

func (d *flaky) WriteAt(p []byte, at int64) (int, error) {
	if len(p) <= d.left {
		d.left -= len(p)
		return d.WriterAt.WriteAt(p, at)
	}
	n, _ := d.WriterAt.WriteAt(p[:d.left], at)
	d.left = 0
	return n, &os.PathError{Op: "write", Path: logName, Err: syscall.ENOSPC}
}

func TestFullDiskLeavesAValidStore(t *testing.T) {
	steps := newScript(6, 5)
	ref := filepath.Join(t.TempDir(), "ref")
	play(t, ref, steps)
	want := readLog(t, ref)
	for room := 100; room < len(want); room += len(want) / 23 {
		dir := filepath.Join(t.TempDir(), "ctx")
		s := edit(t, dir)
		s.out = &flaky{s.out, room}
		done := 0
		var err error
		for _, step := range steps {
			if err = step(s); err != nil {
				break
			}
			done++
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%d bytes of room: %v", room, err)
		}
		if err := s.Finish(true); err != nil {
			t.Fatalf("finish: %v", err)
		}
		s.Close()
		play(t, dir, steps[done:])
		if !bytes.Equal(readLog(t, dir), want) {
			t.Fatalf("%d bytes of room: another log after going on", room)
		}
	}
}

// A context is complete when its writer says so, not when it stops at the end
// of a segment.
func TestCompleteness(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	check := func(what string, want bool) {
		t.Helper()
		s, err := Open(dir, testID)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		list, err := List(filepath.Dir(dir))
		if err != nil || s.Complete() != want || len(list) != 1 || list[0].Complete != want {
			t.Errorf("%s: complete %v, listed %+v, %v", what, s.Complete(), list, err)
		}
	}
	append := func(step script, end func(*Store) error) {
		t.Helper()
		s := edit(t, dir)
		for _, step := range step {
			if err := step(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := end(s); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	first, second := newScript(1, 1), newScript(2, 1)
	append(first, (*Store).Commit)
	check("killed after a segment", false)
	append(nil, func(s *Store) error { return s.Finish(s.Complete()) })
	check("nothing done since", false)
	append(nil, func(s *Store) error { return s.Finish(true) })
	check("finished", true)
	append(second[:1], func(s *Store) error { return s.Finish(true) })
	check("a segment begun", false)
	append(second[1:], func(s *Store) error { return s.Finish(true) })
	check("and ended", true)
}

func TestDropHidesASegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ctx")
	play(t, dir, newScript(8, 3))
	s := edit(t, dir)
	if err := s.Drop(s.Segments()[1]); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(&Segment{Source: "stranger"}); err == nil {
		t.Error("a stranger dropped")
	}
	if err := s.Finish(true); err != nil {
		t.Fatal(err)
	}
	check := func(s *Store) {
		t.Helper()
		got := s.Segments()
		if len(got) != 2 || got[0].Source != "filea" || got[1].Source != "filec" {
			t.Errorf("%d segments", len(got))
		}
	}
	check(s)
	s.Close()
	s, err := Open(dir, testID)
	if err != nil {
		t.Fatal(err)
	}
	check(s)
	s.Close()
}

// FuzzScan feeds damaged logs with valid checksums: no panic, and what is
// accepted is consistent.
func FuzzScan(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "ctx")
	s, err := Open(dir, testID)
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Edit(); err != nil {
		f.Fatal(err)
	}
	for _, step := range newScript(1, 2) {
		if err := step(s); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Finish(true); err != nil {
		f.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(log, uint16(0), uint8(0), uint64(0))
	f.Add(log, uint16(1), uint8(20), uint64(1<<40))
	f.Add(log, uint16(2), uint8(24), ^uint64(0))
	f.Fuzz(func(t *testing.T, log []byte, index uint16, field uint8, value uint64) {
		// Change a header's field and make its checksum right again.
		aligned := NewBlock(len(log)/12+64, testDK, testDV)[:0]
		data := append(aligned, log...)
		at := int64(0)
		for range index % 8 {
			r, err := readRecord(data, at)
			if err != nil {
				return
			}
			at += r.size()
		}
		if r, err := readRecord(data, at); err == nil {
			switch field % 6 {
			case 0:
				r.segment = uint32(value)
			case 1:
				r.count = uint32(value)
			case 2:
				r.first = int64(value)
			case 3:
				r.offset = int64(value)
			case 4:
				r.line = int64(value)
			case 5:
				r.payload = int64(value)
			}
			r.put(data[at:])
		}
		var c contents
		c.scan(data, 0)
		for _, s := range c.segments {
			for _, b := range s.Blocks {
				_ = s.Text[b.Offset:]
				_ = b.Run.ID[b.Run.N-1]
			}
		}
	})
}
