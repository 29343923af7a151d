package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
)

// Gemini's public rates, in tokens.
const (
	geminiPicture = 258 // a small one, a tile of a large one, or a page
	geminiFrame   = 263 // with its time; there is one a second
	geminiSound   = 32  // a second

	geminiSmall = 384 // pixels on both sides
	geminiTile  = 768
)

// countRow is what one file takes, or several.
type countRow struct {
	File    string  `json:"file"`
	Kind    string  `json:"kind"` // the format of a text; "mixed" of different files
	Files   int     `json:"files"`
	Bytes   int64   `json:"bytes,omitempty"` // of text
	Pages   int     `json:"pages,omitempty"` // of a PDF
	Width   int     `json:"width,omitempty"` // of one picture
	Height  int     `json:"height,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`

	Text      int      `json:"text_tokens"`
	Seen      int      `json:"seen_tokens"`
	Heard     int      `json:"heard_tokens"`
	Tokens    int      `json:"tokens"`
	Estimated bool     `json:"estimated"` // text has a guess at what will be read and heard
	Share     *float64 `json:"share"`     // of what the model can take; null if that is not known
	Gemini    int      `json:"gemini_tokens"`

	// Parts of files that the model cannot read, and those whose length is not known.
	// Gemini's rates say nothing of the latter either.
	Unreadable int `json:"unreadable_parts"`
	Unknown    int `json:"unknown_parts"`
}

// fileOf is the file that a part comes from.
func fileOf(p *handscroll.Part) string {
	if page := p.Shape().Page; page > 0 && p.Kind() == handscroll.Picture {
		return strings.TrimSuffix(p.Source, fmt.Sprintf("#page=%d", page))
	}
	return p.Source
}

// add counts a part of the file; err says why counts has nothing.
func (r *countRow) add(p *handscroll.Part, counts handscroll.Counts, err error) {
	s := p.Shape()
	kind := p.Kind().String()
	if p.Kind() == handscroll.Text || s.Page > 0 {
		kind = s.Format
	}
	r.Kind = kind
	r.Bytes += int64(len(p.Text))
	r.Seconds += p.Length().Seconds()
	if r.Kind == "picture" {
		r.Width, r.Height = s.Width, s.Height
	}
	r.Text, r.Seen, r.Heard = r.Text+counts.Text, r.Seen+counts.Seen, r.Heard+counts.Heard
	r.Tokens = r.Text + r.Seen + r.Heard
	r.Estimated = r.Estimated || counts.Estimated
	switch {
	case r.Kind == "pdf":
		r.Pages = max(r.Pages, s.Page)
		r.Gemini = geminiPicture * r.Pages
	case p.Kind() == handscroll.Text:
		r.Gemini += counts.Text
	case p.Kind() == handscroll.Picture:
		r.Gemini += geminiPicture * tiles(s.Width, s.Height)
	default:
		r.Gemini += geminiStretch(p, s.Silent)
	}
	if timed := p.Kind() == handscroll.Sound || p.Kind() == handscroll.Film; timed && p.Length() == 0 {
		r.Unknown++
	}
	if !errors.Is(err, handscroll.ErrLength) && err != nil {
		r.Unreadable++
	}
}

// tiles is how many pictures Gemini makes of one.
func tiles(w, h int) int {
	if w <= geminiSmall && h <= geminiSmall {
		return 1
	}
	across, down := (w+geminiTile-1)/geminiTile, (h+geminiTile-1)/geminiTile
	return across * down
}

// geminiStretch is what a film or recording costs by Gemini's rates.
func geminiStretch(p *handscroll.Part, silent bool) int {
	seconds := int((p.Length() + time.Second - 1) / time.Second)
	rate := 0
	if p.Kind() == handscroll.Film {
		rate += geminiFrame
	}
	if !silent {
		rate += geminiSound
	}
	return seconds * rate
}

// merge adds what other files take.
func (r *countRow) merge(o *countRow) {
	switch r.Kind {
	case "":
		r.Kind = o.Kind
	case o.Kind:
	default:
		r.Kind = "mixed"
	}
	r.Files += o.Files
	r.Bytes += o.Bytes
	r.Pages += o.Pages
	r.Seconds += o.Seconds
	r.Text, r.Seen, r.Heard, r.Tokens = r.Text+o.Text, r.Seen+o.Seen, r.Heard+o.Heard, r.Tokens+o.Tokens
	r.Estimated = r.Estimated || o.Estimated
	r.Gemini += o.Gemini
	r.Unreadable += o.Unreadable
	r.Unknown += o.Unknown
}

// rowsEach is how many files below a name have a row each.
const rowsEach = 20

// collapse makes one row of the files below each of names, where they are many.
func collapse(rows []*countRow, names []string) []*countRow {
	for _, name := range names {
		name = filepath.Clean(name)
		var rest []*countRow
		all, at := &countRow{File: name + string(filepath.Separator)}, 0
		for _, r := range rows {
			if !below(name, r.File) {
				rest = append(rest, r)
				continue
			}
			if all.Files == 0 {
				at = len(rest)
			}
			all.merge(r)
		}
		if all.Files > rowsEach {
			rows = append(rest[:at:at], append([]*countRow{all}, rest[at:]...)...)
		}
	}
	return rows
}

// below reports whether a file is in a directory or an archive.
func below(dir, file string) bool {
	rel, err := filepath.Rel(dir, file)
	return err == nil && rel != "." && file != "-" && filepath.IsLocal(rel)
}

// counted reports whether there is anything in the counts.
func (r *countRow) counted() bool { return r.Tokens > 0 }

func (r *countRow) length() string {
	switch {
	case r.Files > 1:
		return fmt.Sprintf("%d files", r.Files)
	case r.Pages == 1:
		return "1 page"
	case r.Pages > 0:
		return fmt.Sprintf("%d pages", r.Pages)
	case r.Width > 0:
		return fmt.Sprintf("%d × %d", r.Width, r.Height)
	case r.Seconds > 0:
		return time.Duration(r.Seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
	case r.Bytes > 0:
		return formatBytes(r.Bytes)
	}
	return "?"
}

func (r *countRow) share() string {
	if r.Share == nil || !r.counted() {
		return "–"
	}
	return percent(*r.Share)
}

func (r *countRow) gemini() string {
	if r.Gemini == 0 && r.Unknown > 0 {
		return "?"
	}
	return fmt.Sprint(r.Gemini)
}

// percent writes a share with one digit after the point.
func percent(share float64) string {
	if share > 0 && share < 0.0005 {
		return "<0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}
