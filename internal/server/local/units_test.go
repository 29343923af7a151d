package local

import (
	"archive/zip"
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// archive is a zip with a text and n members that cannot be read.
func archive(t *testing.T, text string, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	members := map[string]string{"notes.txt": text}
	for i := range n {
		members[fmt.Sprintf("%02d.bin", i)] = "\x00\x01\x02\x03 no text"
	}
	for name, content := range members {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is left out of a file is told whenever the file is in a prompt: also when it
// was read before, by another process, or into a stored context.
func TestSkippedIsTold(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	data := archive(t, haystack(1, 18<<10, gateLine), 2)
	check := func(what, source string, got backend.Skipped) {
		t.Helper()
		if got.Count != 2 || len(got.Files) != 2 {
			t.Errorf("%s: %+v", what, got)
			return
		}
		for _, f := range got.Files {
			if !strings.HasPrefix(f.Source, source) || !strings.HasSuffix(f.Source, ".bin") || f.Reason == "" || strings.Contains(f.Source+f.Reason, dir) {
				t.Errorf("%s: %+v", what, f)
			}
		}
	}
	r := request(backend.Part{Data: data, Name: "inline.zip"}, text(gateAsk))
	check("data", "inline.zip", generate(t, b, r).Skipped)
	check("data again", "inline.zip", generate(t, b, r).Skipped)
	f := send(t, b, "", "sent.zip", data)
	r = request(backend.Part{File: f.ID}, text(gateAsk))
	check("a file", "sent.zip", generate(t, b, r).Skipped)
	s, err := b.Store(t.Context(), backend.NewStored{Model: "handscroll", Messages: say(backend.Part{File: f.ID})}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check("a stored context", "sent.zip", s.Skipped)
	b.crash()
	b = open(t, Options{Dir: dir})
	check("a file, after a crash", "sent.zip", generate(t, b, r).Skipped)
	r = request(text(gateAsk))
	r.Context = s.ID
	check("a stored context, asked after a crash", "sent.zip", generate(t, b, r).Skipped)
	if s, err = b.Stored(t.Context(), "", s.ID); err != nil {
		t.Fatal(err)
	}
	check("a stored context, after a crash", "sent.zip", s.Skipped)
	if got := generate(t, b, request(text(haystack(2, 1<<10, gateLine)), text(gateAsk))).Skipped; got.Count != 0 {
		t.Errorf("a prompt without files: %+v", got)
	}
	// Many are counted, a few named.
	got := generate(t, b, request(backend.Part{Data: archive(t, gateLine, 25)}, text(gateAsk))).Skipped
	if got.Count != 25 || len(got.Files) != backend.MaxSkipped {
		t.Errorf("of many: %+v", got)
	}
}

func TestSkippedIsToldByWeights(t *testing.T) {
	b := openTiny(t, Options{})
	data := archive(t, "The river is wide.", 3)
	r := tinyRequest(backend.Part{Data: data, Name: "a.zip"}, text("Tell me of the river."))
	first := generate(t, b, r).Skipped
	if first.Count != 3 {
		t.Errorf("%+v", first)
	}
	s, err := b.Store(t.Context(), backend.NewStored{Model: "tiny", Messages: say(backend.Part{Data: data, Name: "a.zip"})}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r = tinyRequest(text("Tell me of the river."))
	r.Context = s.ID
	if again := generate(t, b, r).Skipped; !reflect.DeepEqual(again, first) || !reflect.DeepEqual(s.Skipped, first) {
		t.Errorf("stored %+v, asked %+v, want %+v", s.Skipped, again, first)
	}
}
