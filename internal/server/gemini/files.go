package gemini

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

type file struct {
	Name        string         `json:"name"`
	DisplayName string         `json:"displayName,omitempty"`
	MIMEType    string         `json:"mimeType,omitempty"`
	Size        int64          `json:"sizeBytes,string"`
	Created     string         `json:"createTime"`
	Updated     string         `json:"updateTime"`
	Expires     string         `json:"expirationTime,omitempty"`
	SHA256      string         `json:"sha256Hash"`
	URI         string         `json:"uri"`
	DownloadURI string         `json:"downloadUri,omitempty"`
	State       string         `json:"state"`
	Source      string         `json:"source"`
	Video       *videoDuration `json:"videoMetadata,omitempty"`
	Error       *fileFailure   `json:"error,omitempty"`
}

type videoDuration struct {
	Duration string `json:"videoDuration"`
}

// fileFailure is a google.rpc.Status.
type fileFailure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// invalidArgument is the number of google.rpc.Code that a file that cannot be read has.
const invalidArgument = 3

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func fileURI(r *http.Request, id string) string { return origin(r) + "/v1beta/files/" + id }

func fileOf(r *http.Request, f *backend.File) file {
	out := file{
		Name: "files/" + f.ID, DisplayName: f.Name, MIMEType: f.MIME, Size: f.Size,
		Created: timeText(f.Created), Updated: timeText(f.Updated),
		// The public API has the base64 of the digest in hexadecimal.
		SHA256: base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(f.SHA256[:]))),
		URI:    fileURI(r, f.ID), DownloadURI: fileURI(r, f.ID) + ":download?alt=media",
		State: string(f.State), Source: "UPLOADED",
	}
	if !f.Expires.IsZero() {
		out.Expires = timeText(f.Expires)
	}
	if f.Duration > 0 {
		out.Video = &videoDuration{durationText(f.Duration)}
	}
	if f.State == backend.FileFailed {
		out.Error = &fileFailure{invalidArgument, f.Reason}
	}
	return out
}

func (h *handler) listFiles(w http.ResponseWriter, r *http.Request, _ string) error {
	all, err := h.b.Files(r.Context(), owner(r))
	if err != nil {
		return err
	}
	list, next, err := page(r, all, func(f *backend.File) place { return place{f.Created, f.ID} })
	if err != nil {
		return err
	}
	out := struct {
		Files []file `json:"files"`
		Next  string `json:"nextPageToken,omitempty"`
	}{Files: []file{}, Next: next}
	for i := range list {
		out.Files = append(out.Files, fileOf(r, &list[i]))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (h *handler) getFile(w http.ResponseWriter, r *http.Request, id string) error {
	if r.URL.Query().Get("alt") == "media" {
		return h.download(w, r, id)
	}
	f, err := h.b.File(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, fileOf(r, f))
	return nil
}

func (h *handler) deleteFile(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.b.DeleteFile(r.Context(), owner(r), id); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

// shown are the types that a browser may show by itself; all others it saves, so that no
// upload becomes a page of this server.
func shown(mimeType string) bool {
	t, _, _ := mime.ParseMediaType(mimeType)
	switch kind, sub, _ := strings.Cut(t, "/"); kind {
	case "audio", "video":
		return true
	case "image":
		return sub != "svg+xml"
	case "text":
		return sub == "plain"
	case "application":
		return sub == "pdf"
	}
	return false
}

// download answers with a file's content, or the range of it that is asked for.
func (h *handler) download(w http.ResponseWriter, r *http.Request, id string) error {
	if alt := r.URL.Query().Get("alt"); alt != "media" {
		return invalid("alt", "it is %q, and must be media", clip(alt))
	}
	f, err := h.b.File(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	content, err := h.b.Content(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	defer content.Close()
	how := "attachment"
	header := w.Header()
	if shown(f.MIME) {
		how = "inline"
	} else {
		header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	}
	if named := mime.FormatMediaType(how, map[string]string{"filename": f.Name}); f.Name != "" && named != "" {
		how = named
	}
	header.Set("Content-Disposition", how)
	header.Set("Content-Type", f.MIME)
	if f.MIME == "" {
		header.Set("Content-Type", "application/octet-stream")
	}
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "private, max-age=3600")
	header.Set("ETag", fmt.Sprintf(`"%x"`, f.SHA256))
	http.ServeContent(w, r, "", f.Created, content)
	return nil
}
