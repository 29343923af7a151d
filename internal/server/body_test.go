package server

import (
	"io"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Bodies are bounded together, whether their length is announced or not; short ones and
// files are not in the way.
func TestBodiesTogether(t *testing.T) {
	const kib = 1 << 10
	h := newHouse(t, func(o *Options) { o.MaxBody, o.Memory = 400*kib, 500*kib*bodyMemory })
	_, client, _ := h.open(t)
	post := func(path string, size int, announced bool) (int, string, string) {
		t.Helper()
		body := io.Reader(strings.NewReader(strings.Repeat("x ", size/2)))
		if !announced {
			body = io.MultiReader(body)
		}
		res, err := client.Post("http://localhost:8080"+path, "text/plain", body)
		text := bodyOf(t, res, err)
		return res.StatusCode, text, res.Header.Get("Retry-After")
	}
	for _, first := range []bool{true, false} {
		resume := h.fake.Pause()
		ended := make(chan int, 1)
		go func() {
			code, _, _ := post(geminiPath, 300*kib, first)
			ended <- code
		}()
		if err := h.fake.AwaitRunning(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		held := h.bodies.bytes()
		if held < 300*kib || held > 500*kib {
			t.Errorf("%d bytes are counted, announced %v", held, first)
		}
		for _, announced := range []bool{true, false} {
			code, body, _ := post(openaiPath, 300*kib, announced)
			wantWire(t, code, body, "openai", 429, "512000")
			if announced && !strings.Contains(body, "307200") {
				t.Errorf("%s does not say how long the body is", body)
			}
		}
		if code, body, _ := post("/v1/files?do=ignore", 300*kib, true); code != 200 {
			t.Errorf("a file: %d %s", code, body)
		}
		short := make(chan int, 1)
		go func() {
			code, _, _ := post(geminiPath, 1*kib, true)
			short <- code
		}()
		if err := h.fake.AwaitRunning(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		resume()
		if a, b := <-ended, <-short; a != 200 || b != 200 {
			t.Errorf("%d and %d", a, b)
		}
		if code, body, _ := post(openaiPath, 300*kib, !first); code != 200 {
			t.Errorf("when there is room: %d %s", code, body)
		}
	}
	if n := h.bodies.bytes(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
	if e := h.bodies.take(501*kib, 501*kib); e == nil || e.Kind != backend.Busy || e.RetryAfter <= 0 {
		t.Errorf("%+v", e)
	}
	// What never has room is too large.
	h = newHouse(t, func(o *Options) { o.MaxBody, o.Memory = 400*kib, 100*kib*bodyMemory })
	w := ask(h, "POST", local+geminiPath, strings.Repeat("x", 101*kib))
	wantWire(t, w.Code, w.Body.String(), "gemini", 413, "102400")
}
