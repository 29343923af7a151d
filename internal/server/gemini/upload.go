package gemini

import (
	"bufio"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// upload takes a file by one of the public API's protocols: resumable, of which SDKs make
// use, multipart (a description and the content) or raw (the content alone).
func (h *handler) upload(w http.ResponseWriter, r *http.Request, _ string) error {
	q := r.URL.Query()
	protocol := strings.ToLower(r.Header.Get("X-Goog-Upload-Protocol"))
	if protocol == "" {
		protocol = q.Get("uploadType")
	}
	switch {
	case q.Get("upload_id") != "":
		return h.resume(w, r, q.Get("upload_id"))
	case protocol == "resumable":
		return h.startUpload(w, r)
	case protocol == "multipart":
		return h.multipart(w, r)
	case protocol == "raw", protocol == "media":
		return h.whole(w, r, r.Body, &newFile{}, r.Header.Get("Content-Type"), r.ContentLength)
	}
	return invalid("X-Goog-Upload-Protocol", "it is %q, and must be resumable, multipart or raw", clip(protocol))
}

// commands are those of a request, of which there may be several: "upload, finalize".
func commands(r *http.Request) (map[string]bool, error) {
	out := make(map[string]bool)
	for c := range strings.SplitSeq(r.Header.Get("X-Goog-Upload-Command"), ",") {
		switch c = strings.ToLower(strings.TrimSpace(c)); c {
		case "start", "upload", "finalize", "query", "cancel":
			out[c] = true
		default:
			return nil, invalid("X-Goog-Upload-Command", "it has %q; there are start, upload, finalize, query and cancel", clip(c))
		}
	}
	return out, nil
}

// uploadStatus are the values of X-Goog-Upload-Status, without which SDKs try again.
const (
	uploadActive    = "active"
	uploadFinal     = "final"
	uploadCancelled = "cancelled"
)

func setUpload(w http.ResponseWriter, status string, size int64) {
	w.Header().Set("X-Goog-Upload-Status", status)
	w.Header().Set("X-Goog-Upload-Size-Received", strconv.FormatInt(size, 10))
}

// describe is what a client says of a file, in a body's file and in headers.
func describe(r *http.Request, f *newFile, mimeType string, size int64) (backend.NewUpload, error) {
	u := backend.NewUpload{Owner: owner(r), MIME: f.MIMEType, Size: size}
	if u.MIME == "" {
		u.MIME = mimeType
	}
	if f.Name != "" {
		// SDKs add the collection, or leave it out.
		u.ID = strings.TrimPrefix(f.Name, "files/")
		if u.ID == "" || strings.Contains(u.ID, "/") {
			return u, invalid("file.name", "%q is no name; it must be like files/ID", clip(f.Name))
		}
	}
	u.Name = f.DisplayName
	if u.Name == "" {
		// What is a path on the client's machine says nothing here but its last part.
		name := r.Header.Get("X-Goog-Upload-File-Name")
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
		if name = path.Base(strings.ReplaceAll(name, `\`, "/")); name != "." && name != "/" {
			u.Name = name
		}
	}
	if strings.ContainsFunc(u.Name, unicode.IsControl) {
		return u, invalid("file.displayName", "it has control characters")
	}
	return u, nil
}

// maxDescription is how long what is said of a file may be, in bytes.
const maxDescription = 1 << 20

func (h *handler) startUpload(w http.ResponseWriter, r *http.Request) error {
	cs, err := commands(r)
	if err != nil {
		return err
	}
	if !cs["start"] || len(cs) > 1 {
		return invalid("X-Goog-Upload-Command", "an upload begins with start alone, and goes on at the address in X-Goog-Upload-URL")
	}
	var body fileWrapper
	// A request that brings a file may be long, as that is not kept in memory; this is.
	if err := readJSON(http.MaxBytesReader(w, r.Body, maxDescription), &body, true); err != nil {
		return err
	}
	if body.File == nil {
		body.File = &newFile{}
	}
	size := int64(-1)
	if s := r.Header.Get("X-Goog-Upload-Header-Content-Length"); s != "" {
		if size, err = strconv.ParseInt(s, 10, 64); err != nil || size < 0 {
			return invalid("X-Goog-Upload-Header-Content-Length", "it is %q, and must be a number of bytes", clip(s))
		}
	}
	n, err := describe(r, body.File, r.Header.Get("X-Goog-Upload-Header-Content-Type"), size)
	if err != nil {
		return err
	}
	u, err := h.b.Begin(r.Context(), n)
	if err != nil {
		return err
	}
	q := url.Values{"upload_id": {u.ID}, "upload_protocol": {"resumable"}}
	if key := r.URL.Query().Get("key"); key != "" {
		q.Set("key", key) // clients use the address as it is, without adding their key
	}
	address := origin(r) + "/upload/v1beta/files?" + q.Encode()
	w.Header().Set("X-Goog-Upload-URL", address)
	w.Header().Set("X-Goog-Upload-Control-URL", address)
	setUpload(w, uploadActive, 0)
	w.WriteHeader(http.StatusOK)
	return nil
}

// resume goes on with an upload.
func (h *handler) resume(w http.ResponseWriter, r *http.Request, id string) error {
	cs, err := commands(r)
	if err == nil {
		switch {
		case cs["query"] && len(cs) == 1:
			err = h.queryUpload(w, r, id)
		case cs["cancel"] && len(cs) == 1:
			err = h.cancelUpload(w, r, id)
		case (cs["upload"] || cs["finalize"]) && !cs["start"] && !cs["query"] && !cs["cancel"]:
			err = h.receive(w, r, id, cs["upload"], cs["finalize"])
		default:
			err = invalid("X-Goog-Upload-Command", "these do not go together here: %q", clip(r.Header.Get("X-Goog-Upload-Command")))
		}
	}
	if err != nil {
		// Whatever is wrong with the request, the client learns where the upload stands.
		// It may be over with the request, but the upload is not.
		u, uerr := h.b.Upload(context.WithoutCancel(r.Context()), owner(r), id)
		switch {
		case uerr != nil:
			setUpload(w, uploadCancelled, 0)
		case u.Done:
			setUpload(w, uploadFinal, u.Size)
		default:
			setUpload(w, uploadActive, u.Size)
		}
	}
	return err
}

func (h *handler) queryUpload(w http.ResponseWriter, r *http.Request, id string) error {
	u, err := h.b.Upload(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	status := uploadActive
	if u.Done {
		status = uploadFinal
	}
	setUpload(w, status, u.Size)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) cancelUpload(w http.ResponseWriter, r *http.Request, id string) error {
	if err := h.b.DeleteFile(r.Context(), owner(r), id); err != nil {
		return err
	}
	setUpload(w, uploadCancelled, 0)
	w.WriteHeader(http.StatusOK)
	return nil
}

// receive takes a chunk, and makes a file of the upload if it is the last.
func (h *handler) receive(w http.ResponseWriter, r *http.Request, id string, chunk, last bool) error {
	// A finalize alone may come with a chunk too: with an offset, as it must have.
	if text := r.Header.Get("X-Goog-Upload-Offset"); chunk || text != "" {
		offset, err := strconv.ParseInt(text, 10, 64)
		if err != nil || offset < 0 {
			return invalid("X-Goog-Upload-Offset", "it is %q, and must be the number of bytes sent before", clip(text))
		}
		u, err := h.b.Append(r.Context(), owner(r), id, offset, r.Body)
		if err != nil {
			return uploadError(err)
		}
		if !last {
			setUpload(w, uploadActive, u.Size)
			w.WriteHeader(http.StatusOK)
			return nil
		}
	}
	return h.finish(w, r, id)
}

// uploadError finds what says why a body could not be read, whoever met it.
func uploadError(err error) error {
	var be *backend.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return backend.Errorf(backend.TooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &be):
		return be
	}
	return err
}

func (h *handler) finish(w http.ResponseWriter, r *http.Request, id string) error {
	f, err := h.b.Finish(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	setUpload(w, uploadFinal, f.Size)
	writeJSON(w, http.StatusOK, struct {
		File file `json:"file"`
	}{fileOf(r, f)})
	return nil
}

// whole takes a file in one request.
func (h *handler) whole(w http.ResponseWriter, r *http.Request, body io.Reader, f *newFile, mimeType string, size int64) error {
	n, err := describe(r, f, mimeType, size)
	if err != nil {
		return err
	}
	u, err := h.b.Begin(r.Context(), n)
	if err != nil {
		return err
	}
	_, err = h.b.Append(r.Context(), owner(r), u.ID, 0, body)
	if err == nil {
		err = h.finish(w, r, u.ID)
	}
	if err != nil {
		// Nobody else knows of the upload, nor could go on with it.
		if gone := h.b.DeleteFile(context.WithoutCancel(r.Context()), owner(r), u.ID); gone != nil {
			h.log.WarnContext(r.Context(), "an upload that failed stays until it is given up", "upload", u.ID, "err", gone)
		}
	}
	return uploadError(err)
}

// multipart takes a multipart/related body: the description as JSON, then the content.
func (h *handler) multipart(w http.ResponseWriter, r *http.Request) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return invalid("Content-Type", "it must be multipart/related with a boundary")
	}
	parts := multipart.NewReader(bufio.NewReader(r.Body), params["boundary"])
	next := func(what string) (*multipart.Part, error) {
		p, err := parts.NextRawPart()
		if err != nil {
			var be *backend.Error
			if errors.As(uploadError(err), &be) {
				return nil, be
			}
			return nil, backend.Errorf(backend.Invalid, "the body has no part with %s: a multipart upload has two, the description as JSON and the content", what)
		}
		return p, nil
	}
	p, err := next("the description")
	if err != nil {
		return err
	}
	var body fileWrapper
	if err := readJSON(io.LimitReader(p, maxDescription), &body, true); err != nil {
		return err
	}
	if p, err = next("the content"); err != nil {
		return err
	}
	if body.File == nil {
		body.File = &newFile{}
	}
	return h.whole(w, r, p, body.File, p.Header.Get("Content-Type"), -1)
}
