package media_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/all"
)

// packed is a zip archive of files given as name, content, name, content.
func packed(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// document is an ODT with one paragraph.
func document(t testing.TB, text string) string {
	return packed(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml", "<d><text><p>"+text+"</p></text></d>")
}

func TestZipArchives(t *testing.T) {
	archive := packed(t, "d/", "", "d/one.txt", "1\n", `d\two.txt`, "2\n", "../three.txt", "3\n", "empty", "", "bin", "\x00\x01", "d/one.txt", "new\n",
		"in.zip", packed(t, "x", "x"), "in.gz", zipped([]byte("x")), "doc.odt", document(t, "inside"))
	root := tree(t, "a.zip", archive, "b.odt", document(t, "outside"), "c.gz", zipped([]byte(packed(t, "x", "x"))), "d.gz", zipped([]byte(document(t, "zipped twice"))))
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts, "a.zip/d/two.txt=2\n", "a.zip/three.txt=3\n", "a.zip/d/one.txt=new\n", "a.zip/doc.odt=inside\n", "b.odt=outside\n", "d.gz=zipped twice\n")
	same(t, "skipped", skipped, "a.zip/d/one.txt: replaced further on in the archive", "a.zip/empty: empty file", "a.zip/bin: binary file",
		"a.zip/in.zip: archive inside an archive", "a.zip/in.gz: archive inside an archive", "c.gz: archive inside an archive")
}

func TestEncryptedAndOddMembers(t *testing.T) {
	archive := []byte(packed(t, "a.txt", "a", "b.txt", "b"))
	at := bytes.Index(archive, []byte("PK\x01\x02")) // the first of the directory
	archive[at+8] |= 1
	at += 4 + bytes.Index(archive[at+4:], []byte("PK\x01\x02"))
	archive[at+10] = 12
	root := tree(t, "a.zip", string(archive))
	parts, skipped, err := open(t, root, root)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "parts", parts)
	same(t, "skipped", skipped, "a.zip/a.txt: encrypted", "a.zip/b.txt: compressed by method 12, which is not read")
}

func TestDamagedZip(t *testing.T) {
	whole := packed(t, "a.txt", strings.Repeat("some text ", 1000))
	flipped := []byte(whole)
	flipped[60] ^= 0xff
	root := tree(t, "cut.zip", whole[:len(whole)-30], "flipped.zip", string(flipped))
	for _, name := range []string{"cut.zip", "flipped.zip"} {
		_, _, err := open(t, root, filepath.Join(root, name))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However little a file is, what it unpacks to is bounded, by what one file may
// hold and by what is left of everything.
func TestArchivesThatUnpackToTooMuch(t *testing.T) {
	big := strings.Repeat("a", 1<<20)
	lying := []byte(packed(t, "a.txt", big))
	at := bytes.Index(lying, []byte("PK\x01\x02"))
	copy(lying[at+24:], []byte{1, 0, 0, 0}) // it says it is one byte
	files := map[string]string{
		"one.zip":   packed(t, "a.txt", big),
		"many.zip":  packed(t, "a.txt", big[:600], "b.txt", big[:600]),
		"a.gz":      zipped([]byte(big)),
		"a.tar":     string(archived("a.txt", big)),
		"many.tar":  string(archived("a.txt", big[:600], "b.txt", big[:600])),
		"a.tgz":     zipped(archived("a.txt", big)),
		"plain.txt": big,
	}
	for name, data := range files {
		root := tree(t, name, data)
		path := filepath.Join(root, name)
		_, _, err := media.Open(context.Background(), []string{path}, media.Options{Formats: all.Formats(), MaxBytes: 1100})
		var size *media.SizeError
		if !errors.As(err, &size) || size.Max != 1100 || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		opts := media.Options{Formats: all.Formats(), Limits: media.Limits{Text: 1100}}
		if _, _, err = media.Open(context.Background(), []string{path}, opts); err == nil || errors.As(err, &size) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s by itself: %v", name, err)
		}
		parts, skipped, err := media.Open(context.Background(), []string{root}, opts)
		if err != nil || len(parts) != 0 || len(skipped) != 1 {
			t.Errorf("%s in a directory: %d parts, %v, %v", name, len(parts), skipped, err)
		}
	}
	root := tree(t, "lying.zip", string(lying))
	if _, _, err := open(t, root, filepath.Join(root, "lying.zip")); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
}

// discard is a format that takes anything.
var discard = media.Format{
	Name:   "any",
	Match:  func(string, []byte) bool { return true },
	Decode: func(context.Context, *media.File, media.Limits) ([]media.Part, error) { return nil, nil },
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(packed(f, "a/b.txt", "text", "c.txt", "more")))
	f.Add([]byte(document(f, "text")))
	f.Add(archived("a.txt", "text", "b.txt", "more"))
	f.Add([]byte(zipped(archived("a.txt", "text"))))
	var b bytes.Buffer
	gzip.NewWriter(&b).Flush()
	f.Add(b.Bytes())
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		media.Open(context.Background(), []string{path}, media.Options{Formats: []media.Format{discard}, MaxBytes: 1 << 20})
	})
}
