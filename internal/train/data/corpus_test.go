package data

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tokenizer"
)

// byteTokenizer has no merges: a token a byte.
func byteTokenizer(tb testing.TB) tokenizer.Tokenizer {
	tb.Helper()
	v, err := tokenizer.Train(nil, tokenizer.NumSpecial+256, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tok, err := tokenizer.NewBPE(v)
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}

func writeFile(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	data := []byte(text)
	if strings.HasSuffix(path, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(data)
		z.Close()
		data = b.Bytes()
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		tb.Fatal(err)
	}
}

func TestLoadCorpus(t *testing.T) {
	tok := byteTokenizer(t)
	dir := t.TempDir()
	long := strings.Repeat("A line of text.\n", 40) // 640 bytes
	writeFile(t, filepath.Join(dir, "src", "a.go"), long)
	writeFile(t, filepath.Join(dir, "src", "deep", "b.py"), strings.ReplaceAll(long, "\n", "\r\n"))
	writeFile(t, filepath.Join(dir, "src", "picture.png"), "\x89PNG\x00"+long)
	writeFile(t, filepath.Join(dir, "src", "odd.txt"), "\x00\x01"+long)
	writeFile(t, filepath.Join(dir, "src", "testdata", "c.go"), long)
	writeFile(t, filepath.Join(dir, "src", "short.go"), "package a\n")
	writeFile(t, filepath.Join(dir, "book.txt.gz"), strings.ReplaceAll(long, "text", "prose"))

	c, err := LoadCorpus(tok, []string{filepath.Join(dir, "*.gz"), filepath.Join(dir, "src")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]Kind{}
	for _, d := range c.Documents {
		rel, _ := filepath.Rel(dir, d.Name)
		kinds[rel] = d.Kind
		var ids []int32
		for _, id := range d.IDs {
			ids = append(ids, int32(id))
		}
		want := long
		if d.Kind == Prose {
			want = strings.ReplaceAll(long, "text", "prose")
		}
		if got := string(tok.Decode(nil, ids)); got != want {
			t.Errorf("%s: %d bytes of text, want %d", rel, len(got), len(want))
		}
	}
	want := map[string]Kind{"book.txt.gz": Prose, "src/a.go": Code, "src/deep/b.py": Code}
	if len(kinds) != len(want) {
		t.Errorf("documents %v, want %v", kinds, want)
	}
	for name, kind := range want {
		if got, ok := kinds[filepath.FromSlash(name)]; !ok || got != kind {
			t.Errorf("%s: kind %d, present %v", name, got, ok)
		}
	}
	if c.Tokens() != c.size(Prose)+c.size(Code) || c.size(Code) != 2*len(long) {
		t.Errorf("%d tokens: %d of prose, %d of code", c.Tokens(), c.size(Prose), c.size(Code))
	}
	for _, at := range []int{0, len(long) - 1, len(long), 2*len(long) - 1} {
		if d, offset := c.locate(Code, at); d.Kind != Code || offset != at%len(long) {
			t.Errorf("token %d of code: offset %d of %s", at, offset, d.Name)
		}
	}
}

func TestLoadCorpusSharesTheLimit(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.txt"), strings.Repeat("first ", 1000))
	writeFile(t, filepath.Join(dir, "b.go"), strings.Repeat("second ", 1000))
	c, err := LoadCorpus(byteTokenizer(t), []string{filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.go")}, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if c.size(Prose) != 1000 || c.size(Code) != 1000 {
		t.Errorf("%d and %d bytes of a limit of 2000", c.size(Prose), c.size(Code))
	}
}

func TestLoadCorpusErrors(t *testing.T) {
	tok := byteTokenizer(t)
	dir := t.TempDir()
	if _, err := LoadCorpus(tok, []string{filepath.Join(dir, "none.txt")}, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := LoadCorpus(tok, []string{dir}, 0); err == nil {
		t.Error("an empty folder: no error")
	}
	broken := filepath.Join(dir, "broken.txt.gz")
	if err := os.WriteFile(broken, []byte("not gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCorpus(tok, []string{broken}, 0); err == nil {
		t.Error("broken gzip: no error")
	}
}
