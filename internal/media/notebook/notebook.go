// Package notebook reads Jupyter notebooks: the cells' text and code and what
// they printed, with a mark a cell. Pictures and rich outputs are left out.
package notebook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path"
	"regexp"
	"strings"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

// Format returns the format of notebooks.
func Format() media.Format {
	return media.Format{Name: "notebook", Match: Match, Decode: decode}
}

// Match reports whether a file is a JSON object with cells, as far as its
// beginning shows it, or is one whose name says so.
func Match(name string, head []byte) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if !bytes.HasPrefix(head, []byte("{")) || bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	return strings.EqualFold(path.Ext(name), ".ipynb") || bytes.Contains(head, []byte(`"cell_type"`)) && bytes.Contains(head, []byte(`"cells"`))
}

// book is a notebook of version 4, or of version 3 with its cells in worksheets.
type book struct {
	Cells      []cell
	Worksheets []struct{ Cells []cell }
	Metadata   struct {
		LanguageInfo struct{ Name string } `json:"language_info"`
	}
}

type cell struct {
	Type    string `json:"cell_type"`
	Source  lines
	Input   lines // of code in version 3
	Outputs []struct {
		Text      lines
		Data      map[string]json.RawMessage
		Ename     string
		Evalue    string
		Traceback lines
	}
}

// lines is a text, or the lines of one.
type lines string

func (l *lines) UnmarshalJSON(data []byte) error {
	var list []string
	if err := json.Unmarshal(data, &list); err == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(l))
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	data, err := f.Text(l)
	if err != nil {
		return nil, err
	}
	var b book
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &b); err != nil {
		return nil, err
	}
	cells := b.Cells
	for _, s := range b.Worksheets {
		cells = append(cells, s.Cells...)
	}
	if len(cells) == 0 {
		return nil, errors.New("a notebook without cells")
	}
	w := markdown.New(l)
	for i, c := range cells {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w.Mark(i + 1)
		if err := c.write(w, b.Metadata.LanguageInfo.Name); err != nil {
			return nil, err
		}
	}
	p, err := w.Part(f.Name)
	if err != nil {
		return nil, err
	}
	return []media.Part{p}, nil
}

func (c *cell) write(w *markdown.Writer, language string) error {
	source := string(c.Source + c.Input)
	if c.Type != "code" {
		w.Paragraph()
		w.Verbatim(strings.TrimRight(source, "\n"))
		return nil
	}
	fence(w, language, source)
	for _, o := range c.Outputs {
		fence(w, "output", string(o.Text))
		if plain, ok := o.Data["text/plain"]; ok {
			var text lines
			if err := json.Unmarshal(plain, &text); err != nil {
				return err
			}
			fence(w, "output", string(text))
		}
		if o.Ename != "" {
			fence(w, "error", o.Ename+": "+o.Evalue+"\n"+string(o.Traceback))
		}
	}
	return nil
}

// escapes colour what a terminal shows.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

func fence(w *markdown.Writer, language, text string) {
	text = strings.Trim(escapes.ReplaceAllString(text, ""), "\n")
	if text == "" {
		return
	}
	w.Paragraph()
	w.Verbatim("```" + language + "\n" + text + "\n```")
}
