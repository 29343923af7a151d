package media

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}) }

// isTar looks for the magic of POSIX and GNU archives.
func isTar(head []byte) bool {
	const at = 257
	return len(head) >= 512 && bytes.HasPrefix(head[at:], []byte("ustar"))
}

func isZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// isPackage reports whether a zip archive is one document (Office Open XML,
// EPUB, OpenDocument) rather than a bundle of files.
func isPackage(z *zip.Reader) bool {
	for _, f := range z.File {
		switch f.Name {
		case "[Content_Types].xml", "META-INF/container.xml":
			return true
		case "mimetype":
			return f.UncompressedSize64 < 256
		}
	}
	return false
}

// content decodes a file, through the container it may be in.
func (o *opener) content(f *File) error {
	switch {
	case isGzip(f.Head):
		return o.gzip(f)
	case isTar(f.Head):
		return o.tar(f)
	case isZip(f.Head):
		z, err := zip.NewReader(f, f.Size)
		if err != nil {
			return fmt.Errorf("media: %s: damaged zip archive: %w", f.Name, err)
		}
		if !isPackage(z) {
			return o.zip(f, z)
		}
	}
	return o.decode(f)
}

// gzip opens a compressed file, and the tar archive that may be inside. A
// compressed file inside a compressed file stays closed: it would be a way to
// hide any amount of data in a few bytes.
func (o *opener) gzip(f *File) error {
	z, err := gzip.NewReader(io.NewSectionReader(f, 0, f.Size))
	if err != nil {
		return fmt.Errorf("media: %s: damaged gzip: %w", f.Name, err)
	}
	data, err := o.slurp(f.Name, z, 0, o.limits().Text)
	if err != nil {
		return o.damaged(f.Name, "gzip", err)
	}
	plain := memory(f.Name, data)
	switch {
	case len(data) == 0:
		o.skip(f.Name, reasonEmpty)
		return nil
	case isTar(plain.Head):
		return o.tar(plain)
	case o.nested(plain):
		o.skip(f.Name, reasonNested)
		return nil
	}
	return o.decode(plain)
}

// damaged wraps an error of reading an archive, unless it is one of size or of
// being stopped.
func (o *opener) damaged(source, what string, err error) error {
	if strings.HasPrefix(err.Error(), "media: ") || o.ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("media: %s: damaged %s: %w", source, what, err)
}

// nested reports whether what comes out of a container is one.
func (o *opener) nested(f *File) bool {
	if isZip(f.Head) {
		z, err := zip.NewReader(f, f.Size)
		return err != nil || !isPackage(z)
	}
	return isGzip(f.Head) || isTar(f.Head)
}

// unpacker takes the members of one archive. Together they may hold as much as
// one file, or as is left of all.
type unpacker struct {
	*opener
	left int64
}

// add decodes a member, which holds size bytes if its archive is right.
func (u *unpacker) add(name string, r io.Reader, size int64) error {
	head := make([]byte, SniffBytes)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return u.damaged(name, "archive", err)
	}
	head = head[:n]
	_, known := Sniff(u.opts.Formats, name, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		u.skip(name, reasonEmpty)
		return nil
	case isGzip(head) || isTar(head):
		u.skip(name, reasonNested)
		return nil
	case !known && !isZip(head):
		u.skip(name, reasonBinary)
		return nil
	}
	data, err := u.slurp(name, io.MultiReader(bytes.NewReader(head), r), size, u.left)
	if err != nil {
		return u.damaged(name, "archive", err)
	}
	f := memory(name, data)
	if u.nested(f) {
		u.skip(name, reasonNested)
		return nil
	}
	u.left -= int64(len(data))
	return u.decode(f)
}

// tar reads an archive's files in the archive's order. Of members with the same
// name the last counts, as when the archive is unpacked.
func (o *opener) tar(f *File) error {
	last := map[string]int{}
	err := o.tarMembers(f, func(i int, name string, _ *tar.Header, _ io.Reader) error {
		last[name] = i
		return nil
	})
	if err != nil {
		return err
	}
	u := unpacker{o, o.limits().Text}
	return o.tarMembers(f, func(i int, name string, h *tar.Header, r io.Reader) error {
		if last[name] != i {
			o.skip(name, reasonReplaced)
			return nil
		}
		return u.add(name, r, min(h.Size, f.Size))
	})
}

// tarMembers calls visit with every file of a tar archive.
func (o *opener) tarMembers(f *File, visit func(i int, name string, h *tar.Header, r io.Reader) error) error {
	r := tar.NewReader(io.NewSectionReader(f, 0, f.Size))
	for i := 0; ; i++ {
		if err := o.ctx.Err(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("media: %s: damaged archive: %w", f.Name, err)
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		default:
			continue // directories and links hold nothing of their own
		}
		if err := visit(i, memberName(f.Name, h.Name), h, r); err != nil {
			return err
		}
	}
}

// zip reads an archive's files in the order of its directory.
func (o *opener) zip(archive *File, z *zip.Reader) error {
	last := map[string]*zip.File{}
	for _, f := range z.File {
		last[memberName(archive.Name, f.Name)] = f
	}
	u := unpacker{o, o.limits().Text}
	for _, f := range z.File {
		if err := o.ctx.Err(); err != nil {
			return err
		}
		name := memberName(archive.Name, f.Name)
		switch {
		case !f.Mode().IsRegular():
			continue // directories and links hold nothing of their own
		case last[name] != f:
			o.skip(name, reasonReplaced)
			continue
		case f.Flags&1 != 0:
			o.skip(name, "encrypted")
			continue
		case f.Method != zip.Store && f.Method != zip.Deflate:
			o.skip(name, fmt.Sprintf("compressed by method %d, which is not read", f.Method))
			continue
		}
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("media: %s: damaged archive: %w", name, err)
		}
		// Of the size that the archive claims no more is believed than it has.
		err = u.add(name, r, int64(min(f.UncompressedSize64, uint64(archive.Size))))
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// memberName is "archive/member", which never leads out of the archive.
func memberName(source, name string) string {
	return source + path.Clean("/"+strings.ReplaceAll(name, `\`, "/"))
}
