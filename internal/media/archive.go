package media

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
)

func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b, 8}) }

// isTar looks for the magic of POSIX and GNU archives.
func isTar(data []byte) bool {
	const at = 257
	return len(data) >= 512 && bytes.HasPrefix(data[at:], []byte("ustar"))
}

// gzip opens a compressed file, and the archive that may be inside. A
// compressed file inside a compressed file stays closed: it would be a way to
// hide any amount of data in a few bytes.
func (o *opener) gzip(source string, data []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("media: %s: %w", source, err)
	}
	plain, err := o.slurp(z, 0)
	if err != nil {
		var size *SizeError
		if errors.As(err, &size) {
			return err
		}
		return fmt.Errorf("media: %s: damaged gzip: %w", source, err)
	}
	if isTar(plain) {
		return o.tar(source, plain)
	}
	if len(plain) == 0 {
		o.skip(source, reasonEmpty)
		return nil
	}
	return o.plain(source, plain)
}

// plain decodes bytes that come out of a container.
func (o *opener) plain(source string, data []byte) error {
	f, ok := Sniff(o.opts.Formats, source, data)
	if !ok {
		o.skip(source, reasonBinary)
		return nil
	}
	parts, err := f.Decode(context.Background(), &File{Name: source, Size: int64(len(data)), Head: data[:min(len(data), SniffBytes)], ReaderAt: bytes.NewReader(data)}, o.opts.Limits.WithDefaults())
	if err != nil {
		return fmt.Errorf("media: %s: %w", source, err)
	}
	for _, p := range parts {
		o.bytes += int64(len(p.Text))
	}
	o.parts = append(o.parts, parts...)
	return nil
}

// tar reads an archive's files in the archive's order. Of members with the same
// name the last counts, as when the archive is unpacked.
func (o *opener) tar(source string, data []byte) error {
	last := map[string]int{}
	err := members(source, data, func(m member) error {
		last[m.name] = m.index
		return nil
	})
	if err != nil {
		return err
	}
	return members(source, data, func(m member) error {
		if last[m.name] != m.index {
			o.skip(m.name, "replaced further on in the archive")
			return nil
		}
		text, err := o.slurp(m, m.size)
		if err != nil {
			var size *SizeError
			if errors.As(err, &size) {
				return err
			}
			return fmt.Errorf("media: %s: damaged archive: %w", m.name, err)
		}
		switch {
		case len(text) == 0:
			o.skip(m.name, reasonEmpty)
		case isGzip(text) || isTar(text):
			o.skip(m.name, "archive inside an archive")
		default:
			return o.plain(m.name, text)
		}
		return nil
	})
}

// member is a file in an archive.
type member struct {
	io.Reader
	index int
	name  string // "archive/member", never out of the archive
	size  int64  // a hint, no more than the archive's
}

// members calls visit with every file of an archive.
func members(source string, data []byte, visit func(member) error) error {
	r := tar.NewReader(bytes.NewReader(data))
	for i := 0; ; i++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("media: %s: damaged archive: %w", source, err)
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		default:
			continue // directories and links hold nothing of their own
		}
		m := member{r, i, source + path.Clean("/"+h.Name), min(h.Size, int64(len(data)))}
		if err := visit(m); err != nil {
			return err
		}
	}
}
