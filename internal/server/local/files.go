package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// files are the uploaded files and those on their way.
type files struct {
	b      *Backend
	probes chan struct{} // bounds those that run

	mu      sync.Mutex
	list    map[string]*file // by owner and ID
	uploads map[string]*upload
	blobs   map[string]*blob // by checksum in hexadecimal
}

// file is an uploaded file.
type file struct {
	backend.File
	probed chan struct{} // closed when its state is final
}

// blob is content on disk. It is deleted when nothing holds it any more.
type blob struct {
	size  int64
	holds int // files, requests that read it, readers
}

// upload is a file on its way.
type upload struct {
	backend.Upload
	New     backend.NewUpload
	Touched time.Time

	mu  sync.Mutex // held while something is appended
	sum hash.Hash  // of what has come in this process, if that is all of it
}

func key(owner, id string) string { return ownerDir(owner) + "/" + id }

func (f *files) record(owner, id string) string {
	return filepath.Join(f.b.opts.Dir, "files", ownerDir(owner), id+".json")
}

func (f *files) uploadPath(owner, id, ext string) string {
	return filepath.Join(f.b.opts.Dir, "uploads", ownerDir(owner), id+ext)
}

func (f *files) blobPath(sum string) string { return filepath.Join(f.b.opts.Dir, "blobs", sum) }

func openFiles(b *Backend) (*files, error) {
	f := &files{
		b: b, probes: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		list: map[string]*file{}, uploads: map[string]*upload{}, blobs: map[string]*blob{},
	}
	err := b.eachRecord("files", func() any { return new(backend.File) }, func(_ string, v any) error {
		r := &file{File: *v.(*backend.File), probed: make(chan struct{})}
		sum := hex.EncodeToString(r.SHA256[:])
		if _, err := os.Stat(f.blobPath(sum)); err != nil {
			b.log.Error("the content of a file is missing", "file", r.ID, "err", err)
			return nil
		}
		f.list[key(r.Owner, r.ID)] = r
		f.hold(sum, r.Size)
		if r.State != backend.FileProcessing {
			close(r.probed)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := f.openUploads(); err != nil {
		return nil, err
	}
	if err := f.dropStrays(); err != nil {
		return nil, err
	}
	// Only now: until here nobody else may have f.
	var left []*file
	for _, r := range f.list {
		if r.State == backend.FileProcessing {
			left = append(left, r)
		}
	}
	for _, r := range left {
		b.running.Go(func() { f.probe(r) })
	}
	return f, nil
}

func (f *files) openUploads() error {
	return f.b.eachRecord("uploads", func() any { return new(upload) }, func(path string, v any) error {
		u := v.(*upload)
		if f.list[key(u.Owner, u.ID)] != nil { // the file was made, but this was not deleted any more
			f.forget(u)
			return nil
		}
		fi, err := os.Stat(strings.TrimSuffix(path, ".json") + ".part")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			u.Size = 0
		case err != nil:
			return fmt.Errorf("local: %w", err)
		default:
			u.Size, u.Touched = fi.Size(), fi.ModTime()
		}
		f.uploads[key(u.Owner, u.ID)] = u
		return nil
	})
}

// dropStrays deletes contents that no record names: a process was killed between
// writing the one and the other.
func (f *files) dropStrays() error {
	list, err := os.ReadDir(filepath.Join(f.b.opts.Dir, "blobs"))
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	for _, e := range list {
		if f.blobs[e.Name()] == nil {
			if err := os.Remove(f.blobPath(e.Name())); err != nil {
				return fmt.Errorf("local: %w", err)
			}
		}
	}
	return nil
}

// hold keeps a content; f.mu is held, or nobody else has f yet.
func (f *files) hold(sum string, size int64) {
	if f.blobs[sum] == nil {
		f.blobs[sum] = &blob{size: size}
	}
	f.blobs[sum].holds++
}

// release gives a content up; f.mu is held.
func (f *files) release(sum string) {
	bl := f.blobs[sum]
	if bl.holds--; bl.holds > 0 {
		return
	}
	delete(f.blobs, sum)
	if err := os.Remove(f.blobPath(sum)); err != nil {
		f.b.log.Error("deleting content", "err", err)
	}
}

// bytes is what contents and uploads take on disk.
func (f *files) bytes() (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, bl := range f.blobs {
		n += bl.size
	}
	for _, u := range f.uploads {
		n += u.Size
	}
	return n
}

// Begin announces an upload.
func (b *Backend) Begin(ctx context.Context, n backend.NewUpload) (*backend.Upload, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	switch {
	case n.ID != "" && !idFormat.MatchString(n.ID):
		e := backend.Errorf(backend.Invalid, "%q is no ID for a file: up to 40 of a-z, 0-9 and '-', with neither end a '-'", n.ID)
		e.Param = "name"
		return nil, e
	case n.Size > b.opts.MaxFile:
		return nil, backend.Errorf(backend.TooLarge, "the file has %d bytes; at most %d are taken", n.Size, b.opts.MaxFile)
	}
	if n.Size > 0 {
		if err := b.room(n.Size); err != nil {
			return nil, err
		}
	}
	n.ID = cmp.Or(n.ID, random())
	u := &upload{Upload: backend.Upload{ID: n.ID, Owner: n.Owner, Total: max(n.Size, -1)}, New: n, Touched: time.Now(), sum: sha256.New()}
	f := b.files
	f.mu.Lock()
	defer f.mu.Unlock()
	k := key(n.Owner, n.ID)
	if f.uploads[k] != nil || f.list[k] != nil {
		e := backend.Errorf(backend.Conflict, "there is a file %q already: delete it, or choose another name", n.ID)
		e.Param = "name"
		return nil, e
	}
	if err := save(f.uploadPath(n.Owner, n.ID, ".json"), u); err != nil {
		return nil, b.diskError("announcing the upload", err)
	}
	f.uploads[k] = u
	out := u.Upload
	return &out, nil
}

func (f *files) upload(owner, id string) (*upload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.uploads[key(owner, id)]; u != nil {
		return u, nil
	}
	return nil, backend.Errorf(backend.NotFound, "there is no upload %q: it is finished, was never begun, or nothing was added to it for %v", id, uploadLife)
}

// Upload says how far an upload has come.
func (b *Backend) Upload(_ context.Context, owner, id string) (*backend.Upload, error) {
	u, err := b.files.upload(owner, id)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	out := u.Upload
	return &out, nil
}

// Append adds what r has to an upload. When r breaks off, what came of it stays.
func (b *Backend) Append(ctx context.Context, owner, id string, offset int64, r io.Reader) (*backend.Upload, error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	u, err := b.files.upload(owner, id)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.Done:
		return nil, backend.Errorf(backend.Conflict, "upload %q is finished", id)
	case offset != u.Size:
		return nil, backend.Errorf(backend.Conflict, "offset %d of upload %q: %d bytes have come, go on from there", offset, id, u.Size)
	}
	if err := b.files.append(ctx, u, r); err != nil {
		return nil, err
	}
	out := u.Upload
	return &out, nil
}

// roomStep is how many bytes of an upload come between looks at the quota.
const roomStep = 1 << 20

func (f *files) append(ctx context.Context, u *upload, r io.Reader) (err error) {
	file, err := os.OpenFile(f.uploadPath(u.Owner, u.ID, ".part"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return f.b.diskError("the upload", err)
	}
	defer func() {
		if e := file.Close(); e != nil && err == nil {
			err = f.b.diskError("the upload", e)
		}
	}()
	limit := f.b.opts.MaxFile
	if u.Total >= 0 {
		limit = min(limit, u.Total)
	}
	began, checked := u.Size, u.Size
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return ended(err)
		}
		// Many uploads at once may have been announced, or none their sizes.
		if u.Size >= checked {
			if err := f.b.room(1); err != nil {
				return err
			}
			checked = u.Size + roomStep
		}
		n, readErr := r.Read(buf)
		if u.Size+int64(n) > limit {
			// Nothing of a piece that is too long is kept.
			f.mu.Lock()
			u.Size, u.sum = began, nil
			f.mu.Unlock()
			if err := file.Truncate(began); err != nil {
				return f.b.diskError("the upload", err)
			}
			if limit == u.Total {
				return backend.Errorf(backend.Invalid, "more than the %d bytes that were announced", limit)
			}
			return backend.Errorf(backend.TooLarge, "the file has more than %d bytes", limit)
		}
		if n > 0 {
			if _, err := file.WriteAt(buf[:n], u.Size); err != nil {
				return f.b.diskError("the upload", err)
			}
			if u.sum != nil {
				u.sum.Write(buf[:n])
			}
			f.mu.Lock() // for bytes
			u.Size += int64(n)
			f.mu.Unlock()
			u.Touched = time.Now()
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// Finish makes a file of an upload. It is looked into afterwards.
func (b *Backend) Finish(ctx context.Context, owner, id string) (*backend.File, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	f := b.files
	u, err := f.upload(owner, id)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.Done:
		return nil, backend.Errorf(backend.Conflict, "upload %q is finished", id)
	case u.Size == 0:
		return nil, backend.Errorf(backend.Invalid, "the file %q is empty", u.New.Name)
	case u.Total >= 0 && u.Size < u.Total:
		return nil, backend.Errorf(backend.Invalid, "%d bytes of the %d that were announced have come: send the rest from offset %d on", u.Size, u.Total, u.Size)
	}
	if err := b.room(0); err != nil {
		return nil, err
	}
	part := f.uploadPath(owner, id, ".part")
	sum, err := u.checksum(part)
	if err != nil {
		return nil, b.diskError("finishing the upload", err)
	}
	now := time.Now()
	r := &file{probed: make(chan struct{}), File: backend.File{
		ID: id, Owner: owner, Name: u.New.Name, MIME: u.New.MIME, Purpose: u.New.Purpose, Size: u.Size, SHA256: sum,
		Created: now, Updated: now, State: backend.FileProcessing,
	}}
	f.mu.Lock()
	defer f.mu.Unlock()
	name := hex.EncodeToString(sum[:])
	if f.blobs[name] == nil {
		if err := os.Rename(part, f.blobPath(name)); err != nil {
			return nil, b.diskError("finishing the upload", err)
		}
		if err := disk.SyncDir(filepath.Join(b.opts.Dir, "blobs")); err != nil {
			return nil, b.diskError("finishing the upload", err)
		}
	}
	f.hold(name, u.Size)
	if err := save(f.record(owner, id), &r.File); err != nil {
		f.release(name)
		f.forget(u)
		return nil, b.diskError("finishing the upload", err)
	}
	f.list[key(owner, id)] = r
	f.forget(u)
	out := r.File
	b.running.Go(func() { f.probe(r) })
	return &out, nil
}

// checksum syncs what has come and returns its SHA-256.
func (u *upload) checksum(path string) (sum [32]byte, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return sum, err
	}
	if u.sum == nil {
		all := sha256.New()
		if _, err := io.Copy(all, f); err != nil {
			return sum, err
		}
		u.sum = all
	}
	return [32]byte(u.sum.Sum(nil)), nil
}

// forget deletes an upload; its lock and f.mu are held.
func (f *files) forget(u *upload) {
	u.Done = true
	delete(f.uploads, key(u.Owner, u.ID))
	for _, ext := range []string{".part", ".json"} {
		if err := os.Remove(f.uploadPath(u.Owner, u.ID, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.b.log.Error("deleting an upload", "err", err)
		}
	}
}

// sweep deletes uploads that were abandoned and files that have expired.
func (f *files) sweep(now time.Time) {
	f.mu.Lock()
	var old []*upload
	for _, u := range f.uploads {
		old = append(old, u)
	}
	for _, r := range f.list {
		if !r.Expires.IsZero() && now.After(r.Expires) {
			f.delete(r)
		}
	}
	f.mu.Unlock()
	for _, u := range old {
		if !u.mu.TryLock() {
			continue // something comes just now
		}
		if !u.Done && now.Sub(u.Touched) >= uploadLife {
			f.mu.Lock()
			f.forget(u)
			f.mu.Unlock()
		}
		u.mu.Unlock()
	}
}

// delete forgets a file; f.mu is held.
func (f *files) delete(r *file) {
	delete(f.list, key(r.Owner, r.ID))
	if err := os.Remove(f.record(r.Owner, r.ID)); err != nil {
		f.b.log.Error("deleting a file", "err", err)
	}
	f.release(hex.EncodeToString(r.SHA256[:]))
}

func (f *files) find(owner, id string) (*file, error) {
	r := f.list[key(owner, id)]
	if r == nil || !r.Expires.IsZero() && time.Now().After(r.Expires) {
		return nil, backend.Errorf(backend.NotFound, "there is no file %q: it was deleted, has expired or was never uploaded with this key", id)
	}
	return r, nil
}

// File describes a file.
func (b *Backend) File(_ context.Context, owner, id string) (*backend.File, error) {
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	r, err := b.files.find(owner, id)
	if err != nil {
		return nil, err
	}
	out := r.File
	return &out, nil
}

// Files lists an owner's files.
func (b *Backend) Files(_ context.Context, owner string) ([]backend.File, error) {
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	out := []backend.File{}
	for _, r := range b.files.list {
		if r.Owner == owner && (r.Expires.IsZero() || time.Now().Before(r.Expires)) {
			out = append(out, r.File)
		}
	}
	slices.SortFunc(out, func(x, y backend.File) int {
		return cmp.Or(y.Created.Compare(x.Created), strings.Compare(x.ID, y.ID))
	})
	return out, nil
}

// DeleteFile deletes a file, or gives up an upload when nothing is being added to it
// any more. Contexts that a file was read into stay.
func (b *Backend) DeleteFile(_ context.Context, owner, id string) error {
	f := b.files
	if u, err := f.upload(owner, id); err == nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		if !u.Done {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.forget(u)
			return nil
		}
		// It became a file meanwhile.
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(owner, id)
	if err != nil {
		return err
	}
	f.delete(r)
	return nil
}

// content is a blob that is open.
type content struct {
	*os.File
	release func()
}

func (c *content) Close() error {
	err := c.File.Close()
	c.release()
	return err
}

// Content opens a file's content, which stays until it is closed.
func (b *Backend) Content(_ context.Context, owner, id string) (io.ReadSeekCloser, error) {
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	r, err := b.files.find(owner, id)
	if err != nil {
		return nil, err
	}
	path, release := b.files.use(r)
	f, err := os.Open(path)
	if err != nil {
		b.files.release(hex.EncodeToString(r.SHA256[:]))
		return nil, b.diskError("opening the file", err)
	}
	return &content{f, release}, nil
}

// use keeps a file's content until it is released; f.mu is held.
func (f *files) use(r *file) (path string, release func()) {
	sum := hex.EncodeToString(r.SHA256[:])
	f.hold(sum, r.Size)
	return f.blobPath(sum), sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.release(sum)
	})
}

// wait returns a file when it has been looked into, and keeps its content until it
// is released.
func (f *files) wait(ctx context.Context, owner, id string) (r backend.File, path string, release func(), err error) {
	f.mu.Lock()
	found, err := f.find(owner, id)
	f.mu.Unlock()
	if err != nil {
		return r, "", nil, err
	}
	select {
	case <-found.probed:
	case <-ctx.Done():
		return r, "", nil, ended(ctx.Err())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if found, err = f.find(owner, id); err != nil { // deleted meanwhile
		return r, "", nil, err
	}
	if found.State == backend.FileFailed {
		return r, "", nil, backend.Errorf(backend.Precondition, "file %q cannot be read: %s", id, found.Reason)
	}
	path, release = f.use(found)
	return found.File, path, release, nil
}

// probe looks into a file: what it is, how long it is, and whether it can be read.
func (f *files) probe(r *file) {
	select {
	case f.probes <- struct{}{}:
		defer func() { <-f.probes }()
	case <-f.b.life.Done():
		return // the next process will
	}
	f.mu.Lock()
	if f.list[key(r.Owner, r.ID)] != r {
		f.mu.Unlock()
		close(r.probed) // deleted before its turn came; its content may be gone
		return
	}
	path, release := f.use(r)
	was := r.File
	f.mu.Unlock()
	defer release()
	found, err := look(f.b.life, path, &was)
	if f.b.life.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(r.probed)
	r.State, r.Updated = backend.FileActive, time.Now()
	if err != nil {
		r.State, r.Reason = backend.FileFailed, clean(err, path, label(&was))
	} else {
		r.MIME, r.Duration = found.MIME, found.Duration
	}
	if f.list[key(r.Owner, r.ID)] != r {
		return // deleted meanwhile
	}
	if err := save(f.record(r.Owner, r.ID), &r.File); err != nil {
		f.b.log.Error("a file's record", "file", r.ID, "err", err)
	}
}

// label is what evidence names a file by.
func label(r *backend.File) string {
	if r.Name != "" {
		return r.Name
	}
	ext := map[string]string{"text/plain": ".txt", "image/jpeg": ".jpg", "audio/mpeg": ".mp3", "video/mp4": ".mp4"}[r.MIME]
	if list, err := mime.ExtensionsByType(r.MIME); ext == "" && err == nil && len(list) > 0 {
		ext = list[0]
	}
	return r.ID + ext
}

// look opens a file's content.
func look(ctx context.Context, path string, r *backend.File) (found backend.File, err error) {
	found.MIME = r.MIME
	head := make([]byte, 512)
	f, err := os.Open(path)
	if err != nil {
		return found, err
	}
	n, err := io.ReadFull(f, head)
	f.Close()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return found, err
	}
	// What is read off content beats what a client says, unless it is vague.
	switch mt := http.DetectContentType(head[:n]); {
	case r.MIME == "", !strings.HasPrefix(mt, "text/plain") && mt != "application/octet-stream" && mt != "application/zip":
		found.MIME, _, _ = strings.Cut(mt, ";")
	}
	parts, skipped, err := handscroll.Files(ctx, []string{path}, handscroll.FileOptions{Name: label(r)})
	if err != nil {
		return found, err
	}
	if len(parts) == 0 {
		return found, unreadable(label(r), skipped)
	}
	for i := range parts {
		found.Duration = max(found.Duration, parts[i].Length())
	}
	return found, nil
}

// unreadable says why a file gave nothing to read.
func unreadable(name string, skipped []handscroll.Skipped) error {
	if len(skipped) > 0 {
		return fmt.Errorf("%s: %s", skipped[0].Source, skipped[0].Reason)
	}
	return fmt.Errorf("%s: there is nothing in it to read", name)
}

// clean writes an error without a path of this machine.
func clean(err error, path, name string) string {
	s := err.Error()
	if path != "" {
		s = strings.ReplaceAll(s, path, name)
	}
	return strings.TrimPrefix(strings.TrimPrefix(s, "engine: "), "media: ")
}

// ended is why a context is done, as an error of a request.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &backend.Error{Kind: backend.Deadline, Message: "the time for the request is over", Err: err}
	}
	return err
}
