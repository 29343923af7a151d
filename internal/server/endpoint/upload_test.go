package endpoint

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

// A store is the resumable protocol of Gemini's files.
type store struct {
	mu        sync.Mutex
	has       []byte
	final     bool
	chunks    []int
	polls     int
	cutOnce   bool // of the second chunk half arrives, and the connection breaks
	failed    bool // the file turns out not to be readable
	elsewhere bool
}

func (s *store) routes(answer http.HandlerFunc) map[string]http.HandlerFunc {
	r := geminiRoutes(answer)
	r["POST /upload/v1beta/files"] = s.begin
	r["POST /upload/here"] = s.take
	r["GET /v1beta/files/f1"] = s.poll
	r["DELETE /v1beta/files/f1"] = says("{}")
	return r
}

func (s *store) begin(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Goog-Upload-Protocol") != "resumable" || r.Header.Get("X-Goog-Upload-Command") != "start" {
		http.Error(w, "no start", http.StatusBadRequest)
		return
	}
	target := "http://" + r.Host + "/upload/here?upload_id=1"
	if s.elsewhere {
		target = "http://elsewhere.invalid/upload"
	}
	w.Header().Set("X-Goog-Upload-URL", target)
}

func (s *store) take(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	command := r.Header.Get("X-Goog-Upload-Command")
	if command == "query" {
		w.Header().Set("X-Goog-Upload-Status", "active")
		w.Header().Set("X-Goog-Upload-Size-Received", strconv.Itoa(len(s.has)))
		return
	}
	if at := r.Header.Get("X-Goog-Upload-Offset"); at != strconv.Itoa(len(s.has)) {
		http.Error(w, fmt.Sprintf("offset %s of %d", at, len(s.has)), http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	if s.cutOnce && len(s.chunks) == 1 {
		s.cutOnce = false
		s.has = append(s.has, body[:len(body)/2]...)
		panic(http.ErrAbortHandler)
	}
	s.has = append(s.has, body...)
	s.chunks = append(s.chunks, len(body))
	w.Header().Set("X-Goog-Upload-Status", "active")
	if strings.Contains(command, "finalize") {
		w.Header().Set("X-Goog-Upload-Status", "final")
		io.WriteString(w, `{"file":{"name":"files/f1","uri":"https://x/files/f1","state":"PROCESSING"}}`)
	}
}

func (s *store) poll(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := "PROCESSING"
	if s.polls++; s.polls == 3 {
		state = "ACTIVE"
		if s.failed {
			state = "FAILED"
		}
	}
	fmt.Fprintf(w, `{"name":"files/f1","uri":"https://x/files/f1","state":%q,"error":{"message":"not a film"}}`, state)
}

func TestUpload(t *testing.T) {
	noEnvironment(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), (inlineRoom+chunkSize)/16) // 23 MB: two chunks and 7 MB
	for name, c := range map[string]struct {
		store  *store
		size   int
		chunks []int
		err    string
	}{
		"three chunks": {&store{}, len(large), []int{chunkSize, chunkSize, inlineRoom - chunkSize}, ""},
		"exact chunks": {&store{}, 2 * chunkSize, []int{chunkSize, chunkSize}, ""},
		"cut":          {&store{cutOnce: true}, len(large), []int{chunkSize, chunkSize / 2, inlineRoom - chunkSize}, ""},
		"failed":       {&store{failed: true}, len(large), nil, "it could not read film.mp4: not a film"},
		"elsewhere":    {&store{elsewhere: true}, len(large), nil, "wants the file uploaded to http://elsewhere.invalid; nothing was sent there"},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.store
			f := newFake(t, s.routes(geminiAnswer))
			body := large[:c.size]
			x := f.open("/v1beta", Options{Key: "secret"}).NewContext([]Part{
				{Source: "a.txt", Text: "small"}, data("film.mp4", "video/mp4", body), data("p.png", "image/png", []byte("PNG"))}, "")
			for range 2 {
				_, err := x.Ask(t.Context(), "?", handscroll.Sampling{}, nil)
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) {
						t.Errorf("%v, want %q", err, c.err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if sha256.Sum256(s.has) != sha256.Sum256(body) || fmt.Sprint(s.chunks) != fmt.Sprint(c.chunks) {
				t.Errorf("%d bytes of %d in %v, want %v", len(s.has), len(body), s.chunks, c.chunks)
			}
			got := f.requests("POST", "/v1beta/models/gemini-x:streamGenerateContent")
			if len(got) != 2 || !strings.Contains(string(got[1].body), `{"fileData":{"mimeType":"video/mp4","fileUri":"https://x/files/f1"}}`) ||
				!strings.Contains(string(got[1].body), `"inlineData":{"mimeType":"image/png"`) {
				t.Errorf("%.500s", got[len(got)-1].body)
			}
			if waits := f.slept[len(f.slept)-3:]; waits[0] != time.Second || waits[2] != 4*time.Second {
				t.Errorf("asked again after %v", f.slept)
			}
			if err := x.Close(); err != nil || len(f.requests("DELETE", "/v1beta/files/f1")) != 1 {
				t.Errorf("not deleted: %v", err)
			}
		})
	}
}
