package office

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxGap is how many empty cells between two are kept.
const maxGap = 256

// xlsx writes a workbook (ECMA-376 part 1, chapter 18): the sheets in their
// order, each under its name.
func (p *pack) xlsx(main string) error {
	rels, err := p.rels(main)
	if err != nil {
		return err
	}
	b := &workbook{pack: p, epoch: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)}
	target := map[string]string{}
	for _, r := range rels {
		target[r.id] = r.target
		switch {
		case strings.HasSuffix(r.kind, "/sharedStrings") && p.has(r.target):
			err = b.readStrings(r.target)
		case strings.HasSuffix(r.kind, "/styles") && p.has(r.target):
			err = b.readStyles(r.target)
		}
		if err != nil {
			return err
		}
	}
	type sheet struct{ name, part string }
	var sheets []sheet
	err = p.elements(main, func(e *element) error {
		switch {
		case !e.start:
		case e.name == "workbookPr" && (e.attr("date1904") == "1" || e.attr("date1904") == "true"):
			b.epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
		case e.name == "sheet":
			sheets = append(sheets, sheet{e.attr("name"), target[e.attr("id")]})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(sheets) > p.limits.Pages {
		return fmt.Errorf("%d sheets; %d are read", len(sheets), p.limits.Pages)
	}
	p.w.Bar("\t")
	for i, s := range sheets {
		if !strings.Contains(s.part, "/worksheets/") {
			continue // a chart's
		}
		p.w.Paragraph()
		p.w.Mark(i + 1)
		p.w.Text("## " + s.name)
		p.w.Paragraph()
		if err := b.sheet(s.part); err != nil {
			return err
		}
	}
	return nil
}

// workbook is what cells refer to.
type workbook struct {
	*pack
	strings []string
	dates   []bool // of each cell format, whether it shows a date or a time
	epoch   time.Time
}

func (b *workbook) readStrings(name string) error {
	var s strings.Builder
	return b.elements(name, func(e *element) error {
		switch {
		case e.start && e.name == "si":
			s.Reset()
		case e.end && e.name == "si":
			b.strings = append(b.strings, s.String())
		case e.text != "" && e.name == "t" && !e.within("rPh"): // rPh is how to pronounce it
			s.WriteString(e.text)
		}
		return nil
	})
}

func (b *workbook) readStyles(name string) error {
	custom := map[string]bool{}
	return b.elements(name, func(e *element) error {
		switch {
		case !e.start:
		case e.name == "numFmt":
			custom[e.attr("numFmtId")] = isDate(e.attr("formatCode"))
		case e.name == "xf" && e.parent() == "cellXfs":
			id := e.attr("numFmtId")
			n, err := strconv.Atoi(id)
			b.dates = append(b.dates, custom[id] || err == nil && (n >= 14 && n <= 22 || n >= 27 && n <= 36 || n >= 45 && n <= 47 || n >= 50 && n <= 58))
		}
		return nil
	})
}

// isDate reports whether a number format shows a date or a time of day.
func isDate(format string) bool {
	var quoted, bracketed bool
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\\' || c == '_' || c == '*':
			i++ // the next one stands for itself
		case c == '[':
			bracketed = true
		case c == ']':
			bracketed = false
		case bracketed && strings.IndexByte("hms", c|0x20) >= 0:
			return false // a stretch of time, which stays a number
		case bracketed:
		case strings.IndexByte("ymdhs", c|0x20) >= 0:
			return true
		}
	}
	return false
}

// cell is one being read.
type cell struct {
	column int // from 0
	kind   string
	style  int
	value  strings.Builder
}

func (b *workbook) sheet(name string) error {
	c := &cell{}
	next := 0 // column
	err := b.elements(name, func(e *element) error {
		switch {
		case e.start && e.name == "row":
			b.w.Row()
			next, c.column = 0, -1
		case e.start && e.name == "c":
			c.value.Reset()
			c.kind, c.column = e.attr("t"), column(e.attr("r"), c.column+1)
			style, err := strconv.Atoi(e.attr("s"))
			if err != nil {
				style = -1
			}
			c.style = style
		case e.end && e.name == "c":
			value := b.value(c)
			if value == "" {
				return nil
			}
			for range min(c.column-next, maxGap) {
				b.w.Cell()
			}
			b.w.Cell()
			b.w.Text(value)
			next = c.column + 1
		case e.text != "" && (e.name == "v" || e.name == "t" && e.within("is")):
			c.value.WriteString(e.text)
		}
		return nil
	})
	b.w.Row()
	return err
}

// column is that of a reference such as "AB12", or otherwise.
func column(ref string, otherwise int) int {
	n := 0
	for i := 0; i < len(ref) && ref[i] >= 'A' && ref[i] <= 'Z' && n < 1<<20; i++ {
		n = 26*n + int(ref[i]-'A') + 1
	}
	if n == 0 {
		return otherwise
	}
	return n - 1
}

// value is what a cell shows.
func (b *workbook) value(c *cell) string {
	v := c.value.String()
	switch c.kind {
	case "s":
		i, err := strconv.Atoi(v)
		if err != nil || i < 0 || i >= len(b.strings) {
			return "#REF!"
		}
		return b.strings[i]
	case "b":
		return map[string]string{"0": "FALSE", "1": "TRUE"}[v]
	case "", "n":
		x, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return v
		}
		if c.style >= 0 && c.style < len(b.dates) && b.dates[c.style] && x >= 0 && x < 2958466 {
			return b.date(x)
		}
		return strconv.FormatFloat(x, 'g', 15, 64) // as many digits as the program shows
	}
	return v
}

// date is a number of days as a date, a time of day, or both.
func (b *workbook) date(days float64) string {
	t := b.epoch.Add(time.Duration(math.Round(days*86400)) * time.Second)
	switch {
	case days < 1:
		return t.Format("15:04:05")
	case t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0:
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 15:04:05")
}
