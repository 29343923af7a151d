package speech

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func someBank() *Bank {
	mels := make([]uint8, 7*Mels)
	for i := range mels {
		mels[i] = uint8(i)
	}
	return &Bank{Samples: []Sample{
		{
			Line:   Line{"the code is four two.", Needle{Statement, "code", 12, 20}},
			Voice:  "en+f3",
			Mels:   mels,
			Phones: []PhoneAt{{0, 0}, {5, 1}, {6, 3}, {7, 3}, {0, 7}},
			Words:  []WordAt{{0, 3, 0, 1}, {4, 4, 1, 2}, {9, 2, 2, 3}, {12, 4, 3, 5}, {17, 3, 5, 6}},
		},
		{Line: Line{Text: "no more"}, Voice: "en-us+m1", Mels: mels[:Mels]},
	}}
}

func bankBytes(t testing.TB, b *Bank) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := b.write(&w); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func TestBankRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bank")
	b := someBank()
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := LoadBank(path)
	if err != nil {
		t.Fatal(err)
	}
	b.Samples[1].Mels = b.Samples[1].Mels[:Mels:Mels]
	if !reflect.DeepEqual(b, again) {
		t.Errorf("read %+v, wrote %+v", again, b)
	}
	s := &again.Samples[0]
	if s.Value() != "four two" || s.Word(3) != "four" || s.Frames() != 7 {
		t.Errorf("value %q, word %q, %d frames", s.Value(), s.Word(3), s.Frames())
	}
	if from, to, ok := s.ValueFrames(); from != 3 || to != 6 || !ok {
		t.Errorf("value in frames %d to %d, %v", from, to, ok)
	}
	if _, _, ok := again.Samples[1].ValueFrames(); ok {
		t.Error("a value in prose")
	}
	if names, _ := filepath.Glob(path + "*"); len(names) != 1 {
		t.Errorf("left: %q", names)
	}
	if _, err := LoadBank(path + "x"); err == nil {
		t.Error("no file, no error")
	}
}

func TestBrokenBank(t *testing.T) {
	good := bankBytes(t, someBank())
	for n := range good {
		if _, err := readBank(bytes.NewReader(good[:n])); err == nil {
			t.Errorf("cut to %d of %d bytes: no error", n, len(good))
		}
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x41
		if _, err := readBank(bytes.NewReader(b)); err == nil {
			t.Errorf("byte %d changed: no error", i)
		}
	}
	sealed := func(change func(b *Bank)) []byte {
		b := someBank()
		change(b)
		return bankBytes(t, b)
	}
	version := bytes.Clone(good[:len(good)-4])
	version[len(bankMagic)] = 9
	version = binary.LittleEndian.AppendUint32(version, crc32.Checksum(version, castagnoli))
	for want, data := range map[string][]byte{
		"version 9":          version,
		"more follows":       append(bytes.Clone(good), 0),
		"kind 9":             sealed(func(b *Bank) { b.Samples[0].Needle.Kind = 9 }),
		"value from byte 9":  sealed(func(b *Bank) { b.Samples[0].Needle.From, b.Samples[0].Needle.To = 9, 8 }),
		"phone 200":          sealed(func(b *Bank) { b.Samples[0].Phones[1].ID = 200 }),
		"phone at frame 1 a": sealed(func(b *Bank) { b.Samples[0].Phones[3].Start = 1 }),
		"phone at frame 8":   sealed(func(b *Bank) { b.Samples[0].Phones[4].Start = 8 }),
		"word {Offset:17":    sealed(func(b *Bank) { b.Samples[0].Words[4].Length = 9 }),
		"word to frame 9":    sealed(func(b *Bank) { b.Samples[0].Words[4].End = 9 }),
	} {
		if _, err := readBank(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzBank(f *testing.F) {
	good := bankBytes(f, someBank())
	f.Add(good[:len(good)-4])
	small := &Bank{Samples: []Sample{{Line: Line{Text: "a b", Needle: Needle{Decoy, "k", 2, 3}}, Phones: []PhoneAt{{3, 0}}, Words: []WordAt{{2, 1, 0, 0}}}}}
	good = bankBytes(f, small)
	f.Add(good[:len(good)-4])
	f.Fuzz(func(t *testing.T, data []byte) {
		// The fuzzer would not get past the checksum.
		data = binary.LittleEndian.AppendUint32(bytes.Clone(data), crc32.Checksum(data, castagnoli))
		b, err := readBank(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i := range b.Samples {
			s := &b.Samples[i]
			s.Value()
			s.ValueFrames()
			for w := range s.Words {
				s.Word(w)
			}
		}
	})
}
