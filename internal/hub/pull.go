package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// minAdvance is how many bytes a try must bring for the next ones to count
// from the first again.
const minAdvance = 1 << 20

// Target is a file of a repository and the path that it is to have here.
type Target struct {
	File
	Local string
}

// Progress says how far a pull is, all files together.
type Progress struct {
	Bytes    int64 // verified or written
	Total    int64
	Fetched  int64         // of Bytes, over the network, by this call
	Elapsed  time.Duration // since the first of those was asked for
	Checking bool          // bytes that were here are being read
	Waiting  error         // why there is a pause before the next try
}

// Result is a file that was pulled.
type Result struct {
	Path   string
	Size   int64
	SHA256 string
	Kept   bool // it was here already
}

// ChangedError says that a file is not the one that was listed.
type ChangedError struct{ Path, Listed, Found string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("hub: %s has changed since it was listed: %s instead of %s", e.Path, e.Found, e.Listed)
}

// SpaceError says that files do not fit on the disk.
type SpaceError struct {
	Dir          string
	Needed, Free int64
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("hub: %.3f GB are needed in %s, and %.3f GB are free", float64(e.Needed)/1e9, e.Dir, float64(e.Free)/1e9)
}

// untrueError says that what has come is not the file: it is not kept.
type untrueError struct{ error }

// Pull fetches targets, all into one file system, one after another. A file
// that is there already with the right checksum is kept, another one replaced
// when its successor is complete. progress, if not nil, is called often and by
// one goroutine at a time.
//
// When Pull fails or ctx ends, what has come is kept beside the target, and the
// next Pull of the same file goes on from there.
func (c *Client) Pull(ctx context.Context, l *Listing, targets []Target, progress func(Progress)) ([]Result, error) {
	p := &pull{client: c, repo: l.Repo, revision: l.Revision, tell: progress}
	for _, t := range targets {
		p.state.Total += t.Size
		if err := os.MkdirAll(filepath.Dir(t.Local), 0o777); err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
	}
	if err := p.checkSpace(targets); err != nil {
		return nil, err
	}
	var out []Result
	for _, t := range targets {
		r, err := p.file(ctx, t)
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

// pull is one call of Pull.
type pull struct {
	client   *Client
	repo     string
	revision string // a commit, once the hub has named it: later answers belong together
	tell     func(Progress)
	state    Progress
	begin    time.Time // zero before the first request
}

// report tells of n more bytes.
func (p *pull) report(n int) {
	p.state.Bytes += int64(n)
	if !p.begin.IsZero() {
		p.state.Elapsed = time.Since(p.begin)
	}
	if p.tell != nil {
		p.tell(p.state)
	}
}

// checkSpace refuses a pull for which there is no room, where the system says
// how much there is.
func (p *pull) checkSpace(targets []Target) error {
	var needed int64
	for _, t := range targets {
		if fi, err := os.Stat(t.Local); err == nil && fi.Size() == t.Size {
			continue
		}
		needed += t.Size
		if fi, err := os.Stat(t.Local + partSuffix); err == nil {
			needed -= min(fi.Size(), t.Size)
		}
	}
	if needed == 0 {
		return nil
	}
	dir := filepath.Dir(targets[0].Local)
	if free, known := p.client.free(dir); known && uint64(needed) > free {
		return &SpaceError{dir, needed, int64(free)}
	}
	return nil
}

// file pulls one target.
func (p *pull) file(ctx context.Context, t Target) (Result, error) {
	unlock, err := lock(t.Local)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	before := p.state.Bytes
	p.state.Checking = true
	sum, err := p.existing(ctx, t)
	if err != nil {
		return Result{}, err
	}
	if sum != "" {
		return Result{t.Local, t.Size, sum, true}, removePart(t.Local)
	}
	p.state.Bytes = before
	part, err := openPart(t)
	if err != nil {
		return Result{}, err
	}
	defer part.close()
	if err = part.check(ctx, p.report); err == nil {
		p.state.Checking = false
		err = p.fetch(ctx, part)
	}
	var untrue *untrueError
	if errors.As(err, &untrue) {
		return Result{}, errors.Join(err, part.remove())
	}
	if err != nil {
		return Result{}, err
	}
	sum, err = part.finish()
	return Result{t.Local, t.Size, sum, false}, err
}

// existing returns the SHA-256 of a target that is there already, or "".
func (p *pull) existing(ctx context.Context, t Target) (string, error) {
	fi, err := os.Stat(t.Local)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("hub: %w", err)
	case !fi.Mode().IsRegular():
		return "", fmt.Errorf("hub: %s is there and not a file", t.Local)
	case fi.Size() != t.Size:
		return "", nil
	}
	f, err := os.Open(t.Local)
	if err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	defer f.Close()
	d := newDigest(t.File)
	if err := d.read(ctx, f, t.Size, p.report); err != nil {
		return "", err
	}
	if got, want := d.compare(t.File); got != want {
		return "", nil
	}
	return d.sha256(), nil
}

// fetch gets what is missing of a file, in as many tries as it takes.
func (p *pull) fetch(ctx context.Context, part *part) error {
	if p.begin.IsZero() {
		p.begin = time.Now()
	}
	waiting := func(err error) {
		p.state.Waiting = err
		p.report(0)
		p.state.Waiting = nil
	}
	most := part.size
	return p.client.retry(ctx, waiting, func() (bool, error) {
		err := p.try(ctx, part)
		advanced := part.size >= most+minAdvance
		most = max(most, part.size)
		return advanced, err
	})
}

// try gets what is missing of a file over one connection.
func (p *pull) try(ctx context.Context, part *part) error {
	if part.size == part.target.Size {
		return nil
	}
	header := make(http.Header)
	if part.size > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", part.size))
		if isStrong(part.info.ETag) {
			header.Set("If-Range", part.info.ETag)
		}
	}
	u := p.client.url(p.repo, "resolve", url.PathEscape(p.revision), escapePath(part.target.Path))
	resp, hub, err := p.client.get(ctx, u, header)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable && part.size > 0 {
		return p.restart(part, err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := agrees(hub, part.target.File); err != nil {
		return err
	}
	if err := p.start(part, resp); err != nil {
		return err
	}
	commit := hub.Get("X-Repo-Commit")
	if isHex(commit, 40) {
		p.revision = commit
	}
	if err := part.note(resp.Header.Get("ETag"), commit); err != nil {
		return err
	}
	return p.copy(part, resp)
}

// agrees checks that the hub speaks of the file that was listed.
func agrees(hub http.Header, f File) error {
	if tag := strings.Trim(hub.Get("X-Linked-Etag"), `"`); isHex(tag, 64) && f.SHA256 != "" && !strings.EqualFold(tag, f.SHA256) {
		return &ChangedError{f.Path, "SHA-256 " + f.SHA256, tag}
	}
	if size := hub.Get("X-Linked-Size"); size != "" && size != strconv.FormatInt(f.Size, 10) {
		return &ChangedError{f.Path, fmt.Sprintf("%d bytes", f.Size), fmt.Sprintf("%.20q", size)}
	}
	return nil
}

// restart begins a file anew, because of err.
func (p *pull) restart(part *part, err error) error {
	if err := p.reset(part); err != nil {
		return err
	}
	return &transientError{error: err}
}

func (p *pull) reset(part *part) error {
	p.state.Bytes -= part.size
	return part.reset()
}

// start checks a response's header against what was asked for, and drops what
// there is of the file if all of it comes.
func (p *pull) start(part *part, resp *http.Response) error {
	name, size := part.target.Path, part.target.Size
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return fmt.Errorf("hub: %s comes in encoding %.20q, which was not asked for", name, e)
	}
	from := int64(0)
	if resp.StatusCode == http.StatusPartialContent {
		first, last, total, ok := parseRange(resp.Header.Get("Content-Range"))
		if !ok || first != part.size || total != size {
			return fmt.Errorf("hub: %s: asked for bytes %d to %d of %d, the server sends %.60q; to begin anew, remove %s",
				name, part.size, size-1, size, resp.Header.Get("Content-Range"), part.f.Name())
		}
		if tag := resp.Header.Get("ETag"); isStrong(tag) && isStrong(part.info.ETag) && tag != part.info.ETag {
			return p.restart(part, fmt.Errorf("hub: %s: the server has another file now", name))
		}
		from, size = first, last+1
	}
	if n := resp.ContentLength; n >= 0 && n != size-from {
		return fmt.Errorf("hub: %s: the server sends %d bytes instead of %d", name, n, size-from)
	}
	if from < part.size {
		return p.reset(part)
	}
	return nil
}

// copy writes a body to part.
func (p *pull) copy(part *part, resp *http.Response) error {
	size := part.target.Size
	buf := make([]byte, 256<<10)
	for part.size < size {
		n, err := resp.Body.Read(buf[:min(int64(len(buf)), size-part.size)])
		if err := part.write(buf[:n]); err != nil {
			return err
		}
		p.state.Fetched += int64(n)
		p.report(n)
		if err == io.EOF && part.size < size {
			return &transientError{error: fmt.Errorf("hub: %s: the connection ended after %d of %d bytes", part.target.Path, part.size, size)}
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	if resp.ContentLength < 0 {
		// What goes wrong after the last byte does not matter, but one more does.
		if n, _ := io.ReadFull(resp.Body, buf[:1]); n > 0 {
			return &untrueError{fmt.Errorf("hub: %s: the server sends more than %d bytes", part.target.Path, size)}
		}
	}
	return nil
}

// parseRange reads a Content-Range header (RFC 9110, 14.4).
func parseRange(s string) (first, last, total int64, ok bool) {
	s, isBytes := strings.CutPrefix(s, "bytes ")
	span, all, _ := strings.Cut(s, "/")
	a, b, _ := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(a, 10, 64)
	last, err2 := strconv.ParseInt(b, 10, 64)
	total, err3 := strconv.ParseInt(all, 10, 64)
	ok = isBytes && err1 == nil && err2 == nil && err3 == nil && 0 <= first && first <= last && last < total
	return first, last, total, ok
}

// isStrong reports whether an entity tag may go into If-Range (RFC 9110, 13.1.5).
func isStrong(tag string) bool { return strings.HasPrefix(tag, `"`) }

// escapePath escapes what is between slashes.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
