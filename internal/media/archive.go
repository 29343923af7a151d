package media

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
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
	plain, err := o.slurp(z)
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
	parts, err := f.Decode(source, data)
	if err != nil {
		return fmt.Errorf("media: %s: %w", source, err)
	}
	for _, p := range parts {
		o.bytes += int64(len(p.Text))
	}
	o.parts = append(o.parts, parts...)
	return nil
}

// tar reads an archive's files in the archive's order.
func (o *opener) tar(source string, data []byte) error {
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("media: %s: damaged archive: %w", source, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue // directories and links hold nothing of their own
		}
		member := source + "/" + path.Clean(h.Name)
		text, err := o.slurp(r)
		if err != nil {
			var size *SizeError
			if errors.As(err, &size) {
				return err
			}
			return fmt.Errorf("media: %s: damaged archive: %w", member, err)
		}
		switch {
		case len(text) == 0:
			o.skip(member, reasonEmpty)
		case isGzip(text) || isTar(text):
			o.skip(member, "archive inside an archive")
		default:
			if err := o.plain(member, text); err != nil {
				return err
			}
		}
	}
}
