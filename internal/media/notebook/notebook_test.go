package notebook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

func read(data string, l media.Limits) (media.Part, error) {
	parts, err := decode(context.Background(), &media.File{Name: "n", Size: int64(len(data)), ReaderAt: strings.NewReader(data)}, l.WithDefaults())
	if err != nil {
		return media.Part{}, err
	}
	return parts[0], nil
}

const example = `{"cells": [
 {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "Text."]},
 {"cell_type": "code", "source": "print(1)", "outputs": [
   {"output_type": "stream", "text": ["1\n"]},
   {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=", "text/plain": ["<Figure>"]}},
   {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": ["\u001b[31mline 1\u001b[0m"]}]},
 {"cell_type": "code", "source": "", "outputs": []},
 {"cell_type": "raw", "source": "end"}],
 "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}`

func TestCells(t *testing.T) {
	if !Match("n.json", []byte(example)) {
		t.Error("not recognised")
	}
	p, err := read(example, media.Limits{})
	const want = "# Title\nText.\n\n```python\nprint(1)\n```\n\n```output\n1\n```\n\n```output\n<Figure>\n```\n\n```error\nValueError: bad\nline 1\n```\n\nend\n"
	if err != nil || string(p.Text) != want {
		t.Errorf("%q, %v", p.Text, err)
	}
	if got, want := fmt.Sprint(p.Marks), fmt.Sprintf("[{0 1 -1ns} {15 2 -1ns} {%d 4 -1ns}]", strings.Index(want, "end")); got != want {
		t.Error(got, want)
	}
}

func TestVersionThree(t *testing.T) {
	p, err := read(`{"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"], "outputs": []}]}]}`, media.Limits{})
	if err != nil || string(p.Text) != "```\nx = 1\n```\n" {
		t.Errorf("%q, %v", p.Text, err)
	}
}

func TestRefused(t *testing.T) {
	for in, want := range map[string]string{
		example[:200]:                    "unexpected end",
		`{"nbformat": 4}`:                "without cells",
		`{"cells": [{"source": 7}]}`:     "cannot unmarshal number",
		strings.Repeat(`{"cells":`, 2e4): "exceeded max depth",
	} {
		if _, err := read(in, media.Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v", in, err)
		}
	}
	if _, err := read(example, media.Limits{Text: 50}); !errors.As(err, new(*media.SizeError)) {
		t.Error(err)
	}
	for _, c := range [][2]string{{"n.ipynb", "print(1)"}, {"n.json", `{"cells": []}`}, {"n.ipynb", "{\x00"}} {
		if Match(c[0], []byte(c[1])) {
			t.Error(c)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example)
	f.Add(`{"worksheets": [{"cells": [{"cell_type": "code", "input": "x", "outputs": [{"data": {"text/plain": "y"}}]}]}]}`)
	f.Fuzz(func(t *testing.T, data string) { read(data, media.Limits{Text: 1 << 20}) })
}
