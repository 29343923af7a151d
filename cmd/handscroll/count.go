package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

type countFlags struct {
	model modelFlags
	files []string
	total bool
	json  bool
}

func newCountCmd() *cobra.Command {
	var f countFlags
	cmd := &cobra.Command{
		Use:   "count [-f] PATH...",
		Short: "Say how many tokens files take, before they are read",
		Long: `Say how many tokens files take, by what they are of (text, what is seen, what is
heard), and how much of the model's context that is. Texts are tokenised; of films,
recordings and pictures only the headers are decoded. What will be read and heard in
these is not known before, so that figures with ~ have a guess at it.

PATH is as for ask. Of a directory or archive with more than 20 files there is one
row. SHARE is of the tokens that the model can take: those that fit into the memory
that is free, or of open weights those that the model was trained on.

GEMINI is what Gemini's public rates make of the same files: 258 tokens a picture
of up to 384 pixels a side, and otherwise for each tile of 768 × 768; 258 a page of
a PDF; 263 a second of film, with its time; and 32 a second of sound. Its tokenizer
is another one: for text the model's own count stands there.`,
		Example: `  handscroll count talks notes.md film.mp4
  handscroll count --total -m qwen3-30b-a3b-q4_k_m.gguf src`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.files = append(f.files, args...)
			if len(f.files) == 0 {
				return usageError{errors.New("count: name at least one file")}
			}
			return f.run(cmd)
		},
	}
	cmd.Flags().StringVarP(&f.model.path, "model", "m", "", "model file (GGUF), native or open weights; the one in this program by default")
	cmd.Flags().StringArrayVarP(&f.files, "file", "f", nil, "file, directory, glob or - to count (repeatable)")
	cmd.Flags().BoolVar(&f.total, "total", false, "print only the totals")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	return cmd
}

func (f *countFlags) run(cmd *cobra.Command) error {
	// Before the model: a mistyped name should be told at once.
	parts, err := openFiles(cmd, f.files, 0)
	if err != nil {
		return err
	}
	c, err := f.open()
	if err != nil {
		return err
	}
	show := newProgress(cmd.ErrOrStderr())
	rows, err := tally(cmd.Context(), parts, c.count, show)
	show.clear()
	if err != nil {
		return err
	}
	out := countsJSON{Model: c.name, Total: countRow{File: "total"}}
	for _, r := range rows {
		out.Total.merge(r)
	}
	if !f.total {
		out.Files = collapse(rows, f.files)
	}
	if err := c.room(&out); err != nil {
		return err
	}
	for _, r := range append(out.Files, &out.Total) {
		if out.Capacity > 0 {
			share := float64(r.Tokens) / float64(out.Capacity)
			r.Share = &share
		}
	}
	if f.json {
		return encodeJSON(cmd, out)
	}
	return out.write(cmd.OutOrStdout())
}

// tokenCounter counts by one model.
type tokenCounter struct {
	name  string
	count func(*handscroll.Part) (handscroll.Counts, error)
	// room fills in what the total takes and what may be taken.
	room func(*countsJSON) error
}

func (f *countFlags) open() (*tokenCounter, error) {
	native, err := f.model.native()
	if err != nil {
		return nil, err
	}
	if !native {
		return f.openWeights()
	}
	m, err := f.model.open()
	if err != nil {
		return nil, err
	}
	return &tokenCounter{m.Name(), m.Count, func(c *countsJSON) error {
		entry := int64(m.EntryBytes())
		c.Memory, c.Free = int64(c.Total.Tokens)*entry, handscroll.FreeMemory()
		c.Capacity = c.Free / entry
		return nil
	}}, nil
}

// openWeights needs no more of open weights than their tokenizer and sizes.
func (f *countFlags) openWeights() (*tokenCounter, error) {
	v, err := handscroll.OpenVocabulary(f.model.path)
	if err != nil {
		return nil, err
	}
	d, err := handscroll.Describe(f.model.path, 0, "")
	if err != nil {
		return nil, err
	}
	count := func(p *handscroll.Part) (handscroll.Counts, error) {
		if p.Kind() != handscroll.Text {
			return handscroll.Counts{}, &handscroll.SenseError{Source: p.Source, Kind: p.Kind()}
		}
		ids, err := v.Tokenize(p.Text, false)
		return handscroll.Counts{Text: len(ids)}, err
	}
	return &tokenCounter{d.Name, count, func(c *countsJSON) error {
		c.Open, c.Capacity, c.Free = true, int64(d.Trained), d.Memory.Limit
		if c.Total.Tokens == 0 {
			return nil
		}
		full, err := handscroll.Describe(f.model.path, c.Total.Tokens, "")
		if err == nil {
			c.Memory = full.Memory.Context
		}
		return err
	}}, nil
}

// tally counts parts, a row for each file.
func tally(ctx context.Context, parts []handscroll.Part, count func(*handscroll.Part) (handscroll.Counts, error), show *progress) ([]*countRow, error) {
	var total, done int64
	for i := range parts {
		total += int64(len(parts[i].Text))
	}
	begin := time.Now()
	var rows []*countRow
	byFile := map[string]*countRow{}
	for i := range parts {
		p := &parts[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		show.share("counting", done, total, time.Since(begin))
		done += int64(len(p.Text))
		counts, err := count(p)
		var sense *handscroll.SenseError
		if err != nil && !errors.As(err, &sense) && !errors.Is(err, handscroll.ErrLength) {
			return nil, err
		}
		file := fileOf(p)
		r := byFile[file]
		if r == nil {
			r = &countRow{File: file, Files: 1}
			byFile[file] = r
			rows = append(rows, r)
		}
		r.add(p, counts, err)
	}
	return rows, nil
}

// countsJSON is what count prints.
type countsJSON struct {
	Model    string      `json:"model"`
	Files    []*countRow `json:"files,omitempty"` // not with --total
	Total    countRow    `json:"total"`
	Memory   int64       `json:"memory_bytes"`    // that the context takes, the text aside
	Free     int64       `json:"free_bytes"`      // memory that may be used, 0 if that is not known
	Capacity int64       `json:"capacity_tokens"` // that shares are of, 0 if it is not known
	Open     bool        `json:"open_weights"`
}

// write prints a table, and what of the model's room is taken.
func (c *countsJSON) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FILE\tKIND\tLENGTH\tTEXT\tSEEN\tHEARD\tTOKENS\tSHARE\tGEMINI")
	for _, r := range append(c.Files, &c.Total) {
		about, text, seen, heard, tokens := "", "–", "–", "–", "–"
		if r.Estimated {
			about = "~"
		}
		if r.counted() {
			text, seen, heard = fmt.Sprint(about, r.Text), fmt.Sprint(r.Seen), fmt.Sprint(r.Heard)
			tokens = fmt.Sprint(about, r.Tokens)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", shown.Replace(r.File), r.Kind, r.length(),
			text, seen, heard, tokens, r.share(), r.gemini())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n"+c.summary())
	return err
}

// summary says what memory the context takes, and what is missing of the counts.
func (c *countsJSON) summary() string {
	var s string
	if c.Total.counted() {
		of := ""
		if c.Free > 0 {
			of = fmt.Sprintf(", %s of the %s that may be used", percent(float64(c.Memory)/float64(c.Free)), formatBytes(c.Free))
		}
		s = fmt.Sprintf("The context takes %s of memory, the text aside%s.\n", formatBytes(c.Memory), of)
	}
	if c.Open && c.Capacity > 0 {
		s += fmt.Sprintf("The context of %s holds %d tokens; %s of it is taken.\n", shown.Replace(c.Model), c.Capacity, c.Total.share())
	}
	if n := c.Total.Unreadable; n > 0 && c.Open {
		s += fmt.Sprintf("Open weights read text alone: %s without counts, which they cannot read.\n", partsText(n))
	} else if n > 0 {
		s += fmt.Sprintf("The model lacks eyes or ears: %s without counts, which it cannot read.\n", partsText(n))
	}
	if n := c.Total.Unknown; n > 0 {
		s += fmt.Sprintf("Not counted: %s whose length is not known before they are read.\n", partsText(n))
	}
	return s
}

func partsText(n int) string {
	if n == 1 {
		return "1 part"
	}
	return fmt.Sprintf("%d parts", n)
}
