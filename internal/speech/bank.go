package speech

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/handscroll/handscroll/internal/disk"
)

// Mels is the number of features of a frame, FrameTime how far frames are apart.
const (
	Mels      = 64
	FrameTime = 10 * time.Millisecond
)

// A Bank is a set of spoken lines. Once made it does not change.
type Bank struct{ Samples []Sample }

// A Sample is a line as it was spoken.
type Sample struct {
	Line
	Voice  string
	Mels   []uint8   // [frames, Mels]
	Phones []PhoneAt // in order; a phone lasts until the next
	Words  []WordAt  // in order
}

// PhoneAt is where a phone begins.
type PhoneAt struct {
	ID    uint8 // see Inventory
	Start int   // frame
}

// WordAt is a word's place in the text, in bytes, and in the sound, in frames.
type WordAt struct{ Offset, Length, Start, End int }

// Frames returns the length.
func (s *Sample) Frames() int { return len(s.Mels) / Mels }

// Word returns the text of a word.
func (s *Sample) Word(i int) string {
	return s.Text[s.Words[i].Offset : s.Words[i].Offset+s.Words[i].Length]
}

// ValueFrames returns the frames in which the needle's value is said; ok is false
// if the sample has none.
func (s *Sample) ValueFrames() (from, to int, ok bool) {
	if s.Needle.To <= s.Needle.From {
		return 0, 0, false
	}
	for _, w := range s.Words {
		if w.Offset < s.Needle.To && w.Offset+w.Length > s.Needle.From {
			if !ok {
				from, ok = w.Start, true
			}
			to = w.End
		}
	}
	return from, to, ok
}

// The file: see docs/formats.md.
const (
	bankMagic   = "hsspeech"
	bankVersion = 1

	// Limits of what is read, so that a damaged file asks for no more memory.
	maxSamples = 1 << 24
	maxText    = 1 << 16
	maxMarks   = 1 << 16
	maxFrames  = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes the bank to a file, whole or not at all.
func (b *Bank) Save(path string) error {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	err = b.write(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(path))
}

func (b *Bank) write(f io.Writer) error {
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	head := []byte(bankMagic)
	for _, n := range []int{bankVersion, Mels, len(Inventory), len(b.Samples)} {
		head = binary.LittleEndian.AppendUint32(head, uint32(n))
	}
	w.Write(head)
	var rec []byte
	for i := range b.Samples {
		rec = b.Samples[i].append(rec[:0])
		w.Write(rec)
		w.Write(b.Samples[i].Mels)
	}
	// The writer keeps its first error until it is flushed.
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := f.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// append writes all but the features.
func (s *Sample) append(b []byte) []byte {
	put := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	text := func(t string) {
		put(len(t))
		b = append(b, t...)
	}
	text(s.Text)
	text(s.Voice)
	b = append(b, byte(s.Needle.Kind))
	text(s.Needle.Key)
	put(s.Needle.From)
	put(s.Needle.To)
	put(len(s.Phones))
	for _, p := range s.Phones {
		b = append(b, p.ID)
		put(p.Start)
	}
	put(len(s.Words))
	for _, w := range s.Words {
		put(w.Offset)
		put(w.Length)
		put(w.Start)
		put(w.End)
	}
	put(s.Frames())
	return b
}

// LoadBank reads a file that Save wrote.
func LoadBank(path string) (*Bank, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readBank(f)
	if err != nil {
		return nil, fmt.Errorf("speech: %s: %w", path, err)
	}
	return b, nil
}

func readBank(f io.Reader) (*Bank, error) {
	r := &bankReader{r: bufio.NewReaderSize(f, 1<<20)}
	head := r.bytes("header", len(bankMagic)+16)
	if r.err != nil {
		return nil, r.err
	}
	if string(head[:len(bankMagic)]) != bankMagic {
		return nil, errors.New("not a speech bank")
	}
	field := func(i int) int { return int(binary.LittleEndian.Uint32(head[len(bankMagic)+4*i:])) }
	if v := field(0); v != bankVersion {
		return nil, fmt.Errorf("version %d of the format: this program reads %d; build the bank again", v, bankVersion)
	}
	if n := field(1); n != Mels {
		return nil, fmt.Errorf("%d mels: want %d", n, Mels)
	}
	if n := field(2); n > len(Inventory) {
		return nil, fmt.Errorf("%d phones: this program knows %d", n, len(Inventory))
	}
	n := field(3)
	if n > maxSamples {
		return nil, fmt.Errorf("%d samples: at most %d", n, maxSamples)
	}
	b := &Bank{}
	for i := range n {
		s := r.sample()
		if r.err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, r.err)
		}
		b.Samples = append(b.Samples, s)
	}
	want := r.sum
	if sum := r.bytes("checksum", 4); r.err == nil && binary.LittleEndian.Uint32(sum) != want {
		r.fail("checksum differs: the file is damaged")
	}
	if _, err := r.r.ReadByte(); r.err == nil && !errors.Is(err, io.EOF) {
		r.fail("more follows the last sample")
	}
	return b, r.err
}

// bankReader reads a file's fields; after the first error it returns zeroes.
type bankReader struct {
	r   *bufio.Reader
	at  int64
	sum uint32
	err error
}

func (r *bankReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("offset %d: %s", r.at, fmt.Sprintf(format, args...))
	}
}

func (r *bankReader) bytes(what string, n int) []byte {
	if r.err != nil {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.r, b); err != nil {
		r.fail("%s: %v", what, err)
		return nil
	}
	r.sum = crc32.Update(r.sum, castagnoli, b)
	r.at += int64(n)
	return b
}

// ReadByte serves binary.ReadUvarint.
func (r *bankReader) ReadByte() (byte, error) {
	c, err := r.r.ReadByte()
	if err == nil {
		r.sum = crc32.Update(r.sum, castagnoli, []byte{c})
		r.at++
	}
	return c, err
}

func (r *bankReader) int(what string, most int) int {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		r.fail("%s: %v", what, err)
		return 0
	}
	if n > uint64(most) {
		r.fail("%s: %d: at most %d", what, n, most)
		return 0
	}
	return int(n)
}

func (r *bankReader) text(what string) string {
	return string(r.bytes(what, r.int(what, maxText)))
}

func (r *bankReader) sample() Sample {
	var s Sample
	s.Text, s.Voice = r.text("text"), r.text("voice")
	if kind := r.bytes("kind", 1); r.err == nil {
		if s.Needle.Kind = Kind(kind[0]); s.Needle.Kind >= kinds {
			r.fail("kind %d is unknown", kind[0])
		}
	}
	s.Needle.Key = r.text("key")
	s.Needle.From = r.int("value", len(s.Text))
	if s.Needle.To = r.int("value", len(s.Text)); s.Needle.To < s.Needle.From {
		r.fail("value from byte %d to %d", s.Needle.From, s.Needle.To)
	}
	for range r.int("phones", maxMarks) {
		id := r.bytes("phone", 1)
		p := PhoneAt{Start: r.int("phone", maxFrames)}
		if r.err != nil {
			return s
		}
		if p.ID = id[0]; int(p.ID) >= len(Inventory) {
			r.fail("phone %d is unknown", p.ID)
		}
		if n := len(s.Phones); n > 0 && p.Start < s.Phones[n-1].Start {
			r.fail("phone at frame %d after one at %d", p.Start, s.Phones[n-1].Start)
		}
		s.Phones = append(s.Phones, p)
	}
	for range r.int("words", maxMarks) {
		w := WordAt{r.int("word", len(s.Text)), r.int("word", len(s.Text)), r.int("word", maxFrames), r.int("word", maxFrames)}
		if w.Offset+w.Length > len(s.Text) || w.Start > w.End {
			r.fail("word %+v of a text of %d bytes", w, len(s.Text))
		}
		if r.err != nil {
			return s
		}
		s.Words = append(s.Words, w)
	}
	frames := r.int("frames", maxFrames)
	s.Mels = r.bytes("features", frames*Mels)
	for _, p := range s.Phones {
		if p.Start > frames {
			r.fail("phone at frame %d of %d", p.Start, frames)
		}
	}
	for _, w := range s.Words {
		if w.End > frames {
			r.fail("word to frame %d of %d", w.End, frames)
		}
	}
	return s
}
