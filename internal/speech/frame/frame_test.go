package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func whole() *Answer {
	return &Answer{
		Rate:   22050,
		Words:  []Word{{0, 0, 3}, {2, 4, 6}},
		Phones: []Phone{{11, "D"}, {58, "@2"}, {123, "s"}},
		PCM:    []int16{0, 1, -1, 32767, -32768},
	}
}

func encoded(t testing.TB, a *Answer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	var stream bytes.Buffer
	answers := []*Answer{whole(), {Rate: 1, Error: "no", Words: []Word{}, Phones: []Phone{}, PCM: []int16{}}}
	for _, a := range answers {
		stream.Write(encoded(t, a))
	}
	for _, want := range answers {
		got, err := Read(&stream)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, wrote %+v", got, want)
		}
	}
	if _, err := Read(&stream); err != io.EOF {
		t.Errorf("after the last frame: %v, want EOF", err)
	}
}

func TestWriteRefusesALongName(t *testing.T) {
	if err := Write(io.Discard, &Answer{Phones: []Phone{{0, strings.Repeat("x", 256)}}}); err == nil {
		t.Error("no error")
	}
}

func TestBroken(t *testing.T) {
	good := encoded(t, whole())
	change := func(at int, to uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], to)
		return b
	}
	longer := append(bytes.Clone(good), 0)
	binary.LittleEndian.PutUint32(longer[4:], uint32(len(longer)-8))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"magic":              {change(0, 0), "header"},
		"too long":           {change(4, MaxBytes+1), "at most"},
		"shorter than it is": {change(4, 20), "left"},
		"error":              {change(12, 1<<31), "error"},
		"words":              {change(16, 1<<30), "words"},
		"more follows":       {longer, "too many"},
	} {
		if _, err := Read(bytes.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for n := 1; n < len(good); n++ {
		if _, err := Read(bytes.NewReader(good[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encoded(f, whole()))
	f.Add(encoded(f, &Answer{Error: "voice"}))
	f.Add([]byte("spk1\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		again := encoded(t, a)
		if !bytes.Equal(again, data[:len(again)]) {
			t.Errorf("written again: %x, read %x", again, data)
		}
	})
}
