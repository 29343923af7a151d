package speech

import (
	"bytes"
	"compress/flate"
	"reflect"
	"strings"
	"testing"
)

func someLexicon() *Lexicon {
	l := NewLexicon([]string{"to", "two", "tea"}, []string{"en", "en-us"})
	l.Add(0, []uint8{62, 66}, 1, false)
	l.Add(0, []uint8{62, 66}, 2, false)
	l.Add(0, []uint8{62, 5}, 2, true)
	l.Add(1, []uint8{62, 66}, 2, false)
	l.Add(1, []uint8{62, 5}, 1, false)
	return l
}

func packed(t testing.TB, plain string) []byte {
	t.Helper()
	out := bytes.NewBufferString(lexiconMagic)
	z, err := flate.NewWriter(out, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(plain)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLexiconRoundTrip(t *testing.T) {
	l := someLexicon()
	data, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseLexicon(data)
	if err != nil {
		t.Fatal(err)
	}
	again.forms[2] = nil // none
	if !reflect.DeepEqual(l, again) {
		t.Errorf("read %+v, wrote %+v", again, l)
	}
	if want := []Form{{[]uint8{62, 66}, 3, 0}, {[]uint8{62, 5}, 0, 2}}; !reflect.DeepEqual(again.Forms("to"), want) {
		t.Errorf("to: %v, want %v", again.Forms("to"), want)
	}
	if !l.Homophones("to", "two") || l.Homophones("to", "tea") || l.Homophones("two", "nothing") {
		t.Error("homophones are wrong")
	}
}

func TestHomophonesInOneAccent(t *testing.T) {
	l := NewLexicon([]string{"a", "b"}, []string{"x", "y"})
	l.Add(0, []uint8{1}, 1, false)
	l.Add(1, []uint8{1}, 2, false)
	if l.Homophones("a", "b") {
		t.Error("the same in two accents is not the same in one")
	}
	l.Add(1, []uint8{1}, 1, true)
	if l.Homophones("a", "b") {
		t.Error("within other words is not alone")
	}
}

func TestBrokenLexicon(t *testing.T) {
	good, err := someLexicon().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"magic":         {[]byte("hslexic9"), "version"},
		"cut":           {good[:len(good)-3], "EOF"},
		"accents":       {packed(t, "\x21"), "accents"},
		"words":         {packed(t, "\x00\x7f"), "words"},
		"word":          {packed(t, "\x00\x01\x09ab"), "word"},
		"twice":         {packed(t, "\x00\x02\x01a\x00\x01a\x00"), "twice"},
		"unknown phone": {packed(t, "\x01\x01e\x01\x01a\x01\x01\x00\x01\xfa"), "phone 250"},
		"no accent":     {packed(t, "\x01\x01e\x01\x01a\x01\x02\x00\x01\x01"), "accents of a form"},
		"more follows":  {packed(t, "\x00\x00\x00"), "too many"},
	} {
		if _, err := ParseLexicon(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzLexicon(f *testing.F) {
	f.Add("\x00\x00")
	f.Add("\x01\x01e\x01\x01a\x01\x01\x00\x01\x05")
	f.Add("\x02\x02en\x02us\x02\x02to\x02\x03\x00\x02\x05\x06\x00\x02\x01\x07\x03two\x01\x02\x00\x02\x05\x06")
	// The fuzzer would not get through the compression.
	f.Fuzz(func(t *testing.T, plain string) {
		l, err := ParseLexicon(packed(t, plain))
		if err != nil {
			return
		}
		data, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseLexicon(data)
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Errorf("written again: %v, %+v; read %+v", err, again, l)
		}
	})
}
