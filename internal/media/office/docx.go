package office

import (
	"strconv"
	"strings"
)

// docx writes a Word document (ECMA-376 part 1, chapter 17): its body, then its
// notes.
func (p *pack) docx(main string) error {
	rels, err := p.rels(main)
	if err != nil {
		return err
	}
	d := &word{pack: p, headings: map[string]int{}}
	for _, r := range rels {
		if strings.HasSuffix(r.kind, "/styles") && p.has(r.target) {
			if err := d.styles(r.target); err != nil {
				return err
			}
		}
	}
	if err := p.elements(main, d.element); err != nil {
		return err
	}
	for _, r := range rels {
		if (strings.HasSuffix(r.kind, "/footnotes") || strings.HasSuffix(r.kind, "/endnotes")) && p.has(r.target) {
			if err := p.elements(r.target, d.element); err != nil {
				return err
			}
		}
	}
	return nil
}

// word is the state within a document.
type word struct {
	*pack
	headings map[string]int // styles that are headings, and their levels
	heading  bool           // the paragraph is one
	item     bool           // the paragraph is a list's item
	level    int            // of the item
}

// styles finds the styles that are headings: their ids are in the language of
// whoever wrote the document, their names are not.
func (d *word) styles(name string) error {
	id := ""
	return d.elements(name, func(e *element) error {
		if !e.start {
			return nil
		}
		switch e.name {
		case "style":
			id = e.attr("styleId")
		case "name":
			style := strings.ToLower(e.attr("val"))
			if n, ok := strings.CutPrefix(style, "heading "); ok {
				if level, err := strconv.Atoi(n); err == nil && level >= 1 && level <= 9 {
					d.headings[id] = level
				}
			} else if style == "title" {
				d.headings[id] = 1
			}
		}
		return nil
	})
}

func (d *word) element(e *element) error {
	switch {
	case e.within("Fallback") || e.within("moveFrom"):
		// What newer programs have read already, or what has gone elsewhere.
	case e.start:
		d.start(e)
	case e.end:
		d.end(e.name)
	case e.name == "t":
		d.w.Text(e.text)
	}
	return nil
}

func (d *word) start(e *element) {
	switch e.name {
	case "p":
		d.w.Line()
		d.heading, d.item, d.level = false, false, 0
	case "pStyle":
		if level := d.headings[e.attr("val")]; level > 0 {
			d.w.Paragraph()
			d.w.Prefix(strings.Repeat("#", min(level, 6)) + " ")
			d.heading = true
		}
	case "ilvl":
		if n, err := strconv.Atoi(e.attr("val")); err == nil {
			d.level = max(0, min(n, 8))
		}
	case "numId":
		if !d.heading && e.attr("val") != "0" && e.within("p") {
			d.w.Prefix(strings.Repeat("  ", d.level) + "- ")
			d.item = true
		}
	case "tab":
		if e.parent() == "r" { // elsewhere it is a stop
			d.w.Text(" ")
		}
	case "br", "cr":
		d.w.Line()
	case "noBreakHyphen":
		d.w.Text("-")
	case "tbl":
		d.w.Paragraph()
	case "tr":
		d.w.Row()
	case "tc":
		d.w.Cell()
	case "footnoteReference":
		d.w.Text("[^" + e.attr("id") + "]")
	case "endnoteReference":
		d.w.Text("[^e" + e.attr("id") + "]")
	case "footnote":
		d.w.Paragraph()
		d.w.Prefix("[^" + e.attr("id") + "]: ")
	case "endnote":
		d.w.Paragraph()
		d.w.Prefix("[^e" + e.attr("id") + "]: ")
	}
}

func (d *word) end(name string) {
	switch name {
	case "p":
		if d.item {
			d.w.Line()
		} else {
			d.w.Paragraph()
		}
		if d.item || d.heading {
			d.w.Prefix("")
		}
	case "tr":
		d.w.Row()
	case "tbl":
		d.w.Row()
		d.w.Paragraph()
	case "footnote", "endnote":
		d.w.Prefix("")
	}
}
