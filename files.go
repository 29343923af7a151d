package handscroll

import (
	"context"
	"io"
	"time"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/all"
)

// FileOptions say how files are opened.
type FileOptions struct {
	Stdin io.Reader // what the name "-" reads; nil makes it an error
	// MaxBytes bounds the text of all files together; 0 is the memory that is
	// available.
	MaxBytes int64
	// FPS is how many frames a second are taken from films, 0 for 1. Start and End
	// bound the stretch of films and recordings that is read, End 0 being the end.
	// KeyFrames takes key frames alone, which decodes many times faster.
	FPS        float64
	Start, End time.Duration
	KeyFrames  bool
	// Name is what a single file is called, where that is not its path: the Source of
	// its part, and the name that decides between formats.
	Name string
	// Height is what frames of films are reduced to; 0 is 180, which is what the
	// shipped model looks at.
	Height int
}

// Skipped is a file that was found but not read, and why.
type Skipped struct {
	Source string
	Reason string
}

// Files opens files, directories (all files below, in order, but for what
// .gitignore leaves out and generated files), globs (** for any depth) and "-"
// for standard input: texts, and documents as text that knows its pages (PDF,
// HTML, Office, EPUB, notebooks, mail, subtitles), also inside of gzip, tar and
// zip; pictures, recordings and films, which are decoded when they are read (films
// and some recordings by ffmpeg). A directory of numbered pictures is a film.
// Content decides what a file is, not its name.
//
// A named file that is missing, unreadable, damaged or empty is an error. Binary
// files are skipped, and below directories whatever cannot be read; all that is
// returned.
func Files(ctx context.Context, names []string, opts FileOptions) ([]Part, []Skipped, error) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = engine.MemoryLimit()
	}
	ps, ss, err := media.Open(ctx, names, media.Options{
		Formats: all.Formats(), FrameDir: all.FrameDir, Stdin: opts.Stdin, MaxBytes: opts.MaxBytes, Name: opts.Name,
		Limits: media.Limits{FPS: opts.FPS, Start: opts.Start, End: opts.End, KeyFrames: opts.KeyFrames, MaxSide: opts.Height},
	})
	var skipped []Skipped
	for _, s := range ss {
		skipped = append(skipped, Skipped(s))
	}
	if err != nil {
		return nil, skipped, err
	}
	parts := make([]Part, 0, len(ps))
	for _, p := range ps {
		parts = append(parts, Part{p.Source, p.Text, p})
	}
	return parts, skipped, nil
}

// FreeMemory is the memory that limits of 0 stand for: nine tenths of what is
// available now, in bytes, or 0 where the system does not say.
func FreeMemory() int64 { return engine.MemoryLimit() }
