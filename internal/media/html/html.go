package html

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

// Format returns the HTML format.
func Format() media.Format {
	return media.Format{Name: "html", Match: Match, Decode: decode}
}

// start is how a page begins, after comments and an XML declaration.
var start = regexp.MustCompile(`(?is)^(?:\x{feff})?(?:\s|<!--.*?-->|<\?xml[^>]*>)*<(?:!doctype\s+html|html)\b`)

// element begins a page that lacks such a start.
var element = regexp.MustCompile(`(?is)^(?:\x{feff})?(?:\s|<!--.*?-->)*<(?:head|body|title|meta|div|p|h[1-6]|table|ul|ol|span|a|article|main)\b`)

// Match reports whether a file is a page: by its first element, or by any common
// one if its name says so.
func Match(name string, head []byte) bool {
	if start.Match(head) {
		return bytes.IndexByte(head, 0) < 0
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm", ".xhtml":
		return element.Match(head) && bytes.IndexByte(head, 0) < 0
	}
	return false
}

// title is a page's name.
var title = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`)

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	data, err := f.Text(l)
	if err != nil {
		return nil, err
	}
	if data, err = Decode(data, ""); err != nil {
		return nil, err
	}
	w := markdown.New(l)
	if m := title.FindSubmatch(data[:min(len(data), 1<<16)]); m != nil {
		w.Text(html.UnescapeString(string(m[1])))
		w.Paragraph()
	}
	if err := Render(ctx, w, data); err != nil {
		return nil, err
	}
	p, err := w.Part(f.Name)
	if err != nil {
		return nil, err
	}
	if len(p.Text) == 0 {
		return nil, errors.New("a page without text")
	}
	return []media.Part{p}, nil
}

// Decode returns data in UTF-8. The character set is that of the content type if
// it names one, else the one that the page itself names or seems to have.
func Decode(data []byte, contentType string) ([]byte, error) {
	e, name, certain := charset.DetermineEncoding(data[:min(len(data), 1024)], contentType)
	if name == "utf-8" || !certain && utf8.Valid(data) {
		return data, nil
	}
	return io.ReadAll(e.NewDecoder().Reader(bytes.NewReader(data)))
}
