package pdf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/klippa-app/go-pdfium/requests"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

// minLetters is the number of letters and digits below which a page counts as a
// picture: a scan with a page number is one.
const minLetters = 8

// Format returns the PDF format.
func Format() media.Format {
	return media.Format{Name: "pdf", Match: Match, Decode: decode}
}

// Match looks for the header within the first 1,024 bytes, where readers look.
// What stands before must be no text: a text may speak of the header.
func Match(_ string, head []byte) bool {
	at := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-"))
	return at == 0 || at > 0 && bytes.IndexByte(head, 0) >= 0
}

func decode(ctx context.Context, f *media.File, l media.Limits) (parts []media.Part, err error) {
	src, err := newSource(f)
	if err != nil {
		return nil, err
	}
	d, err := open(ctx, io.NewSectionReader(f, 0, f.Size), f.Size, l.Stall)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	count, err := d.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: d.id})
	if err != nil {
		return nil, err
	}
	if count.PageCount > l.Pages {
		return nil, fmt.Errorf("%d pages; %d are read", count.PageCount, l.Pages)
	}
	w := markdown.New(l)
	var pictures []int
	for n := 1; n <= count.PageCount && w.Err() == nil; n++ {
		var text string
		var objects int
		err := d.within(ctx, func() (err error) {
			text, objects, err = d.read(n)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
		if letters(text) < minLetters && objects > 0 {
			pictures = append(pictures, n)
		}
		w.Mark(n)
		w.Verbatim(text)
		w.Paragraph()
	}
	text, err := w.Part(f.Name)
	if err != nil {
		return nil, err
	}
	if len(text.Text) > 0 {
		parts = append(parts, text)
	}
	if len(pictures) == 0 && len(parts) == 0 {
		return nil, errors.New("a PDF of blank pages")
	}
	if len(pictures) == 0 {
		return parts, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size)); err != nil {
		return nil, err
	}
	for _, n := range pictures {
		parts = append(parts, src.part(n, sum.Sum(nil), l))
	}
	return parts, nil
}

// read returns a page's text and, if that is none to speak of, how many objects
// are on the page.
func (d *document) read(n int) (text string, objects int, err error) {
	page, err := d.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: d.page(n)})
	if err != nil {
		return "", 0, err
	}
	defer func() {
		_, closing := d.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: page.TextPage})
		err = errors.Join(err, closing)
	}()
	chars, err := d.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: page.TextPage})
	if err != nil {
		return "", 0, err
	}
	if chars.Count > 0 {
		t, err := d.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: page.TextPage, Count: chars.Count})
		if err != nil {
			return "", 0, err
		}
		text = clean(t.Text)
	}
	if letters(text) < minLetters {
		c, err := d.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: d.page(n)})
		if err != nil {
			return "", 0, err
		}
		objects = c.Count
	}
	return text, objects, nil
}

// breaks are ends of lines, and PDFium's signs for a hyphen at one that breaks a
// word. The word is joined: a word that has a hyphen by itself is rarer.
var breaks = strings.NewReplacer("\x02\r\n", "", "\ufffe\r\n", "", "\x02", "", "\ufffe", "", "\r\n", "\n", "\r", "\n")

// clean joins words that were broken, and drops control characters and what
// stands for no character.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || r == '\ufeff' {
			return -1
		}
		return r
	}, breaks.Replace(s))
	return strings.Trim(s, "\n ")
}

func letters(s string) int {
	n := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// source is a document's file, which is opened again for its pictures.
type source struct {
	name, path string
	size       int64
	changed    time.Time // when it was written, of a file on disk
	data       []byte    // of any other
}

func newSource(f *media.File) (*source, error) {
	s := &source{name: f.Name, path: f.Path, size: f.Size}
	if s.path == "" {
		var err error
		s.data, err = f.Bytes()
		return s, err
	}
	fi, err := os.Stat(s.path)
	if err != nil {
		return nil, err
	}
	s.changed = fi.ModTime()
	return s, nil
}

// open returns the file's bytes.
func (s *source) open() (io.ReadSeeker, io.Closer, error) {
	if s.path == "" {
		return bytes.NewReader(s.data), io.NopCloser(nil), nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, nil, err
	}
	if fi, err := f.Stat(); err != nil || fi.Size() != s.size || !fi.ModTime().Equal(s.changed) {
		f.Close()
		return nil, nil, errors.Join(err, errors.New("the file changed since it was opened: open it again"))
	}
	return f, f, nil
}

// part is the picture of a page of the file whose checksum is sum.
func (s *source) part(n int, sum []byte, l media.Limits) media.Part {
	name := fmt.Sprintf("%s#page=%d", s.name, n)
	return media.Part{
		Source: name,
		Kind:   media.Picture,
		Page:   n,
		Hash:   sha256.Sum256(fmt.Appendf(nil, "pdf\n%x\n%d\n%d\n", sum, n, l.PictureSide)),
		Open: func(ctx context.Context) (media.Stream, error) {
			m, err := s.render(ctx, n, l)
			if err != nil {
				return nil, fmt.Errorf("media: %s: %w", name, err)
			}
			return &picture{m}, nil
		},
	}
}

// picture is a stream of one frame.
type picture struct{ frame *media.Image }

func (p *picture) Next() (media.Chunk, error) {
	if p.frame == nil {
		return media.Chunk{}, io.EOF
	}
	c := media.Chunk{Frame: p.frame}
	p.frame = nil
	return c, nil
}

func (p *picture) Close() error { return nil }
