package sse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// writeTimeout is how long a client may take to accept an event.
const writeTimeout = 30 * time.Second

// Writer writes a stream of events and flushes each.
type Writer struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	sent bool
}

// NewWriter makes a writer; nothing is sent before the first event, so that an
// error found until then can still have a status of its own.
func NewWriter(w http.ResponseWriter) *Writer {
	return &Writer{w: w, c: http.NewResponseController(w)}
}

// Sent says whether anything was sent.
func (w *Writer) Sent() bool { return w.sent }

// Data sends v as JSON, without a name.
func (w *Writer) Data(v any) error { return w.Event("", v) }

// Event sends v as JSON in an event of a name.
func (w *Writer) Event(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("sse: %w", err)
	}
	return w.send(name, data)
}

// Text sends a text of one line as it is: OpenAI's [DONE].
func (w *Writer) Text(data string) error { return w.send("", []byte(data)) }

// Comment sends a line that readers pass over.
func (w *Writer) Comment(text string) error {
	return w.write(fmt.Appendf(nil, ": %s\n\n", text))
}

func (w *Writer) send(name string, data []byte) error {
	var b bytes.Buffer
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	fmt.Fprintf(&b, "data: %s\n\n", data)
	return w.write(b.Bytes())
}

func (w *Writer) write(b []byte) error {
	if !w.sent {
		w.sent = true
		h := w.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
	}
	// Not every ResponseWriter has deadlines; the server's own then hold.
	_ = w.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := w.w.Write(b); err != nil {
		return err
	}
	return w.c.Flush()
}
