package backendtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

type upload struct {
	backend.Upload
	new     backend.NewUpload
	data    []byte
	touched time.Time
	file    string // that it became
}

type file struct {
	backend.File
	data []byte
	done time.Time // when processing ends
}

// Begin implements [backend.Backend].
func (f *Fake) Begin(ctx context.Context, u backend.NewUpload) (*backend.Upload, error) {
	if err := cmp.Or(ctx.Err(), f.failure("Begin")); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if u.Size > MaxFile {
		return nil, backend.Errorf(backend.TooLarge, "file has %d bytes; %d are allowed", u.Size, MaxFile)
	}
	if u.ID != "" {
		if !validID(u.ID) {
			return nil, &backend.Error{Kind: backend.Invalid, Param: "file.name", Message: "a file's ID is up to 64 letters, digits and '-'"}
		}
		if f.files[key{u.Owner, u.ID}] != nil {
			return nil, backend.Errorf(backend.Conflict, "file %q exists already", u.ID)
		}
	}
	up := &upload{new: u, touched: f.now(), Upload: backend.Upload{ID: f.next("upload"), Owner: u.Owner, Total: max(u.Size, -1)}}
	f.uploads[key{u.Owner, up.ID}] = up
	out := up.Upload
	return &out, nil
}

// Append implements [backend.Backend]. What arrived before r failed is kept.
func (f *Fake) Append(ctx context.Context, owner, id string, offset int64, r io.Reader) (*backend.Upload, error) {
	if err := cmp.Or(ctx.Err(), f.failure("Append")); err != nil {
		return nil, err
	}
	f.mu.Lock()
	up, err := f.upload(owner, id)
	var size, room int64
	if err == nil {
		size, room = up.Size, MaxFile-up.Size
		if up.Total >= 0 {
			room = up.Total - up.Size
		}
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if offset != size || up.Done {
		return nil, backend.Errorf(backend.Conflict, "upload %s: offset %d; it has %d bytes, go on from there", id, offset, size)
	}
	data, readErr := io.ReadAll(io.LimitReader(r, room+1))
	if int64(len(data)) > room {
		return nil, backend.Errorf(backend.TooLarge, "upload %s: more bytes than the %d that may come", id, size+room)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if up.Size != size {
		return nil, backend.Errorf(backend.Conflict, "upload %s: another request is adding to it", id)
	}
	up.data = append(up.data, data...)
	up.Size, up.touched = int64(len(up.data)), f.now()
	var told *backend.Error
	if errors.As(readErr, &told) {
		return nil, told
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if readErr != nil {
		return nil, backend.Errorf(backend.Invalid, "upload %s: the body broke off: %w", id, readErr)
	}
	out := up.Upload
	return &out, nil
}

// Upload implements [backend.Backend].
func (f *Fake) Upload(_ context.Context, owner, id string) (*backend.Upload, error) {
	if err := f.failure("Upload"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	up, err := f.upload(owner, id)
	if err != nil {
		return nil, err
	}
	out := up.Upload
	return &out, nil
}

// upload finds one. f.mu is held.
func (f *Fake) upload(owner, id string) (*upload, error) {
	up := f.uploads[key{owner, id}]
	if up == nil || f.now().Sub(up.touched) > uploadLife {
		return nil, backend.Errorf(backend.NotFound, "upload %q is unknown or was given up", id)
	}
	return up, nil
}

// SetPurpose implements [backend.Purposer].
func (f *Fake) SetPurpose(_ context.Context, owner, id, purpose string) error {
	if err := f.failure("SetPurpose"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	up, err := f.upload(owner, id)
	if err == nil {
		up.new.Purpose = purpose
	}
	return err
}

// Finish implements [backend.Backend].
func (f *Fake) Finish(_ context.Context, owner, id string) (*backend.File, error) {
	if err := f.failure("Finish"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	up, err := f.upload(owner, id)
	if err != nil {
		return nil, err
	}
	if up.Done {
		return f.file(owner, up.file)
	}
	if up.Total >= 0 && up.Size != up.Total {
		return nil, backend.Errorf(backend.Precondition, "upload %s: %d of %d bytes have come", id, up.Size, up.Total)
	}
	now := f.now()
	mime := up.new.MIME
	if found, _, _ := strings.Cut(http.DetectContentType(up.data), ";"); mime == "" || found != "text/plain" && found != "application/octet-stream" {
		mime = found
	}
	x := &file{data: up.data, done: now.Add(f.process), File: backend.File{
		// Gemini's SDKs take the ID out of a URI as far as it has letters and digits.
		ID: cmp.Or(up.new.ID, strings.ReplaceAll(f.next("file"), "-", "")), Owner: owner, Name: up.new.Name, MIME: mime, Purpose: up.new.Purpose, Size: up.Size,
		SHA256: sha256.Sum256(up.data), Created: now, Updated: now,
	}}
	if up.new.TTL >= 0 {
		x.Expires = now.Add(cmp.Or(up.new.TTL, 48*time.Hour))
	}
	if k := kindOf(mime); k == backend.Video || k == backend.Audio {
		x.Duration = mediaLength
	}
	if f.files[key{owner, x.ID}] != nil {
		return nil, backend.Errorf(backend.Conflict, "file %q exists already", x.ID)
	}
	up.Done, up.file = true, x.ID
	f.files[key{owner, x.ID}] = x
	return f.file(owner, x.ID)
}

// file describes one as it is now. f.mu is held.
func (f *Fake) file(owner, id string) (*backend.File, error) {
	x := f.files[key{owner, id}]
	if x == nil || !x.Expires.IsZero() && !x.Expires.After(f.now()) {
		return nil, backend.Errorf(backend.NotFound, "file %q is unknown or has expired", id)
	}
	out := x.File
	switch {
	case f.now().Before(x.done):
		out.State = backend.FileProcessing
	case strings.Contains(x.Name, "broken"):
		out.State, out.Reason = backend.FileFailed, "the file is damaged"
	default:
		out.State = backend.FileActive
	}
	if out.State != backend.FileProcessing {
		out.Updated = x.done
	}
	return &out, nil
}

// File implements [backend.Backend].
func (f *Fake) File(_ context.Context, owner, id string) (*backend.File, error) {
	if err := f.failure("File"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file(owner, id)
}

// Files implements [backend.Backend].
func (f *Fake) Files(_ context.Context, owner string) ([]backend.File, error) {
	if err := f.failure("Files"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []backend.File
	for k := range f.files {
		if x, err := f.file(owner, k.id); err == nil && k.owner == owner {
			out = append(out, *x)
		}
	}
	slices.SortFunc(out, func(a, b backend.File) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) })
	return out, nil
}

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

// Content implements [backend.Backend].
func (f *Fake) Content(_ context.Context, owner, id string) (io.ReadSeekCloser, error) {
	if err := f.failure("Content"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.file(owner, id); err != nil {
		return nil, err
	}
	return content{bytes.NewReader(f.files[key{owner, id}].data)}, nil
}

// DeleteFile implements [backend.Backend].
func (f *Fake) DeleteFile(_ context.Context, owner, id string) error {
	if err := f.failure("DeleteFile"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if up, err := f.upload(owner, id); err == nil && !up.Done {
		delete(f.uploads, key{owner, id})
		return nil
	}
	if _, err := f.file(owner, id); err != nil {
		return err
	}
	delete(f.files, key{owner, id})
	return nil
}
