package media_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/all"
)

// tree writes files given as path, content, path, content and returns the root.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		p := filepath.Join(root, filepath.FromSlash(files[i]))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(files[i+1]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// open returns "source=text" for each part and "source: reason" for each
// skipped file, with root taken off.
func open(t *testing.T, root string, names ...string) (parts, skipped []string, err error) {
	t.Helper()
	ps, ss, err := media.Open(context.Background(), names, media.Options{Formats: all.Formats(), Stdin: strings.NewReader("typed\n")})
	rel := func(s string) string {
		return strings.ReplaceAll(filepath.ToSlash(s), filepath.ToSlash(root)+"/", "")
	}
	for _, p := range ps {
		parts = append(parts, rel(p.Source)+"="+string(p.Text))
	}
	for _, s := range ss {
		skipped = append(skipped, rel(s.String()))
	}
	return parts, skipped, err
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func zipped(text []byte) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	z.Close()
	return b.String()
}

func archived(files ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg, Format: tar.FormatPAX})
		w.Write([]byte(files[i+1]))
	}
	w.Close()
	return b.Bytes()
}

func TestDirectoryInOrderWithoutGitAndBinaries(t *testing.T) {
	root := tree(t, "b.txt", "B", "a/z.go", "Z", "a/c.go", "C", ".git/config", "no", "a/.git/x", "no",
		"bin", "\x7fELF\x02\x01\x01\x00\x00", "nul.dat", "text\x00more", "empty", "", ".hidden", "H")
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, ".hidden=H", "a/c.go=C", "a/z.go=Z", "b.txt=B")
	same(t, "skipped", skipped, "bin: binary file", "empty: empty file", "nul.dat: binary file")
}

func TestGlobs(t *testing.T) {
	root := tree(t, "a.txt", "A", "b.md", "B", "d/c.txt", "C", "d/e/f.txt", "F", "odd[1].txt", "odd")
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"*.txt", []string{"a.txt=A", "odd[1].txt=odd"}},
		{"**/*.txt", []string{"a.txt=A", "d/c.txt=C", "d/e/f.txt=F", "odd[1].txt=odd"}},
		{"d/**/f.*", []string{"d/e/f.txt=F"}},
		{"[ab].*", []string{"a.txt=A", "b.md=B"}},
		{"odd[1].txt", []string{"odd[1].txt=odd"}}, // a name before a pattern
	} {
		parts, _, err := open(t, root, filepath.Join(root, c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		}
		same(t, c.pattern, parts, c.want...)
	}
	if _, _, err := open(t, root, filepath.Join(root, "*.pdf")); err == nil || !strings.Contains(err.Error(), "no file matches") {
		t.Errorf("pattern without a match: %v", err)
	}
}

// The Go of Debian has its sources behind a link.
func TestLinksToDirectories(t *testing.T) {
	root := tree(t, "real/a.txt", "A", "real/d/b.txt", "B", "in/c.txt", "C")
	for link, to := range map[string]string{"link": "real", filepath.Join("in", "loop"): ".."} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Skip(err)
		}
	}
	for _, c := range []struct {
		name          string
		want, skipped []string
	}{
		{"link", []string{"link/a.txt=A", "link/d/b.txt=B"}, nil},
		{"link/**/*.txt", []string{"link/a.txt=A", "link/d/b.txt=B"}, nil},
		{"li*", []string{"link/a.txt=A", "link/d/b.txt=B"}, nil},
		{"in", []string{"in/c.txt=C"}, []string{"in/loop: link to a directory"}},
	} {
		parts, skipped, err := open(t, root, filepath.Join(root, filepath.FromSlash(c.name)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		same(t, c.name, parts, c.want...)
		same(t, c.name+" skipped", skipped, c.skipped...)
	}
}

func TestOverlappingNamesReadOnce(t *testing.T) {
	root := tree(t, "a.txt", "A", "b.txt", "B")
	parts, _, err := open(t, root, filepath.Join(root, "b.txt"), root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "b.txt=B", "a.txt=A")
}

func TestStandardInput(t *testing.T) {
	parts, _, err := open(t, "", "-")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "-=typed\n")
}

func TestCompressedFilesAreOpened(t *testing.T) {
	tarball := archived("x/one.txt", "1\n", "x/empty", "", "x/two.bin", "\x00\x01", "x/three.gz", zipped([]byte("3")))
	root := tree(t, "book.txt.gz", zipped([]byte("chapter one")), "src.tar.gz", zipped(tarball), "src.tgz", zipped(tarball), "plain.tar", string(tarball))
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "book.txt.gz=chapter one", "plain.tar/x/one.txt=1\n", "src.tar.gz/x/one.txt=1\n", "src.tgz/x/one.txt=1\n")
	var want []string
	for _, a := range []string{"plain.tar", "src.tar.gz", "src.tgz"} {
		want = append(want, a+"/x/empty: empty file", a+"/x/two.bin: binary file", a+"/x/three.gz: archive inside an archive")
	}
	same(t, "skipped", skipped, want...)
}

// Members with equal names happen when an archive is added to; names that would
// lead out of it are only labels here.
func TestOddMembers(t *testing.T) {
	root := tree(t, "odd.tar", string(archived("a.txt", "old", "../../up.txt", "U", "/etc/abs.txt", "E", "./a.txt", "new")))
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "odd.tar/up.txt=U", "odd.tar/etc/abs.txt=E", "odd.tar/a.txt=new")
	same(t, "skipped", skipped, "odd.tar/a.txt: replaced further on in the archive")
}

func TestDamagedArchives(t *testing.T) {
	whole := zipped(bytes.Repeat([]byte("some text "), 1000))
	tarball := archived("one.txt", "1", "two.txt", strings.Repeat("2", 5000))
	root := tree(t, "cut.gz", whole[:len(whole)/2], "cut.tar", string(tarball[:3000]))
	for _, name := range []string{"cut.gz", "cut.tar"} {
		_, _, err := open(t, root, filepath.Join(root, name))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	parts, skipped, err := open(t, root, root)
	if err != nil || len(parts) != 0 || len(skipped) != 2 {
		t.Errorf("in a directory: parts %q, skipped %q, %v", parts, skipped, err)
	}
}

func TestMissingFile(t *testing.T) {
	_, _, err := open(t, "", filepath.Join(t.TempDir(), "nowhere.txt"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "nowhere.txt") {
		t.Error(err)
	}
}

func TestEmptyFile(t *testing.T) {
	root := tree(t, "void.txt", "")
	_, _, err := open(t, root, filepath.Join(root, "void.txt"))
	if err == nil || !strings.Contains(err.Error(), "void.txt: empty file") {
		t.Error(err)
	}
}

func TestUnreadableFile(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("every file is readable for this user")
	}
	root := tree(t, "secret.txt", "s", "open.txt", "o")
	path := filepath.Join(root, "secret.txt")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, root, path); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "secret.txt") {
		t.Error(err)
	}
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "open.txt=o")
	same(t, "skipped", skipped, "secret.txt: permission denied")
}

// A file whose bytes fail to come, as from a broken disk, for any user.
func TestFileThatFailsToBeRead(t *testing.T) {
	const broken = "/proc/self/mem" // nothing is mapped at its beginning
	if _, err := os.Stat(broken); err != nil {
		t.Skip(err)
	}
	if _, _, err := open(t, "", broken); err == nil || !strings.Contains(err.Error(), broken+": input/output error") {
		t.Error(err)
	}
}

// A link that leads nowhere cannot be read by anyone.
func TestUnreadableLink(t *testing.T) {
	root := tree(t, "open.txt", "o")
	if err := os.Symlink("gone", filepath.Join(root, "link.txt")); err != nil {
		t.Skip(err)
	}
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "open.txt=o")
	same(t, "skipped", skipped, "link.txt: no such file or directory")
}

func TestBinaryFileIsSkippedAndSaidSo(t *testing.T) {
	root := tree(t, "program", "\x7fELF\x02\x01", "old.rar", "Rar!\x1a\x07\x00", "control", strings.Repeat("\x01\x02a", 50))
	for _, name := range []string{"program", "old.rar", "control"} {
		parts, skipped, err := open(t, root, filepath.Join(root, name))
		if err != nil || len(parts) != 0 {
			t.Errorf("%s: %q, %v", name, parts, err)
		}
		same(t, name, skipped, name+": binary file")
	}
}

func TestTextMayBeginLikeAFormatsName(t *testing.T) {
	root := tree(t, "notes.md", "GGUF is a format.\n", "model.gguf", "GGUF\x03\x00\x00\x00")
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "notes.md=GGUF is a format.\n")
	same(t, "skipped", skipped, "model.gguf: binary file")
}

func TestInvalidUTF8IsKept(t *testing.T) {
	const latin1 = "caf\xe9 \xff\xfe\x80 na\xefve\n"
	root := tree(t, "latin1.txt", latin1)
	parts, _, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "latin1.txt="+latin1)
}

func TestTooMuchTextIsRefused(t *testing.T) {
	bomb := zipped(make([]byte, 1<<20))
	root := tree(t, "a.txt", strings.Repeat("a", 600), "b.txt", strings.Repeat("b", 600), "bomb.gz", bomb)
	for _, names := range [][]string{{root}, {filepath.Join(root, "a.txt"), filepath.Join(root, "b.txt")}, {filepath.Join(root, "bomb.gz")}} {
		_, _, err := media.Open(context.Background(), names, media.Options{Formats: all.Formats(), MaxBytes: 1100})
		var size *media.SizeError
		if !errors.As(err, &size) || size.Max != 1100 {
			t.Errorf("%q: %v", names, err)
		}
	}
	if parts, _, err := media.Open(context.Background(), []string{filepath.Join(root, "a.txt")}, media.Options{Formats: all.Formats(), MaxBytes: 600}); err != nil || len(parts) != 1 {
		t.Errorf("exactly as much as allowed: %v", err)
	}
}
