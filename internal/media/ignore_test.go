package media

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rules are lines of a .gitignore file and paths that they leave out or keep.
var rules = []struct{ lines, out, kept string }{
	{"*.o", "a.o d/b.o", "a.c"},
	{"# comment\n\n\\#file\n\\!file", "#file d/!file", "comment"},
	{"/top", "top", "d/top"},
	{"d/x", "d/x", "x e/d/x"},
	{"dir/", "dir/a d/dir/b", "e/dir"},
	{"**/foo/bar", "foo/bar d/foo/bar", "foo/d/bar"},
	{"a/**/z", "a/z a/b/z a/b/c/z", "z d/a/z"},
	{"a/**", "a/b a/b/c", "b/a"},
	{"a/**/b/**/c", "a/b/c a/x/b/y/c a/b/b/x/c", "a/c"},
	{"[!a]b", "xb", "ab"},
	{"[a-c]?", "ab", "db a"},
	{"*.log\n!keep.log", "x.log", "keep.log d/keep.log"},
	{"d/*\n!d/a", "d/b", "d/a"},
	{"trail   \nkept\\ ", "trail", "trailx"},
	{"foo**bar", "fooxbar foobar", "foo/bar"},
	{"/*\n!/only", "x y", "only"},
	{"a\\*b", "a*b", "axb"},
	{"\xef\xbb\xbfbom\r\ncr\r", "bom cr", "c"},
	{"!x\nx", "x", ""},
	{"[", "", "a"},
	{"/", "", "a"},
}

// left reports whether rules leave a path out, or a directory above it.
func left(ig *ignores, path string) bool {
	elems := strings.Split(path, "/")
	for i, name := range elems {
		if ig.match(name, i < len(elems)-1) {
			return true
		}
		ig = ig.below(name)
	}
	return false
}

func TestIgnoreRules(t *testing.T) {
	for _, c := range rules {
		ig := &ignores{rules: parseIgnore([]byte(c.lines), 0)}
		for _, p := range strings.Fields(c.out) {
			if !left(ig, p) {
				t.Errorf("%q keeps %s", c.lines, p)
			}
		}
		for _, p := range strings.Fields(c.kept) {
			if left(ig, p) {
				t.Errorf("%q leaves out %s", c.lines, p)
			}
		}
	}
}

// The table says what git does.
func TestIgnoreRulesAreGits(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	if out, err := exec.Command(git, "-C", dir, "init", "-q").CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, out)
	}
	for _, c := range rules {
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(c.lines), 0o666); err != nil {
			t.Fatal(err)
		}
		paths := strings.Fields(c.out + " " + c.kept)
		cmd := exec.Command(git, "-C", dir, "-c", "core.quotePath=false", "check-ignore", "--no-index", "--stdin", "-z")
		cmd.Stdin = strings.NewReader(strings.Join(paths, "\x00"))
		out, _ := cmd.Output() // fails where no path is ignored
		if got := strings.Join(strings.Split(strings.TrimRight(string(out), "\x00"), "\x00"), " "); got != strings.Join(strings.Fields(c.out), " ") {
			t.Errorf("%q: git leaves out %s", c.lines, got)
		}
	}
}

func TestLargeIgnoreFileIsNotHeeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".gitignore")
	if err := os.WriteFile(path, make([]byte, maxIgnoreFile+1), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := readIgnoreFile(path, 0); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}

func FuzzIgnore(f *testing.F) {
	for _, c := range rules {
		f.Add([]byte(c.lines), c.out)
	}
	f.Fuzz(func(t *testing.T, lines []byte, path string) {
		left(&ignores{rules: parseIgnore(lines, 0)}, path)
	})
}
