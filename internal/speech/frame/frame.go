package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxBytes bounds a frame: twenty minutes of speech.
const MaxBytes = 64 << 20

const magic = "spk1"

// A Request asks for a text in a voice.
type Request struct {
	Voice string `json:"voice"` // espeak's name, such as "en-us+f3"
	Rate  int    `json:"rate"`  // words a minute, 80 to 450
	Pitch int    `json:"pitch"` // 0 to 99
	Range int    `json:"range"` // of the pitch, 0 to 99
	Text  string `json:"text"`
	// Silent asks for phones alone, without their times: it is much faster.
	Silent bool `json:"silent,omitempty"`
}

// An Answer is speech, or the reason why there is none.
type Answer struct {
	Error  string
	Rate   int // samples a second
	Words  []Word
	Phones []Phone
	PCM    []int16
}

// A Word is where one begins.
type Word struct {
	Phone          int // the first of its phones
	Offset, Length int // bytes of the text
}

// A Phone is a phoneme as the synthesiser names it, or a pause.
type Phone struct {
	Start int // milliseconds
	Name  string
}

// Write sends an answer.
func Write(w io.Writer, a *Answer) error {
	b := make([]byte, 8, 64+len(a.Error)+12*len(a.Words)+16*len(a.Phones)+2*len(a.PCM))
	put := func(n int) { b = binary.LittleEndian.AppendUint32(b, uint32(n)) }
	put(a.Rate)
	put(len(a.Error))
	b = append(b, a.Error...)
	put(len(a.Words))
	for _, w := range a.Words {
		put(w.Phone)
		put(w.Offset)
		put(w.Length)
	}
	put(len(a.Phones))
	for _, p := range a.Phones {
		put(p.Start)
		if len(p.Name) > 255 {
			return fmt.Errorf("frame: phone of %d bytes: at most 255", len(p.Name))
		}
		b = append(b, byte(len(p.Name)))
		b = append(b, p.Name...)
	}
	put(len(a.PCM))
	for _, s := range a.PCM {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	if len(b)-8 > MaxBytes {
		return fmt.Errorf("frame: %d bytes: at most %d", len(b)-8, MaxBytes)
	}
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	_, err := w.Write(b)
	return err
}

// Read takes the next answer. At the end of the stream, between two frames, the
// error is io.EOF.
func Read(r io.Reader) (*Answer, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("frame: header: %w", err)
	}
	if string(head[:4]) != magic {
		return nil, fmt.Errorf("frame: header %q: want %q", head[:4], magic)
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n > MaxBytes {
		return nil, fmt.Errorf("frame: %d bytes: at most %d", n, MaxBytes)
	}
	// The buffer grows with what comes, not with what the header claims.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("frame: %d of %d bytes: %w", body.Len(), n, err)
	}
	d := decoder{b: body.Bytes()}
	a := d.answer()
	if d.err != nil {
		return nil, d.err
	}
	return a, nil
}

// decoder reads a frame's fields; after the first error it returns zeroes.
type decoder struct {
	b   []byte
	at  int
	err error
}

func (d *decoder) answer() *Answer {
	a := &Answer{Rate: d.uint32("rate")}
	a.Error = string(d.take("error", d.uint32("length of the error")))
	a.Words = make([]Word, d.count("words", 12))
	for i := range a.Words {
		a.Words[i] = Word{d.uint32("word"), d.uint32("word"), d.uint32("word")}
	}
	a.Phones = make([]Phone, d.count("phones", 5))
	for i := range a.Phones {
		a.Phones[i].Start = d.uint32("phone")
		if n := d.take("phone", 1); d.err == nil {
			a.Phones[i].Name = string(d.take("phone", int(n[0])))
		}
	}
	a.PCM = make([]int16, d.count("samples", 2))
	for i, b := 0, d.take("samples", 2*len(a.PCM)); i < len(b)/2; i++ {
		a.PCM[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	if d.err == nil && d.at != len(d.b) {
		d.err = fmt.Errorf("frame: byte %d: %d bytes too many", d.at, len(d.b)-d.at)
	}
	return a
}

func (d *decoder) take(what string, n int) []byte {
	if d.err == nil && n > len(d.b)-d.at {
		d.err = fmt.Errorf("frame: byte %d: %s: %d bytes, but %d are left", d.at, what, n, len(d.b)-d.at)
	}
	if d.err != nil {
		return nil
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) uint32(what string) int {
	b := d.take(what, 4)
	if b == nil {
		return 0
	}
	// A number beyond 31 bits fits no frame; int holds it on 64-bit machines.
	return int(binary.LittleEndian.Uint32(b))
}

// count reads how many items of at least size bytes follow.
func (d *decoder) count(what string, size int) int {
	at, n := d.at, d.uint32(what)
	if d.err == nil && n > (len(d.b)-d.at)/size {
		d.err = fmt.Errorf("frame: byte %d: %d %s, but %d bytes are left", at, n, what, len(d.b)-d.at)
	}
	if d.err != nil {
		return 0
	}
	return n
}
