package office

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/handscroll/handscroll/internal/media/html"
)

// maxChapter bounds a chapter, which is held in memory.
const maxChapter = 1 << 26

var errEncrypted = errors.New("an encrypted document: save it without a password or protection and try again")

// epub writes a book (EPUB 3.3): its title and authors, then the chapters in the
// order of reading.
func (p *pack) epub() error {
	root := ""
	err := p.elements("META-INF/container.xml", func(e *element) error {
		if e.start && e.name == "rootfile" {
			root = resolve("", e.attr("full-path"))
			return io.EOF
		}
		return nil
	})
	if err != nil {
		return err
	}
	encrypted, err := p.encrypted()
	if err != nil {
		return err
	}
	chapters, err := p.spine(root)
	if err != nil {
		return err
	}
	if len(chapters) > p.limits.Pages {
		return fmt.Errorf("%d chapters; %d are read", len(chapters), p.limits.Pages)
	}
	for i, name := range chapters {
		if encrypted[name] {
			return errEncrypted
		}
		p.w.Paragraph()
		p.w.Mark(i + 1)
		if err := p.chapter(name); err != nil {
			return err
		}
	}
	return nil
}

// encrypted returns the files that are: of many a book its fonts alone.
func (p *pack) encrypted() (map[string]bool, error) {
	names := map[string]bool{}
	const list = "META-INF/encryption.xml"
	if !p.has(list) {
		return names, nil
	}
	err := p.elements(list, func(e *element) error {
		if e.start && e.name == "CipherReference" {
			names[unescape(e.attr("URI"))] = true
		}
		return nil
	})
	return names, err
}

// spine writes what the package document says of the book, and returns its
// chapters.
func (p *pack) spine(root string) ([]string, error) {
	items := map[string]string{}
	var order []string
	err := p.elements(root, func(e *element) error {
		switch {
		case e.start && e.name == "item" && strings.Contains(e.attr("media-type"), "html"):
			items[e.attr("id")] = resolve(root, unescape(e.attr("href")))
		case e.start && e.name == "itemref":
			order = append(order, e.attr("idref"))
		case e.start && e.name == "title" && e.within("metadata"):
			p.w.Paragraph()
			p.w.Prefix("# ")
		case e.start && e.name == "creator" && e.within("metadata"):
			p.w.Paragraph()
		case e.text != "" && (e.name == "title" || e.name == "creator") && e.within("metadata"):
			p.w.Text(e.text)
		}
		return nil
	})
	p.w.Prefix("")
	var chapters []string
	for _, id := range order {
		if name := items[id]; name != "" {
			chapters = append(chapters, name)
		}
	}
	return chapters, err
}

// unescape undoes the escapes of an address.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func (p *pack) chapter(name string) error {
	r, err := p.open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxChapter+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxChapter {
		return fmt.Errorf("%s: more than %d bytes", name, maxChapter)
	}
	if data, err = html.Decode(data, ""); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return html.Render(p.ctx, p.w, data)
}
