package gemini

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/handscroll/handscroll/internal/server/sse"
)

// stream is a sequence of messages in an answer, each sent at once.
type stream interface {
	send(v any) error
	started() bool // whether anything was sent, so that there is no other status any more
	close() error
}

// newStream makes the stream that a client asks for: server-sent events with alt=sse, else
// a JSON array. Events have data alone: SDKs fail on comments and names.
func newStream(w http.ResponseWriter, r *http.Request) stream {
	if r.URL.Query().Get("alt") == "sse" {
		return events{sse.NewWriter(w)}
	}
	return &array{w: w, c: http.NewResponseController(w)}
}

type events struct{ w *sse.Writer }

func (e events) send(v any) error { return e.w.Data(v) }
func (e events) started() bool    { return e.w.Sent() }
func (e events) close() error     { return nil }

// writeTimeout is how long a client may take to accept a message.
const writeTimeout = 30 * time.Second

type array struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	sent bool
}

func (a *array) send(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	lead := ",\r\n"
	if !a.sent {
		a.sent, lead = true, "["
		a.w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		a.w.Header().Set("Cache-Control", "no-store")
	}
	return a.write(append([]byte(lead), data...))
}

func (a *array) started() bool { return a.sent }
func (a *array) close() error  { return a.write([]byte("]")) }

func (a *array) write(b []byte) error {
	// Not every ResponseWriter has deadlines; the server's own then hold.
	_ = a.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := a.w.Write(b); err != nil {
		return err
	}
	return a.c.Flush()
}
