package media

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
}

// Open reads what names say: files, directories (every file below, in order of
// their paths; .git, .hg and .svn left out), globs (with ** for any depth) and
// "-" for standard input. Files that begin like gzip are opened, whatever
// their name, and tar archives, in them or not, member by member.
//
// A named file that is missing, unreadable or empty is an error. Binary files,
// and inside directories and archives empty and unreadable ones, are skipped
// and returned as such.
func Open(names []string, opts Options) ([]Part, []Skipped, error) {
	o := opener{opts: opts, seen: map[string]bool{}}
	for _, name := range names {
		if err := o.open(name); err != nil {
			return nil, o.skipped, err
		}
	}
	return o.parts, o.skipped, nil
}

type opener struct {
	opts    Options
	parts   []Part
	skipped []Skipped
	bytes   int64
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
		return o.named(Stdin, func() ([]byte, error) { return o.slurp(o.opts.Stdin, 0) })
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
	return o.named(filepath.Clean(name), func() ([]byte, error) { return o.file(name) })
}

// named reads a file that the user asked for by name.
func (o *opener) named(source string, read func() ([]byte, error)) error {
	data, err := read()
	if err != nil {
		return wrap(source, err)
	}
	if len(data) == 0 {
		return fmt.Errorf("media: %s: %s", source, reasonEmpty)
	}
	return o.add(source, data)
}

func wrap(source string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("media: %w", err) // it names the file
	}
	return fmt.Errorf("media: %s: %w", source, err)
}

// dir reads every file below root.
func (o *opener) dir(root string) error { return o.walk(root, o.found) }

// walk calls visit with every file below root, in lexical order, but for those
// of version control. What it cannot list is skipped; root is an error.
func (o *opener) walk(root string, visit func(path string) error) error {
	if fi, err := os.Lstat(root); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // what the link leads to, not the link
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return fmt.Errorf("media: %w", err)
			}
			o.skip(path, reason(err))
			return fs.SkipDir
		}
		if !d.IsDir() {
			return visit(path)
		}
		switch d.Name() {
		case ".git", ".hg", ".svn":
			if path != root {
				return fs.SkipDir
			}
		}
		return nil
	})
}

// found reads a file that a walk or a glob came upon.
func (o *opener) found(path string) error {
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
	before, bytes := len(o.parts), o.bytes
	data, err := o.file(path)
	if err == nil {
		err = o.add(path, data)
	}
	var size *SizeError
	if errors.As(err, &size) {
		return err
	}
	if err != nil {
		// A damaged archive gives nothing rather than some of its members.
		o.parts, o.bytes = o.parts[:before], bytes
		o.skip(path, reason(err))
	}
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

func isGlob(name string) bool { return strings.ContainsAny(name, "*?[") }

// glob reads the files that match pattern, directories whole.
func (o *opener) glob(pattern string) error {
	paths, err := o.matches(pattern)
	if err != nil {
		return wrap(pattern, err)
	}
	if len(paths) == 0 {
		return fmt.Errorf("media: %s: no file matches", pattern)
	}
	for _, p := range paths {
		if fi, err := os.Stat(p); err == nil && fi.IsDir() {
			if err := o.dir(p); err != nil {
				return err
			}
			continue
		}
		if err := o.found(p); err != nil {
			return err
		}
	}
	return nil
}

// matches expands a pattern, in lexical order. Beyond filepath.Glob, a path
// element ** stands for any number of directories.
func (o *opener) matches(pattern string) ([]string, error) {
	pattern = filepath.Clean(pattern)
	head, tail, deep := strings.Cut(filepath.ToSlash(pattern), "**/")
	if !deep {
		return filepath.Glob(pattern)
	}
	expr, err := globExpr(tail)
	if err != nil {
		return nil, err
	}
	roots := []string{"."}
	if head != "" {
		if roots, err = filepath.Glob(filepath.FromSlash(strings.TrimSuffix(head, "/"))); err != nil {
			return nil, err
		}
		if head == "/" {
			roots = []string{"/"}
		}
	}
	var out []string
	for _, root := range roots {
		if fi, err := os.Stat(root); err != nil || !fi.IsDir() {
			continue
		}
		err := o.walk(root, func(path string) error {
			rel, err := filepath.Rel(root, path)
			if err == nil && expr.MatchString(filepath.ToSlash(rel)) {
				out = append(out, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return out, nil
}

// globExpr is the expression for a pattern below any number of directories.
func globExpr(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`^(?:.*/)?`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			b.WriteString(`(?:.*/)?`)
			i += 2
		case c == '*':
			b.WriteString(`[^/]*`)
		case c == '?':
			b.WriteString(`[^/]`)
		case c == '[':
			end := strings.IndexByte(pattern[i:], ']')
			if end < 0 {
				return nil, filepath.ErrBadPattern
			}
			b.WriteString(pattern[i : i+end+1])
			i += end
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`$`)
	expr, err := regexp.Compile(b.String())
	if err != nil {
		return nil, filepath.ErrBadPattern
	}
	return expr, nil
}

// file returns a file's bytes.
func (o *opener) file(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := int64(0)
	if fi, err := f.Stat(); err == nil && fi.Mode().IsRegular() {
		size = fi.Size()
	}
	return o.slurp(f, size)
}

// slurp reads r, which holds size bytes as far as is known, to its end, or fails
// once that is more than may be held.
func (o *opener) slurp(r io.Reader, size int64) ([]byte, error) {
	if o.opts.MaxBytes > 0 {
		left := o.opts.MaxBytes - o.bytes
		if size > left {
			return nil, &SizeError{Bytes: o.bytes + size, Max: o.opts.MaxBytes}
		}
		r = io.LimitReader(r, left+1)
	}
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
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(len(buf)/2, 512))
		}
	}
	if o.opts.MaxBytes > 0 && o.bytes+int64(len(buf)) > o.opts.MaxBytes {
		return nil, &SizeError{Bytes: o.bytes + int64(len(buf)), Max: o.opts.MaxBytes}
	}
	return buf, nil
}

// add decodes data, through the containers it may be in.
func (o *opener) add(source string, data []byte) error {
	if o.seen[source] {
		return nil
	}
	o.seen[source] = true
	if isGzip(data) {
		return o.gzip(source, data)
	}
	if isTar(data) {
		return o.tar(source, data)
	}
	return o.plain(source, data)
}
