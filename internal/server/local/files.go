package local

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// files are the uploaded files and those on their way.
type files struct {
	b      *Backend
	probes chan struct{} // bounds those that run
	look   func(ctx context.Context, path string, r *backend.File) (backend.File, error)

	// changes is held while records are written or deleted, which takes time; mu is not,
	// so that requests need not wait for the disk. It is taken before mu.
	changes sync.Mutex

	mu      sync.Mutex
	list    map[string]*file // by owner and ID
	uploads map[string]*upload
	blobs   map[string]*blob // by checksum in hexadecimal
	damaged map[string]bool  // IDs whose records cannot be read
}

// file is an uploaded file.
type file struct {
	backend.File
	probed chan struct{} // closed when its state is final
	uses   int           // requests that read it
	lost   bool          // its content is not there
}

// fileRecord is a file on disk.
type fileRecord struct {
	backend.File
	Probing bool `json:",omitempty"` // a process is looking into it
}

// blob is content on disk. It is deleted when nothing holds it any more.
type blob struct {
	size  int64
	holds int // files, requests that read it, readers
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
		b: b, probes: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), look: look,
		list: map[string]*file{}, uploads: map[string]*upload{}, blobs: map[string]*blob{}, damaged: map[string]bool{},
	}
	damaged, err := b.eachRecord("files", func() any { return new(fileRecord) }, f.open)
	if err != nil {
		return nil, err
	}
	uploads, err := f.openUploads()
	if err != nil {
		return nil, err
	}
	for _, path := range slices.Concat(damaged, uploads) {
		f.damaged[filepath.Base(filepath.Dir(path))+"/"+strings.TrimSuffix(filepath.Base(path), ".json")] = true
	}
	if err := f.dropStrays(len(damaged) > 0); err != nil {
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

// open takes up a file of an earlier process.
func (f *files) open(path string, v any) error {
	rec := v.(*fileRecord)
	if err := named(path, rec.Owner, rec.ID); err != nil {
		return err
	}
	r := &file{File: rec.File, probed: make(chan struct{})}
	sum := hex.EncodeToString(r.SHA256[:])
	fi, err := os.Stat(f.blobPath(sum))
	switch {
	case err != nil || fi.Size() != r.Size:
		f.b.log.Error("the content of a file is lost", "path", f.blobPath(sum), "record", path, "err", err)
		r.lost, r.State, r.Reason = true, backend.FileFailed, "its content is lost or damaged on the server's disk: delete the file and upload it again"
	default:
		f.hold(sum, r.Size)
		if rec.Probing && r.State == backend.FileProcessing {
			r.State, r.Reason = backend.FileFailed, stoppedIn
			if err := save(path, &fileRecord{File: r.File}); err != nil {
				return err
			}
		}
	}
	if r.State != backend.FileProcessing {
		close(r.probed)
	}
	f.list[key(r.Owner, r.ID)] = r
	return nil
}

// dropStrays deletes contents that no record names: a process was killed between
// writing the one and the other. With a record that cannot be read they all stay.
func (f *files) dropStrays(keep bool) error {
	list, err := os.ReadDir(filepath.Join(f.b.opts.Dir, "blobs"))
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	for _, e := range list {
		if f.blobs[e.Name()] != nil {
			continue
		}
		if keep {
			size := int64(0)
			if fi, err := e.Info(); err == nil {
				size = fi.Size()
			}
			f.hold(e.Name(), size) // for good
			continue
		}
		if err := os.Remove(f.blobPath(e.Name())); err != nil {
			return fmt.Errorf("local: %w", err)
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

// bytes is what contents and uploads take on disk, with what is set aside for them.
func (f *files) bytes() (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, bl := range f.blobs {
		n += bl.size
	}
	for _, u := range f.uploads {
		n += u.claim
	}
	return n
}

// heldBy is what an owner's files take, each as if it were alone.
func (f *files) heldBy(owner string) (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.list {
		if r.Owner == owner && !r.lost {
			n += r.Size
		}
	}
	for _, u := range f.uploads {
		if u.Owner == owner {
			n += u.claim
		}
	}
	return n
}

// write writes a file's record as it is now, unless it was deleted.
func (f *files) write(r *file, probing bool) error {
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	gone := f.list[key(r.Owner, r.ID)] != r
	rec := fileRecord{r.File, probing}
	f.mu.Unlock()
	if gone {
		return nil
	}
	return save(f.record(r.Owner, r.ID), &rec)
}

// sweep deletes uploads that were abandoned and files that have expired. Files stay
// while it is not known which of them stored contexts were made of.
func (f *files) sweep(now time.Time) {
	f.changes.Lock()
	f.mu.Lock()
	var old []*upload
	for _, u := range f.uploads {
		old = append(old, u)
	}
	for _, r := range f.list {
		if r.uses == 0 && f.expired(r, now) && !f.b.stored.damaged {
			f.delete(r)
		}
	}
	f.mu.Unlock()
	f.changes.Unlock()
	for _, u := range old {
		select {
		case u.had <- struct{}{}:
		default:
			continue // something comes just now
		}
		if !u.Done && now.Sub(u.Touched) >= uploadLife {
			f.mu.Lock()
			f.forget(u)
			f.mu.Unlock()
		}
		u.give()
	}
}

// expires is when a file does, zero for never: a stored context that was made of it
// keeps it, so that its evidence can be shown.
func (f *files) expires(r *file) time.Time {
	if r.Expires.IsZero() {
		return r.Expires
	}
	return f.b.stored.keeps(r.Owner, r.ID, r.Expires)
}

func (f *files) expired(r *file, now time.Time) bool {
	if r.Expires.IsZero() || now.Before(r.Expires) {
		return false
	}
	end := f.expires(r)
	return !end.IsZero() && !now.Before(end)
}

// delete forgets a file; f.changes and f.mu are held.
func (f *files) delete(r *file) {
	delete(f.list, key(r.Owner, r.ID))
	if err := os.Remove(f.record(r.Owner, r.ID)); err != nil {
		f.b.log.Error("deleting a file", "err", err)
	}
	if !r.lost {
		f.release(hex.EncodeToString(r.SHA256[:]))
	}
}

func (f *files) find(owner, id string) (*file, error) {
	r := f.list[key(owner, id)]
	if r == nil || f.expired(r, time.Now()) {
		return nil, backend.Errorf(backend.NotFound, "there is no file %q: it was deleted, has expired or was never uploaded with this key", id)
	}
	return r, nil
}

// describe is a file as clients see it; f.mu is held.
func (f *files) describe(r *file) backend.File {
	out := r.File
	out.Expires = f.expires(r)
	return out
}

// File describes a file.
func (b *Backend) File(ctx context.Context, owner, id string) (*backend.File, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	r, err := b.files.find(owner, id)
	if err != nil {
		return nil, err
	}
	out := b.files.describe(r)
	return &out, nil
}

// Files lists an owner's files.
func (b *Backend) Files(ctx context.Context, owner string) ([]backend.File, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	out := []backend.File{}
	now := time.Now()
	for _, r := range b.files.list {
		if r.Owner == owner && !b.files.expired(r, now) {
			out = append(out, b.files.describe(r))
		}
	}
	slices.SortFunc(out, func(x, y backend.File) int {
		return cmp.Or(y.Created.Compare(x.Created), strings.Compare(x.ID, y.ID))
	})
	return out, nil
}

// DeleteFile deletes a file, or gives up an upload when nothing is being added to it
// any more. Contexts that a file was read into stay.
func (b *Backend) DeleteFile(ctx context.Context, owner, id string) error {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	f := b.files
	if u, err := f.upload(owner, id); err == nil {
		if err := u.take(ctx); err != nil {
			return err
		}
		defer u.give()
		if !u.Done {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.forget(u)
			return nil
		}
		// It became a file meanwhile.
	}
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(owner, id)
	if err != nil {
		return err
	}
	f.delete(r)
	return nil
}

// content is a blob that is open, which a backend that closes waits for.
type content struct {
	f       *os.File        // not embedded: a copy is to go by Read
	ctx     context.Context // ends when the backend stops what runs
	release func()
}

func (c *content) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, ended(c.ctx.Err())
	}
	return c.f.Read(p)
}

func (c *content) Seek(offset int64, whence int) (int64, error) { return c.f.Seek(offset, whence) }

func (c *content) Close() error {
	err := c.f.Close()
	c.release()
	return err
}

// Content opens a file's content, which stays until it is closed.
func (b *Backend) Content(ctx context.Context, owner, id string) (_ io.ReadSeekCloser, err error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	r, err := b.files.find(owner, id)
	if err != nil {
		return nil, err
	}
	if r.lost {
		return nil, backend.Errorf(backend.NotFound, "file %q: %s", id, r.Reason)
	}
	path, release := b.files.use(r)
	f, err := os.Open(path)
	if err != nil {
		b.files.unuse(r)
		return nil, b.diskError("opening the file", err)
	}
	// Who does not close it is waited for no longer than reading goes on.
	done = sync.OnceFunc(done)
	context.AfterFunc(ctx, done)
	return &content{f, ctx, sync.OnceFunc(func() { release(); done() })}, nil
}

// use keeps a file and its content until it is released; f.mu is held.
func (f *files) use(r *file) (path string, release func()) {
	sum := hex.EncodeToString(r.SHA256[:])
	r.uses++
	f.hold(sum, r.Size)
	return f.blobPath(sum), sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.unuse(r)
	})
}

// unuse is the opposite of use; f.mu is held.
func (f *files) unuse(r *file) {
	r.uses--
	f.release(hex.EncodeToString(r.SHA256[:]))
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

// ended is why a context is done, as an error of a request.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &backend.Error{Kind: backend.Deadline, Message: "the time for the request is over", Err: err}
	}
	return err
}
