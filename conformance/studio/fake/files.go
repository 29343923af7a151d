package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

func (f *file) wire() map[string]any {
	out := map[string]any{
		"name": f.Name, "displayName": f.DisplayName, "mimeType": f.MIME, "sizeBytes": strconv.Itoa(len(f.data)),
		"uri": "http://local/v1beta/" + f.Name, "createTime": f.created.Format(time.RFC3339), "state": "ACTIVE",
	}
	if s := seconds(f.MIME); s > 0 {
		out["videoMetadata"] = map[string]string{"videoDuration": fmt.Sprintf("%ds", s)}
	}
	if bytes.HasPrefix(f.data, []byte("broken")) {
		out["state"] = "FAILED"
		out["error"] = map[string]any{"code": 3, "message": "It is neither text nor a format that is known here."}
	}
	return out
}

// seconds is how long films and recordings are said to be.
func seconds(mime string) int {
	switch {
	case strings.HasPrefix(mime, "audio/"):
		return 8
	case strings.HasPrefix(mime, "video/"):
		return 12
	}
	return 0
}

// upload begins an upload, takes a chunk, or says how far one is, by its command.
func (s *server) upload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	command := r.Header.Get("X-Goog-Upload-Command")
	if command == "start" {
		var body struct{ File struct{ DisplayName string } }
		if err := decode(r, &body); err != nil {
			fail(w, 400, "INVALID_ARGUMENT", err.Error())
			return
		}
		f := &file{Name: "files/" + newID(), DisplayName: body.File.DisplayName, created: time.Now()}
		f.MIME = mimeOf(f.DisplayName, r.Header.Get("X-Goog-Upload-Header-Content-Type"))
		s.files[f.Name] = f
		w.Header().Set("X-Goog-Upload-URL", "http://"+r.Host+"/upload/v1beta/files?upload_id="+path.Base(f.Name))
		w.Header().Set("X-Goog-Upload-Status", "active")
		return
	}
	f := s.files["files/"+r.URL.Query().Get("upload_id")]
	if f == nil {
		fail(w, 404, "NOT_FOUND", "There is no such upload.")
		return
	}
	if command == "query" {
		status := "active"
		if f.done {
			status = "final"
		}
		w.Header().Set("X-Goog-Upload-Status", status)
		w.Header().Set("X-Goog-Upload-Size-Received", strconv.Itoa(len(f.data)))
		return
	}
	if got := r.Header.Get("X-Goog-Upload-Offset"); got != strconv.Itoa(len(f.data)) {
		fail(w, 400, "INVALID_ARGUMENT", fmt.Sprintf("The offset is %s, but %d bytes were received.", got, len(f.data)))
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left: it asks how far it came
	}
	f.data = append(f.data, b...)
	if !strings.Contains(command, "finalize") {
		w.Header().Set("X-Goog-Upload-Status", "active")
		return
	}
	f.done = true
	w.Header().Set("X-Goog-Upload-Status", "final")
	answer(w, map[string]any{"file": f.wire()})
}

func mimeOf(name, said string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".pdf":
		return "application/pdf"
	case ".flac":
		return "audio/flac"
	case ".wav":
		return "audio/wav"
	case ".webm":
		return "video/webm"
	case ".mp4":
		return "video/mp4"
	case ".png":
		return "image/png"
	case ".txt", ".md", ".go":
		return "text/plain"
	}
	return said
}

func (s *server) listFiles(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, f := range s.files {
		if f.done {
			list = append(list, f.wire())
		}
	}
	answer(w, map[string]any{"files": list})
}

func (s *server) getFile(w http.ResponseWriter, r *http.Request) {
	id, download := strings.CutSuffix(r.PathValue("id"), ":download")
	s.mu.Lock()
	f := s.files["files/"+id]
	s.mu.Unlock()
	switch {
	case f == nil:
		fail(w, 404, "NOT_FOUND", "There is no such file.")
	case download:
		w.Header().Set("Content-Type", f.MIME)
		http.ServeContent(w, r, "", f.created, bytes.NewReader(f.data))
	default:
		answer(w, f.wire())
	}
}

func (s *server) deleteFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, "files/"+r.PathValue("id"))
	answer(w, map[string]any{})
}
