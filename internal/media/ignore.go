package media

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxIgnoreFile bounds a .gitignore file, whose every rule is tried on every
// entry.
const maxIgnoreFile = 1 << 18

// ignores are the rules of the .gitignore files that hold in a directory, and of
// the repository's .git/info/exclude.
type ignores struct {
	rules []ignoreRule // those of directories further down later
	dir   []string     // the directory, from the top
}

// newIgnores returns the rules from above root: those of the repository that
// root lies in, if it does. That root is ignored itself does not count, since it
// was named.
func newIgnores(root string) (*ignores, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	above := []string{}
	for top := abs; ; {
		if _, err := os.Lstat(filepath.Join(top, ".git")); err == nil {
			return fromTop(top, above), nil
		}
		up := filepath.Dir(top)
		if up == top {
			return &ignores{}, nil // in no repository
		}
		above = slices.Insert(above, 0, filepath.Base(top))
		top = up
	}
}

// fromTop reads the rules of a repository down to the directory before the last
// of path. Files that cannot be read are those of directories that were not
// named: they say nothing here.
func fromTop(top string, path []string) *ignores {
	ig := &ignores{}
	if rules, err := readIgnoreFile(filepath.Join(top, ".git", "info", "exclude"), 0); err == nil {
		ig.rules = rules
	}
	dir := top
	for _, name := range path {
		if next, err := ig.with(dir); err == nil {
			ig = next
		}
		dir = filepath.Join(dir, name)
		ig = ig.below(name)
	}
	return ig
}

// with adds the rules of the .gitignore file in dir, where ig is at.
func (ig *ignores) with(dir string) (*ignores, error) {
	rules, err := readIgnoreFile(filepath.Join(dir, ".gitignore"), len(ig.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return ig, nil
	}
	if err != nil {
		return ig, err
	}
	return &ignores{slices.Concat(ig.rules, rules), ig.dir}, nil
}

// below goes down into a directory.
func (ig *ignores) below(name string) *ignores {
	return &ignores{ig.rules, append(slices.Clip(ig.dir), name)}
}

// match reports whether an entry of the directory is left out. Rules see the
// path from their own file's directory; the last one that matches decides.
func (ig *ignores) match(name string, isDir bool) bool {
	path := append(slices.Clip(ig.dir), name)
	for _, r := range slices.Backward(ig.rules) {
		if r.match(path[r.depth:], isDir) {
			return !r.keep
		}
	}
	return false
}

// ignoreRule is a line of a .gitignore file (gitignore(5)).
type ignoreRule struct {
	depth   int      // directories from the top to the file
	pattern []string // path elements; ** is any number of them
	keep    bool     // begins with !
	dirOnly bool     // ends with /
}

// readIgnoreFile returns a file's rules. The file lies depth directories below
// the top.
func readIgnoreFile(name string, depth int) ([]ignoreRule, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxIgnoreFile {
		return nil, fmt.Errorf("not a regular file of at most %d bytes", maxIgnoreFile)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseIgnore(data, depth), nil
}

func parseIgnore(data []byte, depth int) []ignoreRule {
	var rules []ignoreRule
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		if r, ok := parseIgnoreLine(strings.TrimRight(string(line), "\r\n")); ok {
			r.depth = depth
			rules = append(rules, r)
		}
	}
	return rules
}

func parseIgnoreLine(line string) (r ignoreRule, ok bool) {
	if strings.HasPrefix(line, "#") {
		return r, false
	}
	line, r.keep = strings.CutPrefix(line, "!")
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	line, r.dirOnly = strings.CutSuffix(line, "/")
	if line == "" {
		return r, false
	}
	line, anchored := strings.CutPrefix(line, "/")
	if !anchored && !strings.Contains(line, "/") {
		r.pattern = []string{"**"} // a name alone is one at any depth
	}
	for _, elem := range strings.Split(strings.ReplaceAll(line, "[!", "[^"), "/") {
		if elem == "**" && len(r.pattern) > 0 && r.pattern[len(r.pattern)-1] == "**" {
			continue
		}
		r.pattern = append(r.pattern, elem)
	}
	if r.pattern[len(r.pattern)-1] == "**" {
		r.pattern = append(r.pattern, "*") // what is below, not the directory itself
	}
	return r, true
}

// match compares a path, in its elements. Of several ** only the last one that
// was met is ever widened, so that the work is bounded by the product of both
// lengths.
func (r *ignoreRule) match(elems []string, isDir bool) bool {
	if r.dirOnly && !isDir {
		return false
	}
	p, e := 0, 0
	back, from := -1, 0 // the pattern after the last **, and where it was tried
	for e < len(elems) {
		if p < len(r.pattern) && r.pattern[p] == "**" {
			p++
			back, from = p, e
			continue
		}
		if p < len(r.pattern) {
			if ok, err := path.Match(r.pattern[p], elems[e]); ok && err == nil {
				p++
				e++
				continue
			}
		}
		if back < 0 {
			return false
		}
		from++
		p, e = back, from
	}
	return p == len(r.pattern)
}
