package html

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/handscroll/handscroll/internal/media/markdown"
)

// maxLink is the length of an address that is written out. Longer ones say where
// a click was counted.
const maxLink = 200

// renderer is the state between two tokens.
type renderer struct {
	w     *markdown.Writer
	lists []int  // of each open list the number of its next item, -1 for bullets
	pre   int    // open preformatted elements
	fresh bool   // nothing of the last one was written
	skip  string // the element whose content is left out
	href  string // of the open link
	at    int    // where its text begins
}

// Render writes what a page in UTF-8 shows: its title is not of it.
func Render(ctx context.Context, w *markdown.Writer, data []byte) error {
	r := renderer{w: w}
	z := html.NewTokenizer(bytes.NewReader(data))
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			w.Paragraph()
			return w.Err() // the only error of reading memory is its end
		case html.TextToken:
			r.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			if kind == html.SelfClosingTagToken {
				z.NextIsNotRawText() // in XHTML, <script src="x"/> has no content
			}
			name, more := z.TagName()
			tag := atom.Lookup(name)
			attrs := map[string]string{}
			for more && len(attrs) < 64 {
				var key, value []byte
				key, value, more = z.TagAttr()
				attrs[string(key)] = string(value)
			}
			r.open(tag, attrs)
			if kind == html.SelfClosingTagToken {
				r.close(tag)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			r.close(atom.Lookup(name))
		}
	}
}

func (r *renderer) text(s string) {
	switch {
	case r.skip != "":
	case r.pre > 0:
		if r.fresh {
			s = strings.TrimPrefix(strings.TrimPrefix(s, "\r"), "\n") // not shown
		}
		r.fresh = false
		r.w.Verbatim(s)
	default:
		r.w.Text(s)
	}
}

func (r *renderer) open(tag atom.Atom, attrs map[string]string) {
	if r.skip != "" {
		return
	}
	switch tag {
	case atom.Script, atom.Style, atom.Template, atom.Title, atom.Noscript, atom.Noembed, atom.Noframes, atom.Iframe:
		r.skip = tag.String()
	case atom.Br:
		r.w.Line()
	case atom.Hr:
		r.w.Paragraph()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		r.w.Paragraph()
		r.w.Prefix(strings.Repeat("#", int(tag.String()[1]-'0')) + " ")
	case atom.Pre:
		r.w.Paragraph()
		r.pre++
		r.fresh = true
	case atom.Ul, atom.Menu:
		r.list(-1)
	case atom.Ol:
		r.list(1)
	case atom.Li:
		r.item()
	case atom.Tr:
		r.w.Row()
	case atom.Td, atom.Th:
		r.w.Cell()
	case atom.Img:
		if alt := strings.TrimSpace(attrs["alt"]); alt != "" {
			r.w.Text(" [" + alt + "] ")
		}
	case atom.A:
		r.endLink()
		if href := attrs["href"]; len(href) <= maxLink && (strings.HasPrefix(href, "https://") || strings.HasPrefix(href, "http://")) {
			r.href, r.at = href, r.w.Len()
		}
	default:
		r.block(tag)
	}
}

func (r *renderer) close(tag atom.Atom) {
	if r.skip != "" {
		if tag.String() == r.skip {
			r.skip = ""
		}
		return
	}
	switch tag {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		r.w.Prefix("")
		r.w.Paragraph()
	case atom.Pre:
		r.pre = max(r.pre-1, 0)
		r.w.Paragraph()
	case atom.Ul, atom.Ol, atom.Menu:
		if len(r.lists) > 0 {
			r.lists = r.lists[:len(r.lists)-1]
		}
		r.w.Prefix("")
		if len(r.lists) == 0 {
			r.w.Paragraph()
		}
	case atom.Li:
		r.w.Prefix("")
		r.w.Line()
	case atom.Tr:
		r.w.Row()
	case atom.Table:
		r.w.Row()
		r.w.Paragraph()
	case atom.A:
		r.endLink()
	default:
		r.block(tag)
	}
}

// block breaks the text before and after an element that is a block. Items of
// lists stay together.
func (r *renderer) block(tag atom.Atom) {
	switch tag {
	case atom.P, atom.Blockquote, atom.Dl, atom.Table, atom.Figure, atom.Section, atom.Article, atom.Main, atom.Nav,
		atom.Header, atom.Footer, atom.Aside, atom.Form, atom.Fieldset, atom.Details, atom.Body:
		if len(r.lists) > 0 {
			r.w.Line()
		} else {
			r.w.Paragraph()
		}
	case atom.Div, atom.Dt, atom.Dd, atom.Figcaption, atom.Caption, atom.Address, atom.Option, atom.Legend, atom.Summary,
		atom.Center, atom.Textarea:
		r.w.Line()
	}
}

func (r *renderer) list(first int) {
	if len(r.lists) == 0 {
		r.w.Paragraph()
	} else {
		r.w.Line()
	}
	r.lists = append(r.lists, first)
}

// item begins an item. Lists further in are indented, as far as that is seen.
func (r *renderer) item() {
	r.w.Line()
	bullet := "- "
	if n := len(r.lists); n > 0 {
		if r.lists[n-1] > 0 {
			bullet = fmt.Sprintf("%d. ", r.lists[n-1])
			r.lists[n-1]++
		}
		bullet = strings.Repeat("  ", min(n-1, 8)) + bullet
	}
	r.w.Prefix(bullet)
}

// endLink writes the address of a link behind its text, if it has one.
func (r *renderer) endLink() {
	if r.href != "" && r.w.Len() > r.at && !strings.HasSuffix(r.w.Tail(len(r.href)), r.href) {
		r.w.Text(" (" + r.href + ")")
	}
	r.href = ""
}
