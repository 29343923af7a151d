package markdown

import (
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// gap is what stands between two texts. Of several the greatest counts.
type gap uint8

const (
	none gap = iota
	space
	line
	paragraph
)

// Writer collects a text.
type Writer struct {
	buf    []byte
	max    int64
	err    error
	marks  []media.Mark
	next   *media.Mark // of the text that comes next
	gap    gap         // before the text that comes next
	prefix string      // of it

	cells     int // begun in this row
	bars      int // between the last cell with text and this one
	bar       string
	rowText   bool // whether this row has text
	cellStart bool // whether this cell has none yet
}

// New returns a writer that holds as much text as l allows.
func New(l media.Limits) *Writer { return &Writer{max: l.Text, bar: " | "} }

// Bar makes s what stands between the cells of a row; at first it is " | ".
func (w *Writer) Bar(s string) { w.bar = s }

// Len is the number of bytes so far.
func (w *Writer) Len() int { return len(w.buf) }

// Left is the number of bytes that may still come.
func (w *Writer) Left() int64 { return w.max - int64(len(w.buf)) }

// Tail returns the last n bytes so far, or all.
func (w *Writer) Tail(n int) string { return string(w.buf[max(0, len(w.buf)-n):]) }

// Err is a [*media.SizeError] once more was written than is allowed.
func (w *Writer) Err() error { return w.err }

// Part returns what was written as a part, which ends in a line feed unless it is
// empty.
func (w *Writer) Part(source string) (media.Part, error) {
	if len(w.buf) > 0 && w.buf[len(w.buf)-1] != '\n' {
		w.append("\n")
	}
	return media.Part{Source: source, Text: w.buf, Marks: w.marks}, w.err
}

// Mark says that the text that follows is of a page.
func (w *Writer) Mark(page int) { w.next = &media.Mark{Page: page, Time: -1} }

// MarkTime says that the text that follows is of a moment.
func (w *Writer) MarkTime(at time.Duration) { w.next = &media.Mark{Time: at} }

// Line ends a line.
func (w *Writer) Line() { w.widen(line) }

// Paragraph ends a paragraph.
func (w *Writer) Paragraph() { w.widen(paragraph) }

func (w *Writer) widen(g gap) {
	if !w.cellStart {
		w.gap = max(w.gap, g)
	}
}

// Prefix puts s before the text that comes next, such as "# " or "- ". An empty
// one takes it back.
func (w *Writer) Prefix(s string) { w.prefix = s }

// Row begins a row of a table, and ends the one before. Rows stay together,
// whatever ended their last cells.
func (w *Writer) Row() {
	if w.rowText {
		w.gap = line
	}
	w.cells, w.bars, w.rowText, w.cellStart = 0, 0, false, false
	w.Line()
}

// Cell begins a cell of a row. That a cell begins or ends with a paragraph makes
// no break; a break between two texts in it stays.
func (w *Writer) Cell() {
	if w.cells > 0 {
		w.bars++
	}
	w.cells++
	w.cellStart = true
}

// Text writes s with runs of white space as one space.
func (w *Writer) Text(s string) {
	for s != "" {
		i := strings.IndexFunc(s, isSpace)
		if i < 0 {
			i = len(s)
		}
		if word := invisible.Replace(s[:i]); word != "" {
			w.flush()
			w.append(word)
		}
		if i == len(s) {
			return
		}
		s = strings.TrimLeftFunc(s[i:], isSpace)
		w.gap = max(w.gap, space)
	}
}

// isSpace is HTML's white space and the no-break space, which parts no words but
// would keep them from being found.
func isSpace(r rune) bool {
	return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' || r == '\u00a0'
}

// invisible drops what only guides hyphenation and line breaks.
var invisible = strings.NewReplacer("\u00ad", "", "\u200b", "", "\ufeff", "")

// Verbatim writes s as it is.
func (w *Writer) Verbatim(s string) {
	if s != "" {
		w.flush()
		w.append(s)
	}
}

// flush writes what stands before a text.
func (w *Writer) flush() {
	if w.bars == 0 || !w.rowText {
		w.part()
	}
	w.gap = none
	for ; w.bars > 0; w.bars-- {
		w.append(w.bar)
	}
	w.rowText, w.cellStart = w.cells > 0, false
	if w.next != nil {
		w.next.Offset = int64(len(w.buf))
		w.marks = append(w.marks, *w.next)
		w.next = nil
	}
	w.append(w.prefix)
	w.prefix = ""
}

// part writes the gap, less the line feeds that are there already.
func (w *Writer) part() {
	ends := 2 // as good as two at the beginning
	if tail := w.Tail(2); tail != "" {
		ends = len(tail) - len(strings.TrimRight(tail, "\n"))
	}
	switch {
	case w.gap == space && ends == 0:
		w.append(" ")
	case w.gap == line && ends == 0, w.gap == paragraph && ends == 1:
		w.append("\n")
	case w.gap == paragraph && ends == 0:
		w.append("\n\n")
	}
}

func (w *Writer) append(s string) {
	if w.err == nil && int64(len(w.buf)+len(s)) > w.max {
		w.err = &media.SizeError{Bytes: int64(len(w.buf) + len(s)), Max: w.max}
	}
	if w.err == nil {
		w.buf = append(w.buf, s...)
	}
}
