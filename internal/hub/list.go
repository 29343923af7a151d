package hub

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Bounds of a list, far above any real one.
const (
	maxListBytes = 16 << 20
	maxListPages = 1000
)

// File is a file of a repository.
type File struct {
	// Path is relative and has slashes; it leads out of no folder.
	Path string
	Size int64
	// SHA256, in hexadecimal, is of files in large-file storage, as all models
	// are; of the others there is git's checksum, SHA-1 over a header and the
	// contents.
	SHA256  string
	GitSHA1 string
}

// Listing is what a repository holds at a revision.
type Listing struct {
	Repo     string
	Revision string
	Files    []File
}

// repoName is owner and name as the hub allows them.
var repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)

// List returns the files of a repository, OWNER/NAME, at a revision: a branch,
// a tag or a commit, "main" if it is empty.
func (c *Client) List(ctx context.Context, repo, revision string) (*Listing, error) {
	if !repoName.MatchString(repo) {
		return nil, fmt.Errorf("hub: %q is no repository: write OWNER/NAME", repo)
	}
	if revision == "" {
		revision = "main"
	}
	if revision == "." || revision == ".." || strings.ContainsFunc(revision, unicode.IsControl) {
		return nil, fmt.Errorf("hub: %q is no revision: write a branch, a tag or a commit", revision)
	}
	l := &Listing{Repo: repo, Revision: revision}
	names := make(map[string]bool)
	pages := make(map[string]bool)
	left := maxListBytes
	u := c.url("api", "models", repo, "tree", url.PathEscape(revision))
	u.RawQuery = "recursive=true"
	for u != nil {
		if pages[u.String()] || len(pages) == maxListPages {
			return nil, fmt.Errorf("hub: the list of %s has no end: page %d", repo, len(pages))
		}
		pages[u.String()] = true
		data, next, err := c.page(ctx, u, left)
		if err != nil {
			return nil, err
		}
		left -= len(data)
		files, err := parseFiles(data)
		if err != nil {
			return nil, fmt.Errorf("hub: the list of %s: %w", repo, err)
		}
		for _, f := range files {
			if names[f.Path] {
				return nil, fmt.Errorf("hub: the list of %s names %q twice", repo, f.Path)
			}
			names[f.Path] = true
		}
		l.Files = append(l.Files, files...)
		u = next
	}
	return l, nil
}

// page reads a page of a list, of max bytes at most, and where the next one is,
// nil after the last.
func (c *Client) page(ctx context.Context, u *url.URL, max int) (data []byte, next *url.URL, err error) {
	var link string
	err = c.retry(ctx, nil, func() (bool, error) {
		resp, _, err := c.get(ctx, u, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		link = nextLink(resp.Header)
		data, err = io.ReadAll(io.LimitReader(resp.Body, int64(max)+1))
		return false, err
	})
	if err != nil {
		return nil, nil, err
	}
	if len(data) > max {
		return nil, nil, fmt.Errorf("hub: %s: the list has more than %d bytes", shown(u), maxListBytes)
	}
	if link == "" {
		return data, nil, nil
	}
	if next, err = u.Parse(link); err != nil || !c.isHub(next) {
		return nil, nil, fmt.Errorf("hub: %s: the list goes on at another host: refused", shown(u))
	}
	return data, next, nil
}

// nextLink is the target of rel="next" in a Link header (RFC 8288), or "".
func nextLink(h http.Header) string {
	for _, rest := range h.Values("Link") {
		for {
			var target, params string
			var ok bool
			if _, rest, ok = strings.Cut(rest, "<"); !ok {
				break
			}
			if target, rest, ok = strings.Cut(rest, ">"); !ok {
				break
			}
			params, rest, _ = strings.Cut(rest, ",")
			for p := range strings.SplitSeq(params, ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
				if strings.EqualFold(key, "rel") && strings.Trim(value, `"`) == "next" {
					return target
				}
			}
		}
	}
	return ""
}

func parseFiles(data []byte) ([]File, error) {
	var entries []struct {
		Type, Path, OID string
		Size            int64
		LFS             *struct {
			OID  string
			Size int64
		}
	}
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("not a list of files (is there a hub at the endpoint?): %w", err)
	}
	var files []File
	for _, e := range entries {
		if e.Type != "file" {
			continue
		}
		f := File{Path: e.Path, Size: e.Size, GitSHA1: strings.ToLower(e.OID)}
		if e.LFS != nil {
			// The SHA-1 is of a pointer then, not of the contents.
			f = File{Path: e.Path, Size: e.LFS.Size, SHA256: strings.ToLower(strings.TrimPrefix(e.LFS.OID, "sha256:"))}
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// check refuses what no file can be.
func (f File) check() error {
	// Backslashes are separators on Windows, control characters command a
	// terminal.
	if !fs.ValidPath(f.Path) || f.Path == "." || strings.Contains(f.Path, `\`) || strings.ContainsFunc(f.Path, unicode.IsControl) {
		return fmt.Errorf("file name %q is refused: it could lead out of the folder", f.Path)
	}
	if f.Size < 0 {
		return fmt.Errorf("%s: size %d", f.Path, f.Size)
	}
	if !isHex(f.SHA256, 64) && !isHex(f.GitSHA1, 40) {
		return fmt.Errorf("%s: checksum %q is neither SHA-256 nor git's SHA-1", f.Path, f.SHA256+f.GitSHA1)
	}
	return nil
}

func isHex(s string, n int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == n
}
