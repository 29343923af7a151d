package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/handscroll/handscroll/internal/disk"
)

// What lies beside a file while it is fetched.
const (
	partSuffix = ".part"
	infoSuffix = ".part.json"
	lockSuffix = ".lock"
)

const (
	infoFormat  = "handscroll download"
	infoVersion = 1
)

// info is what is known of the file that a part is of.
type info struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`
	GitSHA1 string `json:"git_sha1,omitempty"`
	ETag    string `json:"etag,omitempty"`   // of the server that sends the bytes
	Commit  string `json:"commit,omitempty"` // that the file was found in
}

func infoOf(f File) info {
	return info{Format: infoFormat, Version: infoVersion, Size: f.Size, SHA256: f.SHA256, GitSHA1: f.GitSHA1}
}

// part is the beginning of a file, on the disk.
type part struct {
	target Target
	f      *os.File
	size   int64
	sum    digest // of the bytes so far
	info   info
}

// openPart opens what there is of a file, or begins it if that is nothing or of
// another file.
func openPart(t Target) (*part, error) {
	f, err := os.OpenFile(t.Local+partSuffix, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	p := &part{target: t, f: f, sum: newDigest(t.File), info: infoOf(t.File)}
	if err := p.take(); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// take finds out how much of the file there is.
func (p *part) take() error {
	fi, err := p.f.Stat()
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	var found info
	data, err := os.ReadFile(p.target.Local + infoSuffix)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("hub: %w", err)
	}
	// What cannot be read says nothing of the part, like one that is missing.
	known := err == nil && json.Unmarshal(data, &found) == nil
	tag, commit := found.ETag, found.Commit
	found.ETag, found.Commit = "", ""
	if known && found == p.info && fi.Size() <= p.target.Size {
		p.size = fi.Size()
		p.info.ETag, p.info.Commit = tag, commit
		return nil
	}
	if err := p.reset(); err != nil {
		return err
	}
	return p.saveInfo()
}

// check takes the bytes that are there into the checksum.
func (p *part) check(ctx context.Context, report func(int)) error {
	if err := p.sum.read(ctx, io.NewSectionReader(p.f, 0, p.size), p.size, report); err != nil {
		return err
	}
	return p.checkMagic()
}

// note keeps what a server says of the file.
func (p *part) note(tag, commit string) error {
	if p.info.ETag == tag && p.info.Commit == commit {
		return nil
	}
	p.info.ETag, p.info.Commit = tag, commit
	return p.saveInfo()
}

func (p *part) saveInfo() error {
	data, err := json.MarshalIndent(p.info, "", "  ")
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	path := p.target.Local + infoSuffix
	if err := disk.WriteFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	return nil
}

// reset drops all bytes.
func (p *part) reset() error {
	if err := p.f.Truncate(0); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	p.size = 0
	p.sum = newDigest(p.target.File)
	return nil
}

// write appends.
func (p *part) write(b []byte) error {
	n, err := p.f.WriteAt(b, p.size)
	p.sum.write(b[:n])
	begun := p.size >= int64(len(magic))
	p.size += int64(n)
	if err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if begun {
		return nil
	}
	return p.checkMagic()
}

const magic = "GGUF"

// checkMagic looks at the first bytes, as soon as they are there, of what
// should be a GGUF file.
func (p *part) checkMagic() error {
	if !isGGUF(p.target.Path) || p.size < int64(len(magic)) && p.size < p.target.Size {
		return nil
	}
	head := make([]byte, min(p.size, int64(len(magic))))
	if _, err := p.f.ReadAt(head, 0); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if string(head) != magic {
		return &untrueError{fmt.Errorf("hub: %s is no GGUF file: it begins with %q", p.target.Path, head)}
	}
	return nil
}

// ChecksumError says that a file is not what its checksum says. It is removed.
type ChecksumError struct{ Path, Want, Got string }

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("hub: %s has checksum %s, the hub says %s; what was fetched is removed", e.Path, e.Got, e.Want)
}

// finish gives a complete file its name and returns its SHA-256. A file with
// another checksum is removed.
func (p *part) finish() (string, error) {
	if got, want := p.sum.compare(p.target.File); got != want {
		return "", errors.Join(&ChecksumError{p.target.Path, want, got}, p.remove())
	}
	if err := p.f.Sync(); err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	if err := p.close(); err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	if err := os.Rename(p.target.Local+partSuffix, p.target.Local); err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	if err := disk.SyncDir(filepath.Dir(p.target.Local)); err != nil {
		return "", fmt.Errorf("hub: %w", err)
	}
	return p.sum.sha256(), removePart(p.target.Local)
}

// close closes the file; a second time it does nothing.
func (p *part) close() error {
	if p.f == nil {
		return nil
	}
	err := p.f.Close()
	p.f = nil
	return err
}

// remove deletes what there is of the file.
func (p *part) remove() error {
	return errors.Join(p.close(), removePart(p.target.Local))
}

// removePart deletes what lies beside a file, if anything does.
func removePart(local string) error {
	for _, suffix := range []string{partSuffix, infoSuffix, infoSuffix + ".tmp"} {
		if err := os.Remove(local + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("hub: %w", err)
		}
	}
	return nil
}

// digest is the SHA-256 of a file's bytes and, where the list has no other, git's
// checksum.
type digest struct{ sha, git hash.Hash }

func newDigest(f File) digest {
	d := digest{sha: sha256.New()}
	if f.SHA256 == "" {
		d.git = sha1.New()
		fmt.Fprintf(d.git, "blob %d\x00", f.Size) // as git has it
	}
	return d
}

func (d digest) write(b []byte) {
	d.sha.Write(b)
	if d.git != nil {
		d.git.Write(b)
	}
}

// read takes n bytes from r and reports them.
func (d digest) read(ctx context.Context, r io.Reader, n int64, report func(int)) error {
	buf := make([]byte, min(n, 1<<20))
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(n, int64(len(buf)))]
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("hub: %w", err)
		}
		d.write(b)
		report(len(b))
		n -= int64(len(b))
	}
	return nil
}

func (d digest) sha256() string { return hex.EncodeToString(d.sha.Sum(nil)) }

// compare returns the checksum of the bytes read and the one that f has.
func (d digest) compare(f File) (got, want string) {
	if d.git != nil {
		return hex.EncodeToString(d.git.Sum(nil)), f.GitSHA1
	}
	return d.sha256(), f.SHA256
}
