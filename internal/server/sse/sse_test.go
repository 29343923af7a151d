package sse

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	rec := httptest.NewRecorder()
	w := NewWriter(rec)
	if w.Sent() {
		t.Fatal("sent before the first event")
	}
	for _, err := range []error{w.Data(map[string]int{"a": 1}), w.Comment("busy"), w.Event("done", "x\ny"), w.Text("[DONE]")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := "data: {\"a\":1}\n\n: busy\n\nevent: done\ndata: \"x\\ny\"\n\ndata: [DONE]\n\n"
	if got := rec.Body.String(); got != want {
		t.Fatalf("wrote %q, want %q", got, want)
	}
	r := NewReader(rec.Body)
	for _, e := range [][2]string{{"", `{"a":1}`}, {"done", `"x\ny"`}, {"", "[DONE]"}} {
		name, data, err := r.Next()
		if err != nil || name != e[0] || string(data) != e[1] {
			t.Fatalf("read %q %q %v, want %q", name, data, err, e)
		}
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
}

func TestReaderJoinsAndComplains(t *testing.T) {
	r := NewReader(strings.NewReader("retry: 3\r\ndata: a\r\ndata: b\r\n\r\ndata: cut"))
	if _, data, err := r.Next(); err != nil || string(data) != "a\nb" {
		t.Fatalf("%q %v", data, err)
	}
	if _, _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a cut event: %v", err)
	}
}
