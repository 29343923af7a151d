package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// stoppedIn is the reason of a file that a process ended over.
const stoppedIn = "the server stopped while it looked into the file, perhaps because of it: upload it again to have it tried once more"

// probe looks into a file: what it is, how long it is, and whether it can be read. It
// is on disk that this has begun: a file that kills the process does so once.
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
	if err := f.write(r, true); err != nil {
		f.b.log.Error("a file's record", "file", r.ID, "err", err)
	}
	found, err := f.look(f.b.life, path, &was)
	stopped := f.b.life.Err() != nil
	if !stopped {
		f.mu.Lock()
		r.State, r.Updated = backend.FileActive, time.Now()
		if err != nil {
			r.State, r.Reason = backend.FileFailed, clean(err, path, label(&was))
		} else {
			r.MIME, r.Duration = found.MIME, found.Duration
		}
		f.mu.Unlock()
		defer close(r.probed)
	}
	if err := f.write(r, false); err != nil {
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
