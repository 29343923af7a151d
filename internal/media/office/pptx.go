package office

import (
	"fmt"
	"strings"
)

// pptx writes a talk (ECMA-376 part 1, chapter 19): the slides in their order,
// each with its diagrams and the speaker's notes.
func (p *pack) pptx(main string) error {
	rels, err := p.rels(main)
	if err != nil {
		return err
	}
	target := map[string]string{}
	for _, r := range rels {
		target[r.id] = r.target
	}
	var slides []string
	err = p.elements(main, func(e *element) error {
		if e.start && e.name == "sldId" {
			for _, a := range e.attrs {
				if a.Name.Local == "id" && a.Name.Space != "" {
					slides = append(slides, target[a.Value])
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(slides) > p.limits.Pages {
		return fmt.Errorf("%d slides; %d are read", len(slides), p.limits.Pages)
	}
	for i, name := range slides {
		p.w.Paragraph()
		p.w.Mark(i + 1)
		if err := p.slide(name, ""); err != nil {
			return err
		}
		rels, err := p.rels(name)
		if err != nil {
			return err
		}
		for _, r := range rels {
			prefix := ""
			switch {
			case strings.HasSuffix(r.kind, "/diagramData"):
			case strings.HasSuffix(r.kind, "/notesSlide"):
				prefix = "Notes: "
			default:
				continue
			}
			if err := p.slide(r.target, prefix); err != nil {
				return err
			}
		}
	}
	return nil
}

// slide writes the text of a slide, its notes or a diagram.
func (p *pack) slide(name, prefix string) error {
	title := false
	p.w.Prefix(prefix)
	err := p.elements(name, func(e *element) error {
		switch {
		case e.within("Fallback"):
		case e.start:
			switch e.name {
			case "sp":
				title = false
			case "ph":
				title = e.attr("type") == "title" || e.attr("type") == "ctrTitle"
			case "p":
				p.w.Line()
				if title {
					p.w.Prefix("# ")
					title = false
				}
			case "br":
				p.w.Line()
			case "tbl":
				p.w.Paragraph()
			case "tr":
				p.w.Row()
			case "tc":
				p.w.Cell()
			}
		case e.end:
			switch e.name {
			case "p":
				p.w.Line()
			case "sp":
				p.w.Paragraph()
			case "tr":
				p.w.Row()
			case "tbl":
				p.w.Row()
				p.w.Paragraph()
			}
		case e.name == "t" && !e.within("fld"): // fields are numbers of slides, and dates
			p.w.Text(e.text)
		}
		return nil
	})
	p.w.Prefix("")
	p.w.Paragraph()
	return err
}
