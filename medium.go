package handscroll

import (
	"context"
	"crypto/sha256"
	"sort"
	"time"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/media"
)

// What films and recordings consist of, for parts that a program makes itself.
type (
	// Stream decodes a film, a recording or a picture piece by piece.
	Stream = media.Stream
	// Chunk is a moment of a stream: a frame, sound, or both.
	Chunk = media.Chunk
	// Image is a frame of 8-bit sRGB.
	Image = media.Image
	// Kind is what a part consists of.
	Kind = media.Kind
)

// The kinds of parts.
const (
	Text    = media.Text
	Picture = media.Picture
	Sound   = media.Sound
	Film    = media.Film
)

// SampleRate is that of all sound in streams, in samples a second.
const SampleRate = media.SampleRate

// Medium returns a part of another kind than text. Its content is what id says: a
// stored context reads it again when that changes. length may be 0; open may be
// called more than once.
func Medium(source, id string, kind Kind, length time.Duration, open func(context.Context) (Stream, error)) Part {
	m := media.Part{Source: source, Kind: kind, Hash: sha256.Sum256([]byte(id)), Duration: length, Open: open}
	return Part{Source: source, medium: m}
}

// Kind says what the part consists of.
func (p *Part) Kind() Kind { return p.medium.Kind }

// Length is that of a film or recording, 0 if it is not known before reading.
func (p *Part) Length() time.Duration { return p.medium.Duration }

// Stream begins to decode a part of another kind than text.
func (p *Part) Stream(ctx context.Context) (Stream, error) { return p.medium.Open(ctx) }

// Cut changes a film or a recording: what Stretch, a part of the same kind, shows
// between its Lead and its Tail takes the place of as much of a film from At on; of
// a recording it is put in before At. Lead and Tail are what stands before and
// after, CutLead and CutTail long but at the ends of the source.
type Cut struct {
	At         time.Duration
	Stretch    Part
	Lead, Tail time.Duration
}

// CutLead and CutTail are how much of its surroundings the stretch of a cut needs.
const (
	CutLead = engine.CutLead
	CutTail = engine.CutTail
)

// SpliceMedium returns a context in memory as if the film or recording source had
// ended at length and been cut so; see [Context.Splice]. Clocks in the text of what
// comes after a cut of a recording stay as they were.
func (c *Context) SpliceMedium(ctx context.Context, source string, length time.Duration, cuts ...Cut) (*Context, error) {
	ins := make([]engine.Cut, len(cuts))
	for i, cut := range cuts {
		ins[i] = engine.Cut{At: cut.At, Stretch: cut.Stretch.media(), Lead: cut.Lead, Tail: cut.Tail}
	}
	s, err := c.c.SpliceMedium(ctx, source, length, ins...)
	if err != nil {
		return nil, err
	}
	return &Context{c.m, s}, nil
}

// Place returns where the text at a byte offset of the part comes from: the page of
// a document, 0 for none, and the time of a subtitle if it is timed.
func (p *Part) Place(offset int64) (page int, at time.Duration, timed bool) {
	marks := p.medium.Marks
	i := sort.Search(len(marks), func(i int) bool { return marks[i].Offset > offset }) - 1
	if i < 0 {
		return 0, 0, false
	}
	return marks[i].Page, max(marks[i].Time, 0), marks[i].Time >= 0
}
