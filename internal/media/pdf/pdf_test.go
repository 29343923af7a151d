package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// write returns a PDF whose pages are given as content streams. What stands in
// extra becomes part of the trailer.
func write(extra string, pages ...string) []byte {
	var b bytes.Buffer
	var offsets []int
	object := func(format string, args ...any) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), fmt.Sprintf(format, args...))
	}
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", 4+2*i)
	}
	object("<</Type/Pages/Kids[%s]/Count %d>>", kids.String(), len(pages))
	object("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
	for i, p := range pages {
		object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>", 5+2*i)
		object("<</Length %d>>stream\n%s\nendstream", len(p), p)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, extra, xref)
	return b.Bytes()
}

// lines is a page of text.
func lines(text ...string) string {
	s := "BT /F1 12 Tf 20 180 Td "
	for _, t := range text {
		s += "(" + t + ") Tj 0 -14 Td "
	}
	return s + "ET"
}

// red is a page without text, a red half.
const red = "1 0 0 rg 0 0 150 200 re f"

func parse(t *testing.T, data []byte, l media.Limits) ([]media.Part, error) {
	t.Helper()
	return decode(context.Background(), &media.File{Name: "p.pdf", Size: int64(len(data)), ReaderAt: bytes.NewReader(data)}, l.WithDefaults())
}

func TestPagesOfTextAndPictures(t *testing.T) {
	data := write("", lines("The first page", "has two lines."), red, "", lines("The fourth page, r\\351sum\\351."), lines("7")+" "+red)
	parts, err := parse(t, data, media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	const want = "The first page\nhas two lines.\n\nThe fourth page, résumé.\n\n7\n"
	if got := string(parts[0].Text); got != want || parts[0].Kind != media.Text || parts[0].Source != "p.pdf" {
		t.Errorf("%q", got)
	}
	if got := fmt.Sprint(parts[0].Marks); got != "[{0 1 -1ns} {31 4 -1ns} {59 5 -1ns}]" {
		t.Error(got)
	}
	if p, q := parts[1], parts[2]; p.Kind != media.Picture || p.Source != "p.pdf#page=2" || p.Page != 2 || q.Page != 5 || p.Hash == q.Hash || p.Hash == [32]byte{} {
		t.Errorf("%+v %+v", p, q)
	}
	for range 2 {
		s, err := parts[1].Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		m := c.Frame
		if m.W != 1600 || m.H < 1065 || m.H > 1068 {
			t.Errorf("%d × %d", m.W, m.H)
		}
		if l, r := m.Pix[3*100:][:3], m.Pix[3*1500:][:3]; !bytes.Equal(l, []byte{255, 0, 0}) || !bytes.Equal(r, []byte{255, 255, 255}) {
			t.Errorf("left %v, right %v", l, r)
		}
		if _, err := s.Next(); err != io.EOF {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWordsBrokenAtTheEndOfALineAreJoined(t *testing.T) {
	parts, err := parse(t, write("", lines("This is an exam-", "ple of 1990-", "1995 and x -", "y.")), media.Limits{})
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	if got := string(parts[0].Text); got != "This is an example of 1990-\n1995 and x -\ny.\n" {
		t.Errorf("%q", got)
	}
}

func TestTransparentPagesAreOnWhite(t *testing.T) {
	page := "/G gs 0 0 1 rg 0 0 150 200 re f"
	data := bytes.Replace(write("", page), []byte("/Resources<<"), []byte("/Resources<</ExtGState<</G<</ca 0.5>>>>"), 1)
	parts, err := parse(t, data, media.Limits{PictureSide: 30})
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	s, err := parts[0].Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Frame.Pix; c.Frame.W != 30 || p[0] < 125 || p[0] > 130 || p[2] != 255 || p[3*29] != 255 {
		t.Error(p[:90])
	}
}

func TestRefused(t *testing.T) {
	good := write("", lines("The first page"), lines("The second page"))
	for _, c := range []struct {
		name, want string
		data       []byte
		limits     media.Limits
	}{
		{"encrypted", "encrypted", write("/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<"+strings.Repeat("41", 32)+">/U<"+strings.Repeat("42", 32)+">>>/ID[<01><02>]", lines("secret")), media.Limits{}},
		{"rubbish", "damaged", []byte("%PDF-1.7\nnothing of the kind"), media.Limits{}},
		{"empty", "", []byte("%PDF-"), media.Limits{}},
		{"blank", "blank pages", write("", "", ""), media.Limits{}},
		{"pages", "2 pages; 1 are read", good, media.Limits{Pages: 1}},
		{"text", "more than", good, media.Limits{Text: 20}},
		{"time", "longer than 1ns", good, media.Limits{Stall: 1}},
	} {
		parts, err := parse(t, c.data, c.limits)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d parts, %v", c.name, len(parts), err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := decode(ctx, &media.File{Name: "p.pdf", Size: int64(len(good)), ReaderAt: bytes.NewReader(good)}, media.Limits{}.WithDefaults()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A file cut short is read as far as its objects can be found, or refused; it
// never takes the process along.
func TestCutAndDamaged(t *testing.T) {
	data := write("", lines("The first page"), red, lines("The third page"))
	for n := 5; n < len(data); n += 97 {
		parse(t, data[:n], media.Limits{})
		bad := bytes.Clone(data)
		bad[n] ^= 0x55
		parse(t, bad, media.Limits{})
	}
}

func TestMatch(t *testing.T) {
	for head, want := range map[string]bool{
		"%PDF-1.7\n":                      true,
		"\x00\x00junk\n%PDF-1.4":          true,
		"A file begins with %PDF-1.4.":    false,
		"\x00" + strings.Repeat(" ", 2e3): false,
	} {
		if Match("x.txt", []byte(head)) != want {
			t.Errorf("%.30q", head)
		}
	}
}

func TestFileOnDiskThatChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scan.pdf")
	data := write("", red)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := decode(context.Background(), &media.File{Name: path, Path: path, Size: int64(len(data)), ReaderAt: f}, media.Limits{PictureSide: 50}.WithDefaults())
	f.Close()
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	s, err := parts[0].Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := parts[0].Open(context.Background()); err == nil || !strings.Contains(err.Error(), "scan.pdf#page=1: the file changed") {
		t.Error(err)
	}
}

func BenchmarkText200Pages(b *testing.B) {
	page := make([]string, 12)
	for i := range page {
		page[i] = "The quick brown fox jumps over the lazy dog, again."
	}
	pages := make([]string, 200)
	for i := range pages {
		pages[i] = lines(page...)
	}
	data := write("", pages...)
	for b.Loop() {
		if _, err := decode(context.Background(), &media.File{Name: "p.pdf", Size: int64(len(data)), ReaderAt: bytes.NewReader(data)}, media.Limits{}.WithDefaults()); err != nil {
			b.Fatal(err)
		}
	}
}
