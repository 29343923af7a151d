package media

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func isGlob(name string) bool { return strings.ContainsAny(name, "*?[") }

// glob reads the files that match pattern, directories whole. What ** comes upon
// is left out as it is of directories.
func (o *opener) glob(pattern string) error {
	paths, veto, err := o.matches(pattern)
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
		if err := o.found(p, veto); err != nil {
			return err
		}
	}
	return nil
}

// matches expands a pattern, in lexical order. Beyond filepath.Glob, a path
// element ** stands for any number of directories.
func (o *opener) matches(pattern string) (paths []string, veto func(string, []byte) string, err error) {
	pattern = filepath.Clean(pattern)
	head, tail, deep := strings.Cut(filepath.ToSlash(pattern), "**/")
	if !deep {
		paths, err = filepath.Glob(pattern)
		return paths, nil, err
	}
	expr, err := globExpr(tail)
	if err != nil {
		return nil, nil, err
	}
	roots := []string{"."}
	if head != "" {
		if roots, err = filepath.Glob(filepath.FromSlash(strings.TrimSuffix(head, "/"))); err != nil {
			return nil, nil, err
		}
		if head == "/" {
			roots = []string{"/"}
		}
	}
	for _, root := range roots {
		if fi, err := os.Stat(root); err != nil || !fi.IsDir() {
			continue
		}
		w := walk{opener: o, visit: func(path, reason string) error {
			rel, err := filepath.Rel(root, path)
			switch {
			case err != nil || !expr.MatchString(filepath.ToSlash(rel)):
			case reason != "":
				o.skip(path, reason)
			default:
				paths = append(paths, path)
			}
			return nil
		}}
		if err := w.root(root); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(paths)
	return paths, generated, nil
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
