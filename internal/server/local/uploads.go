package local

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// upload is a file on its way. Who has it changes it; what its status says is changed
// and read with the lock of files besides, as bytes may come slowly.
type upload struct {
	backend.Upload
	New     backend.NewUpload
	Touched time.Time

	had   chan struct{} // holds one while somebody has it
	sum   hash.Hash     // of what has come in this process, if that is all of it
	safe  int64         // bytes that are there also after a power cut
	claim int64         // bytes of disk that are set aside, at least Size
}

func newUpload() *upload { return &upload{had: make(chan struct{}, 1)} }

// take has the upload until give, when nobody else has it.
func (u *upload) take(ctx context.Context) error {
	select {
	case u.had <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

func (u *upload) give() { <-u.had }

func (f *files) openUploads() (damaged []string, err error) {
	return f.b.eachRecord("uploads", func() any { return newUpload() }, func(path string, v any) error {
		u := v.(*upload)
		if err := named(path, u.Owner, u.ID); err != nil {
			return err
		}
		if f.list[key(u.Owner, u.ID)] != nil { // the file was made, but this was not deleted any more
			f.forget(u)
			return nil
		}
		part := strings.TrimSuffix(path, ".json") + ".part"
		fi, err := os.Stat(part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			u.Size = 0
		case err != nil:
			return err
		default:
			u.Touched = fi.ModTime()
			// What came after Size was confirmed may never have reached the disk, though
			// the file is as long as if it had.
			if u.Size = min(u.Size, fi.Size()); fi.Size() > u.Size {
				if err := os.Truncate(part, u.Size); err != nil {
					return err
				}
			}
		}
		u.safe, u.claim = u.Size, max(u.Size, u.Total)
		f.uploads[key(u.Owner, u.ID)] = u
		return nil
	})
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
	n.ID = cmp.Or(n.ID, random())
	u := newUpload()
	u.Upload, u.New, u.Touched = backend.Upload{ID: n.ID, Owner: n.Owner, Total: max(n.Size, -1)}, n, time.Now()
	u.sum, u.claim = sha256.New(), max(n.Size, 0)
	if err := u.take(ctx); err != nil {
		return nil, err
	}
	defer u.give()
	f := b.files
	if err := b.reserve(n.Owner, u.claim, func() error { return f.announce(u) }); err != nil {
		return nil, err
	}
	if err := save(f.uploadPath(n.Owner, n.ID, ".json"), u); err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forget(u)
		return nil, b.diskError("announcing the upload", err)
	}
	out := u.Upload
	return &out, nil
}

// announce makes an upload known, unless its ID is taken.
func (f *files) announce(u *upload) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := key(u.Owner, u.ID)
	var e *backend.Error
	switch {
	case f.damaged[k]:
		e = backend.Errorf(backend.Conflict, "there was a file %q whose record on the server's disk is damaged: choose another name", u.ID)
	case f.uploads[k] != nil, f.list[k] != nil:
		e = backend.Errorf(backend.Conflict, "there is a file %q already: delete it, or choose another name", u.ID)
	default:
		f.uploads[k] = u
		return nil
	}
	e.Param = "name"
	return e
}

func (f *files) upload(owner, id string) (*upload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.uploads[key(owner, id)]; u != nil {
		return u, nil
	}
	return nil, backend.Errorf(backend.NotFound, "there is no upload %q: it is finished, was never begun, or nothing was added to it for %v", id, uploadLife)
}

// Upload says how far an upload has come, also while something is being added to it.
func (b *Backend) Upload(ctx context.Context, owner, id string) (*backend.Upload, error) {
	_, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	u, err := b.files.upload(owner, id)
	if err != nil {
		return nil, err
	}
	b.files.mu.Lock()
	defer b.files.mu.Unlock()
	out := u.Upload
	return &out, nil
}

// taken finds an upload and takes it; the caller gives it back.
func (f *files) taken(ctx context.Context, owner, id string) (*upload, error) {
	u, err := f.upload(owner, id)
	if err != nil {
		return nil, err
	}
	if err := u.take(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

// Append adds what r has to an upload. When r breaks off, what came of it stays.
func (b *Backend) Append(ctx context.Context, owner, id string, offset int64, r io.Reader) (*backend.Upload, error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	u, err := b.files.taken(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	defer u.give()
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

const (
	// claimStep is how many bytes of disk are set aside at a time for an upload whose
	// size nobody has announced.
	claimStep = 1 << 20
	// safeStep is after how many bytes an upload is synced while it comes.
	safeStep = 64 << 20
)

func (f *files) append(ctx context.Context, u *upload, r io.Reader) (err error) {
	file, err := os.OpenFile(f.uploadPath(u.Owner, u.ID, ".part"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return f.b.diskError("the upload", err)
	}
	defer func() {
		if e := f.confirm(u, file); e != nil && err == nil {
			err = e
		}
		if e := file.Close(); e != nil && err == nil {
			err = f.b.diskError("the upload", e)
		}
	}()
	limit := f.b.opts.MaxFile
	if u.Total >= 0 {
		limit = min(limit, u.Total)
	}
	began := u.Size
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return ended(err)
		}
		// Of an announced size all is set aside: what comes beyond is refused.
		room := int64(len(buf))
		if u.Total < 0 {
			if err := f.widen(u); err != nil {
				return err
			}
			room = min(room, u.claim-u.Size)
		}
		n, readErr := r.Read(buf[:room])
		if u.Size+int64(n) > limit {
			// Nothing of a piece that is too long is kept.
			if err := f.cut(u, file, began); err != nil {
				return err
			}
			if limit == u.Total {
				return backend.Errorf(backend.Invalid, "more than the %d bytes that were announced", limit)
			}
			return backend.Errorf(backend.TooLarge, "the file has more than %d bytes", limit)
		}
		if n > 0 {
			if _, err := file.WriteAt(buf[:n], u.Size); err != nil {
				failed := f.b.diskError("the upload", err)
				if err := f.cut(u, file, u.Size); err != nil {
					return err
				}
				return failed
			}
			if u.sum != nil {
				u.sum.Write(buf[:n])
			}
			f.resize(u, u.Size+int64(n))
			u.Touched = time.Now()
		}
		if u.Size-u.safe >= safeStep {
			if err := f.confirm(u, file); err != nil {
				return err
			}
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// widen sets disk aside for what comes next; less, where there is not much left.
func (f *files) widen(u *upload) error {
	if u.Size < u.claim {
		return nil
	}
	for step := int64(claimStep); ; step /= 8 {
		err := f.b.reserve(u.Owner, step, func() error {
			f.mu.Lock()
			defer f.mu.Unlock()
			u.claim += step
			return nil
		})
		if err == nil || step <= claimStep>>9 {
			return err
		}
	}
}

// resize says how much of an upload has come.
func (f *files) resize(u *upload, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u.Size = n
}

// cut takes back what came of an upload after its first n bytes.
func (f *files) cut(u *upload, file *os.File, n int64) error {
	if n < u.Size {
		u.sum = nil
	}
	f.resize(u, n)
	u.safe = min(u.safe, n)
	if err := file.Truncate(n); err != nil {
		return f.b.diskError("the upload", err)
	}
	return nil
}

// confirm makes what has come of an upload survive a power cut, and gives back what was
// set aside for more. If that fails it is taken back: the client sends it again. An
// upload that is whole is synced when it is finished.
func (f *files) confirm(u *upload, file *os.File) error {
	if u.Total < 0 {
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			u.claim = u.Size
		}()
	}
	if u.Size == u.safe || u.Size == u.Total {
		return nil
	}
	err := file.Sync()
	if err == nil {
		err = save(f.uploadPath(u.Owner, u.ID, ".json"), u)
	}
	if err != nil {
		failed := f.b.diskError("the upload", err)
		if err := f.cut(u, file, u.safe); err != nil {
			return err
		}
		return failed
	}
	u.safe = u.Size
	return nil
}

// Finish makes a file of an upload. It is looked into afterwards.
func (b *Backend) Finish(ctx context.Context, owner, id string) (*backend.File, error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	f := b.files
	u, err := f.taken(ctx, owner, id)
	if err != nil {
		return nil, err
	}
	defer u.give()
	switch {
	case u.Done:
		return nil, backend.Errorf(backend.Conflict, "upload %q is finished", id)
	case u.Size == 0:
		return nil, backend.Errorf(backend.Invalid, "the file %q is empty", u.New.Name)
	case u.Total >= 0 && u.Size < u.Total:
		return nil, backend.Errorf(backend.Invalid, "%d bytes of the %d that were announced have come: send the rest from offset %d on", u.Size, u.Total, u.Size)
	}
	sum, err := u.checksum(f.uploadPath(owner, id, ".part"))
	if err != nil {
		return nil, b.diskError("finishing the upload", err)
	}
	now := time.Now()
	r := &file{probed: make(chan struct{}), File: backend.File{
		ID: id, Owner: owner, Name: u.New.Name, MIME: u.New.MIME, Purpose: u.New.Purpose, Size: u.Size, SHA256: sum,
		Created: now, Updated: now, State: backend.FileProcessing,
	}}
	if u.New.TTL >= 0 {
		r.Expires = now.Add(cmp.Or(u.New.TTL, b.opts.FileTTL))
	}
	out := r.File
	if err := f.add(u, r); err != nil {
		return nil, b.diskError("finishing the upload", err)
	}
	b.running.Go(func() { f.probe(r) })
	return &out, nil
}

// add makes an upload's content that of a file. When it fails the upload is as it was.
func (f *files) add(u *upload, r *file) error {
	f.changes.Lock()
	defer f.changes.Unlock()
	name := hex.EncodeToString(r.SHA256[:])
	part := f.uploadPath(u.Owner, u.ID, ".part")
	f.mu.Lock()
	had := f.blobs[name] != nil
	f.hold(name, r.Size)
	u.claim = 0
	f.mu.Unlock()
	// Nobody else knows of a content that was not there: only this makes them.
	err := error(nil)
	if !had {
		if err = os.Rename(part, f.blobPath(name)); err == nil {
			err = disk.SyncDir(filepath.Join(f.b.opts.Dir, "blobs"))
		}
	}
	if err == nil {
		err = save(f.record(r.Owner, r.ID), &fileRecord{File: r.File})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.list[key(r.Owner, r.ID)] = r
		f.forget(u)
		return nil
	}
	u.claim = max(u.Size, u.Total)
	if had {
		f.release(name)
		return err
	}
	delete(f.blobs, name)
	return errors.Join(err, os.Rename(f.blobPath(name), part))
}

// checksum syncs what has come, and nothing else, and returns its SHA-256.
func (u *upload) checksum(path string) (sum [32]byte, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	if err := f.Truncate(u.Size); err != nil {
		return sum, err
	}
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

// forget deletes an upload, by who has it; f.mu is held.
func (f *files) forget(u *upload) {
	u.Done = true
	delete(f.uploads, key(u.Owner, u.ID))
	for _, ext := range []string{".part", ".json"} {
		if err := os.Remove(f.uploadPath(u.Owner, u.ID, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.b.log.Error("deleting an upload", "err", err)
		}
	}
}
