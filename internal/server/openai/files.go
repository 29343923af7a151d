package openai

import (
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// maxFormField bounds a field of a form that is not the file, in bytes.
const maxFormField = 4 << 10

// maxFormParts bounds how many fields a form may have.
const maxFormParts = 32

// purposes are what a file may be for. Here they make no difference.
var purposes = []string{"assistants", "batch", "fine-tune", "vision", "user_data", "evals"}

type wireFile struct {
	ID            string `json:"id"`
	Object        string `json:"object"`
	Bytes         int64  `json:"bytes"`
	CreatedAt     int64  `json:"created_at"`
	ExpiresAt     *int64 `json:"expires_at,omitempty"`
	Filename      string `json:"filename"`
	Purpose       string `json:"purpose"`
	Status        string `json:"status"`
	StatusDetails string `json:"status_details,omitempty"`
}

func fileOf(f *backend.File) wireFile {
	w := wireFile{
		ID: f.ID, Object: "file", Bytes: f.Size, CreatedAt: unix(f.Created), Filename: f.Name,
		Purpose: purposeOf(f), StatusDetails: f.Reason,
	}
	switch f.State {
	case backend.FileActive:
		w.Status = "processed"
	case backend.FileFailed:
		w.Status = "error"
	default:
		w.Status = "uploaded"
	}
	if !f.Expires.IsZero() {
		at := f.Expires.Unix()
		w.ExpiresAt = &at
	}
	return w
}

// purposeOf is a file's purpose: those that came through Gemini's API have none.
func purposeOf(f *backend.File) string {
	if f.Purpose == "" {
		return "user_data"
	}
	return f.Purpose
}

// createFile streams a form's file to where files are kept, however large it is.
func (h *handler) createFile(w http.ResponseWriter, r *http.Request) error {
	form, err := r.MultipartReader()
	if err != nil {
		return &backend.Error{Kind: backend.Invalid, Message: "a form (multipart/form-data) with file and purpose is wanted", Err: err}
	}
	u := formUpload{h: h, r: r, owner: backend.Owner(r.Context())}
	defer u.giveUp()
	for n := 0; ; n++ {
		p, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err == nil && n >= maxFormParts {
			err = invalid("", "the form has more than %d fields", maxFormParts)
		}
		if err == nil {
			err = u.field(p)
		}
		if err != nil {
			return bodyError(err, "the form breaks off, or is not one")
		}
	}
	f, err := u.finish()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, fileOf(f))
	return nil
}

// formUpload is a form that is being read.
type formUpload struct {
	h       *handler
	r       *http.Request
	owner   string
	purpose string
	begun   string // purpose that the upload was announced with
	upload  *backend.Upload
	done    bool
}

// giveUp deletes what came of a form that failed.
func (u *formUpload) giveUp() {
	if u.upload == nil || u.done {
		return
	}
	// The client may have left; what it leaves behind is deleted all the same.
	if err := u.h.b.DeleteFile(context.WithoutCancel(u.r.Context()), u.owner, u.upload.ID); err != nil {
		u.h.o.Log.WarnContext(u.r.Context(), "openai: an upload that failed stays until it is given up", "error", err)
	}
}

func (u *formUpload) field(p *multipart.Part) error {
	switch name := p.FormName(); name {
	case "file":
		return u.file(p)
	case "purpose":
		v, err := formValue(p)
		if err != nil {
			return err
		}
		u.purpose = v
		return oneOf("purpose", v, purposes...)
	case "expires_after[anchor]", "expires_after[seconds]", "expires_after":
		return invalid("expires_after", "it is not supported; leave it out, and delete the file when it is no longer needed")
	}
	// What is not known is ignored, but must end.
	_, err := formValue(p)
	return err
}

func formValue(p *multipart.Part) (string, error) {
	data, err := io.ReadAll(io.LimitReader(p, maxFormField+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxFormField {
		return "", invalid(clip(p.FormName()), "it is longer than %d bytes", maxFormField)
	}
	return string(data), nil
}

func (u *formUpload) file(p *multipart.Part) error {
	if u.upload != nil {
		return invalid("file", "there are two: send one at a time")
	}
	if p.FileName() == "" {
		return invalid("file", "it has no name: send it as a file of the form, not as text")
	}
	typ, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil {
		typ = "" // its content says
	}
	ctx := u.r.Context()
	u.begun = u.purpose
	if u.begun == "" {
		u.begun = "user_data"
	}
	begun, err := u.h.b.Begin(ctx, backend.NewUpload{
		Owner: u.owner, Name: baseName(p.FileName()), MIME: typ, Purpose: u.begun, Size: -1,
		TTL: -1, // files stay until they are deleted, as in the public API
	})
	if err != nil {
		return within(err, "file")
	}
	u.upload = begun
	got, err := u.h.b.Append(ctx, u.owner, u.upload.ID, 0, p)
	if err != nil {
		return within(err, "file")
	}
	u.upload = got
	return nil
}

func (u *formUpload) finish() (*backend.File, error) {
	if u.upload == nil {
		return nil, invalid("file", "it is missing")
	}
	if u.purpose == "" {
		return nil, invalid("purpose", "it is missing: one of %s", strings.Join(purposes, ", "))
	}
	if u.upload.Size == 0 {
		return nil, invalid("file", "it is empty")
	}
	ctx := u.r.Context()
	if u.purpose != u.begun {
		p, ok := u.h.b.(backend.Purposer)
		if !ok {
			return nil, invalid("purpose", "it must stand before the file in the form")
		}
		if err := p.SetPurpose(ctx, u.owner, u.upload.ID, u.purpose); err != nil {
			return nil, err
		}
	}
	f, err := u.h.b.Finish(ctx, u.owner, u.upload.ID)
	u.done = err == nil
	return f, err
}

func (h *handler) listFiles(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	files, err := h.b.Files(r.Context(), backend.Owner(r.Context()))
	if err != nil {
		return err
	}
	if p := q.Get("purpose"); p != "" {
		files = slices.DeleteFunc(slices.Clone(files), func(f backend.File) bool { return purposeOf(&f) != p })
	}
	out := make([]wireFile, len(files))
	for i := range files {
		out[i] = fileOf(&files[i])
	}
	p, err := paged(r, out, 10000, 10000, func(f wireFile) string { return f.ID })
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}

// paged cuts a page out of a list that is newest first, as a request's order, after
// and limit say.
func paged[T any](r *http.Request, all []T, def, most int, id func(T) string) (*page, error) {
	q := r.URL.Query()
	limit := def
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > most {
			return nil, invalid("limit", "%q is not a number from 1 to %d", clip(s), most)
		}
		limit = n
	}
	switch order := q.Get("order"); order {
	case "", "desc":
	case "asc":
		all = slices.Clone(all)
		slices.Reverse(all)
	default:
		return nil, oneOf("order", clip(order), "asc", "desc")
	}
	if after := q.Get("after"); after != "" {
		i := slices.IndexFunc(all, func(v T) bool { return id(v) == after })
		if i < 0 {
			return nil, invalid("after", "%q is not in the list", clip(after))
		}
		all = all[i+1:]
	}
	more := len(all) > limit
	all = all[:min(limit, len(all))]
	out := &page{Object: "list", Data: all, HasMore: &more}
	if len(all) > 0 {
		first, last := id(all[0]), id(all[len(all)-1])
		out.FirstID, out.LastID = &first, &last
	} else {
		out.Data = []T{}
	}
	return out, nil
}

func (h *handler) getFile(w http.ResponseWriter, r *http.Request) error {
	f, err := h.b.File(r.Context(), backend.Owner(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, fileOf(f))
	return nil
}

func (h *handler) deleteFile(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := h.b.DeleteFile(r.Context(), backend.Owner(r.Context()), id); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, deleted{id, "file", true})
	return nil
}

type deleted struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

// fileContent sends a file as it came. Whatever it says it is, a browser must not run
// it where the studio runs.
func (h *handler) fileContent(w http.ResponseWriter, r *http.Request) error {
	owner, id := backend.Owner(r.Context()), r.PathValue("id")
	f, err := h.b.File(r.Context(), owner, id)
	if err != nil {
		return err
	}
	content, err := h.b.Content(r.Context(), owner, id)
	if err != nil {
		return err
	}
	defer content.Close()
	head := w.Header()
	typ := f.MIME
	if _, _, err := mime.ParseMediaType(typ); err != nil {
		typ = "application/octet-stream"
	}
	head.Set("Content-Type", typ)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	head.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": baseName(f.Name)}))
	head.Set("Cache-Control", "private, no-store")
	head.Set("ETag", fmt.Sprintf(`"%x"`, f.SHA256))
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}
