package office

import (
	"fmt"
	"strconv"
	"strings"
)

// openDocument writes a text, talk or spreadsheet (OpenDocument 1.3, part 3).
func (p *pack) openDocument() error {
	if p.has("META-INF/manifest.xml") {
		err := p.elements("META-INF/manifest.xml", func(e *element) error {
			if e.start && e.name == "encryption-data" {
				return errEncrypted
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	o := &openText{pack: p}
	return p.elements("content.xml", o.element)
}

// openText is the state within a document.
type openText struct {
	*pack
	page     int // slides or sheets so far
	repeated int // cells that the last one stands for
	cell     int // bytes written when it began
	sheet    bool
}

func (o *openText) element(e *element) error {
	if e.within("annotation") || e.within("tracked-changes") || e.within("note-citation") || e.within("forms") {
		return nil
	}
	switch {
	case e.start:
		return o.start(e)
	case e.end:
		o.end(e)
	case e.within("p") || e.within("h"):
		o.w.Text(e.text)
	}
	return nil
}

func (o *openText) start(e *element) error {
	switch e.name {
	case "spreadsheet":
		o.w.Bar("\t")
		o.sheet = true
	case "page", "table":
		if e.name == "table" && !o.sheet {
			o.w.Paragraph()
			return nil
		}
		if o.page++; o.page > o.limits.Pages {
			return fmt.Errorf("more than %d pages", o.limits.Pages)
		}
		o.w.Paragraph()
		o.w.Mark(o.page)
		if o.sheet {
			o.w.Text("## " + e.attr("name"))
			o.w.Paragraph()
		}
	case "p":
		o.breaks(e, o.w.Line)
	case "h":
		o.breaks(e, o.w.Paragraph)
		level, err := strconv.Atoi(e.attr("outline-level"))
		if err != nil {
			level = 1
		}
		o.w.Prefix(strings.Repeat("#", max(1, min(level, 6))) + " ")
	case "list-item":
		lists := 0
		for _, name := range e.path {
			if name == "list" {
				lists++
			}
		}
		o.w.Line()
		o.w.Prefix(strings.Repeat("  ", max(0, min(lists-1, 8))) + "- ")
	case "s": // spaces that count, as in code
		n, err := strconv.Atoi(e.attr("c"))
		if err != nil {
			n = 1
		}
		o.w.Verbatim(strings.Repeat(" ", max(0, min(n, maxGap))))
	case "tab":
		o.w.Text(" ")
	case "line-break":
		o.w.Line()
	case "note-body":
		o.w.Text(" (")
	case "notes":
		o.w.Paragraph()
		o.w.Prefix("Notes: ")
	case "table-row":
		o.w.Row()
	case "table-cell", "covered-table-cell":
		n, err := strconv.Atoi(e.attr("number-columns-repeated"))
		if err != nil {
			n = 1
		}
		o.w.Cell()
		o.repeated, o.cell = max(1, min(n, maxGap)), o.w.Len()
	}
	return nil
}

// breaks ends a line or paragraph, but for those within a note.
func (o *openText) breaks(e *element, end func()) {
	if !e.within("note-body") {
		end()
	}
}

func (o *openText) end(e *element) {
	switch e.name {
	case "p":
		if e.within("list-item") || e.within("table-cell") {
			o.breaks(e, o.w.Line)
		} else {
			o.breaks(e, o.w.Paragraph)
		}
	case "h":
		o.w.Prefix("")
		o.breaks(e, o.w.Paragraph)
	case "list":
		if e.parent() != "list-item" {
			o.w.Prefix("")
			o.w.Paragraph()
		}
	case "note-body":
		o.w.Text(")")
	case "notes":
		o.w.Prefix("")
	case "table-row":
		o.w.Row()
	case "table":
		o.w.Row()
		o.w.Paragraph()
	case "table-cell", "covered-table-cell":
		text := ""
		if n := o.w.Len() - o.cell; n > 0 {
			text = strings.TrimLeft(o.w.Tail(n), "\n\t| ")
		}
		for ; o.repeated > 1; o.repeated-- {
			o.w.Cell()
			o.w.Text(text)
		}
	}
}
