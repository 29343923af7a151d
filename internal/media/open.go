package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the name that stands for standard input.
const Stdin = "-"

// Options say how to open.
type Options struct {
	Formats []Format
	Stdin   io.Reader // what "-" reads
	// MaxBytes bounds the text of all parts together; 0 is no bound. Beyond it
	// Open fails with a [*SizeError].
	MaxBytes int64
	Limits   Limits
	// Name is what the file is called that is opened, if it is one: its part's Source,
	// and what its content is decided by where that leaves it open. "" is its path.
	Name string
	// FrameDir, if not nil, decodes a directory that holds nothing but the
	// numbered frames of a film; files are their names in it, in order.
	FrameDir func(ctx context.Context, dir string, files []string, l Limits) ([]Part, error)
}

// Open reads what names say: files, directories, globs (with ** for any depth)
// and "-" for standard input. Content decides what a file is, not its name. A
// file on disk is given to its format without being read into memory. Of
// directories every file below is read in the order of their paths, but for
// version control's own, what .gitignore leaves out, generated files and
// node_modules. What is compressed with gzip is opened, and the members of tar
// and zip archives, in memory.
//
// A named file that is missing, unreadable, damaged, empty or changed while it
// was read is an error; inside directories such files are skipped. Binary files
// are skipped everywhere. All that is returned.
func Open(ctx context.Context, names []string, opts Options) ([]Part, []Skipped, error) {
	o := opener{ctx: ctx, opts: opts, seen: map[string]bool{}}
	for _, name := range names {
		if err := o.open(name); err != nil {
			return nil, o.skipped, err
		}
	}
	return o.parts, o.skipped, nil
}

type opener struct {
	ctx     context.Context
	opts    Options
	parts   []Part
	skipped []Skipped
	bytes   int64           // of text in parts
	seen    map[string]bool // sources, so that overlapping names read a file once
}

func (o *opener) open(name string) error {
	if name == "" {
		return errors.New("media: empty file name")
	}
	if name == Stdin {
		if o.opts.Stdin == nil {
			return errors.New("media: no standard input")
		}
		if !o.first(Stdin) {
			return nil
		}
		return wrap(Stdin, o.stream(Stdin, o.opts.Stdin))
	}
	fi, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isGlob(name):
		return o.glob(name)
	case err != nil:
		return fmt.Errorf("media: %w", err)
	case fi.IsDir():
		return o.dir(name)
	}
	path := filepath.Clean(name)
	source := path
	if o.opts.Name != "" {
		source = o.opts.Name
	}
	if !o.first(source) {
		return nil
	}
	return wrap(source, o.file(source, path, nil))
}

// first reports whether a source comes for the first time.
func (o *opener) first(source string) bool {
	if o.seen[source] {
		return false
	}
	o.seen[source] = true
	return true
}

// wrap names the file in an error that does not do so by itself.
func wrap(source string, err error) error {
	var pe *fs.PathError
	var size *SizeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &size), strings.HasPrefix(err.Error(), "media: "):
		return err
	case errors.As(err, &pe):
		return fmt.Errorf("media: %w", err)
	}
	return fmt.Errorf("media: %s: %w", source, err)
}

// found reads a file that a walk or a glob came upon. What is wrong with it is
// no error, unless there is more text than may be held. The file is left out if
// veto, where it is not nil, has a reason.
func (o *opener) found(path string, veto func(path string, head []byte) string) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	fi, err := os.Stat(path) // follows links to files
	switch {
	case err != nil:
		o.skip(path, reason(err))
		return nil
	case fi.IsDir():
		o.skip(path, "link to a directory") // it could lead in circles
		return nil
	case !fi.Mode().IsRegular():
		o.skip(path, "not a regular file")
		return nil
	case fi.Size() == 0:
		o.skip(path, reasonEmpty)
		return nil
	}
	if !o.first(path) {
		return nil
	}
	before, bytes := len(o.parts), o.bytes
	err = o.file(path, path, veto)
	var size *SizeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &size):
		return err
	case o.ctx.Err() != nil:
		return o.ctx.Err()
	}
	// A damaged archive gives nothing rather than some of its members.
	o.parts, o.bytes = o.parts[:before], bytes
	o.skip(path, strings.TrimPrefix(reason(err), path+": "))
	return nil
}

// reason is an error without the operation and the path, which are said anyway.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "media: ")
}

func (o *opener) skip(source, reason string) {
	o.skipped = append(o.skipped, Skipped{Source: source, Reason: reason})
}

// file decodes a file on disk.
func (o *opener) file(source, path string, veto func(path string, head []byte) string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() || before.Size() == 0 {
		return o.stream(source, f) // pipes and the system's files tell no size
	}
	head := make([]byte, min(before.Size(), SniffBytes))
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	if veto != nil {
		if why := veto(path, head); why != "" {
			o.skip(path, why)
			return nil
		}
	}
	err = o.content(&File{Name: source, Path: path, Size: before.Size(), Head: head, ReaderAt: f})
	after, gone := os.Stat(path)
	if gone != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return errors.New("the file changed while it was read: try again")
	}
	return err
}

// stream decodes what can be read only once.
func (o *opener) stream(source string, r io.Reader) error {
	data, err := o.slurp(source, r, 0, o.limits().Text)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return errors.New(reasonEmpty)
	}
	return o.content(memory(source, data))
}

// memory is a file that is held in memory.
func memory(source string, data []byte) *File {
	return &File{Name: source, Size: int64(len(data)), Head: data[:min(len(data), SniffBytes)], ReaderAt: bytes.NewReader(data)}
}

// decode turns a file that is no container into parts.
func (o *opener) decode(file *File) error {
	format, ok := Sniff(o.opts.Formats, file.Name, file.Head)
	if !ok {
		o.skip(file.Name, reasonBinary)
		return nil
	}
	l := o.limits()
	parts, err := format.Decode(o.ctx, file, l)
	var size *SizeError
	if errors.As(err, &size) {
		return o.over(file.Name, size.Bytes, l.Text)
	}
	if err != nil {
		return wrap(file.Name, err)
	}
	var text int64
	for i := range parts {
		parts[i].Format = format.Name
		text += int64(len(parts[i].Text))
	}
	if text > l.Text {
		return o.over(file.Name, text, l.Text)
	}
	o.bytes += text
	o.parts = append(o.parts, parts...)
	return nil
}

// limits are those for the next file: its text may take what is left.
func (o *opener) limits() Limits {
	l := o.opts.Limits.WithDefaults()
	if o.opts.MaxBytes > 0 {
		l.Text = min(l.Text, o.opts.MaxBytes-o.bytes)
	}
	return l
}

// over says that a source has so many bytes where no more than most may be. It
// is a [*SizeError] where MaxBytes is the limit, which no other file can mend.
func (o *opener) over(source string, bytes, most int64) error {
	if o.opts.MaxBytes > 0 && o.opts.MaxBytes-o.bytes <= o.opts.Limits.WithDefaults().Text {
		return &SizeError{Source: source, Bytes: o.bytes + bytes, Max: o.opts.MaxBytes}
	}
	return fmt.Errorf("media: %s: holds more than the %d bytes that one file may unpack to", source, most)
}

// slurp reads r, which holds size bytes as far as is known, to its end, or fails
// once that is more than most.
func (o *opener) slurp(source string, r io.Reader, size, most int64) ([]byte, error) {
	if size > most {
		return nil, o.over(source, size, most)
	}
	r = io.LimitReader(r, most+1)
	// One byte more than the size lets a read see the end without growing.
	buf := make([]byte, 0, size+1)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := o.ctx.Err(); err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(len(buf)/2, 512))
		}
	}
	if int64(len(buf)) > most {
		return nil, o.over(source, int64(len(buf)), most)
	}
	return buf, nil
}
