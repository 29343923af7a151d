package markdown

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

func TestWriter(t *testing.T) {
	for _, c := range []struct {
		name, want string
		write      func(w *Writer)
	}{
		{"nothing", "", func(w *Writer) { w.Paragraph(); w.Mark(1); w.Text(" \n "); w.Verbatim("") }},
		{"white space", "a b c\n", func(w *Writer) { w.Text(" a\n\tb "); w.Text("\u00a0c ") }},
		{"the greatest gap", "a\n\nb\nc d\n", func(w *Writer) {
			w.Text("a ")
			w.Line()
			w.Paragraph()
			w.Text(" b")
			w.Line()
			w.Text("c")
			w.Text(" d")
		}},
		{"gap after line feeds", "a\n\nb\n\nc\nd\n", func(w *Writer) {
			w.Verbatim("a\n")
			w.Paragraph()
			w.Verbatim("b\n\n")
			w.Paragraph()
			w.Verbatim("c\n")
			w.Line()
			w.Text("d\n")
		}},
		{"prefix", "# a\nb\n", func(w *Writer) {
			w.Prefix("# ")
			w.Text("a")
			w.Line()
			w.Prefix("- ")
			w.Prefix("")
			w.Text("b")
		}},
		{"rows", "a | b\n | c\nd\n\ne\n", func(w *Writer) {
			for _, row := range [][]string{{"a", "b"}, {"", "c", ""}, {"", ""}, {"d"}} {
				w.Row()
				for _, cell := range row {
					w.Cell()
					w.Paragraph()
					w.Text(cell)
					w.Paragraph()
				}
			}
			w.Row()
			w.Paragraph()
			w.Text("e")
		}},
		{"break in a cell", "a\n\nb | c\n", func(w *Writer) {
			w.Row()
			w.Cell()
			w.Text("a")
			w.Paragraph()
			w.Text("b")
			w.Cell()
			w.Text("c")
		}},
		{"tabs", "a\t\tb\n", func(w *Writer) {
			w.Bar("\t")
			w.Row()
			w.Cell()
			w.Text("a")
			w.Cell()
			w.Cell()
			w.Text("b")
		}},
	} {
		w := New(media.Limits{Text: 100})
		c.write(w)
		p, err := w.Part("x")
		if err != nil || string(p.Text) != c.want {
			t.Errorf("%s: %q, %v", c.name, p.Text, err)
		}
	}
}

func TestMarks(t *testing.T) {
	w := New(media.Limits{Text: 100})
	w.Text("before")
	w.Paragraph()
	w.Mark(1) // a page without text
	w.Mark(2)
	w.Prefix("- ")
	w.Text("two")
	w.MarkTime(time.Second)
	w.Text(" three")
	w.Mark(4)
	p, err := w.Part("x")
	if got := fmt.Sprint(p.Marks); err != nil || got != "[{8 2 -1ns} {14 0 1s}]" {
		t.Errorf("%q %s, %v", p.Text, got, err)
	}
}

func TestLimit(t *testing.T) {
	w := New(media.Limits{Text: 5})
	w.Text("1234")
	if w.Err() != nil || w.Left() != 1 {
		t.Error(w.Err(), w.Left())
	}
	w.Text("56")
	w.Text("7")
	var size *media.SizeError
	if _, err := w.Part("x"); !errors.As(err, &size) || size.Max != 5 || w.Len() != 4 {
		t.Error(err, w.Len())
	}
}
