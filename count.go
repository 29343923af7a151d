package handscroll

import "github.com/handscroll/handscroll/internal/engine"

// Counts is how many tokens of a context a part takes: its text, or what is read and
// heard in it, and entries of what is seen and heard.
type Counts = engine.Counts

// SenseError: a model lacks the eyes or ears that a part needs.
type SenseError = engine.SenseError

// ErrLength: a film or recording cannot be counted, as its length is not known before
// it is read.
var ErrLength = engine.ErrLength

// Count says how many tokens a part will take in a context of the model, before
// anything but its text is decoded. It fails with a [*SenseError] or [ErrLength].
// Films that programs make are taken to have a frame a second, and sound.
func (m *Model) Count(p *Part) (Counts, error) {
	part := p.media()
	return m.m.Count(&part)
}

// Shape is what a part's file says of itself in its headers.
type Shape struct {
	Format string // text, html, markdown, pdf, office, picture, sound, film …; "" for parts that programs make
	Page   int    // the last page of a document that the part has; 0 for none
	Width  int    // of a picture, in pixels as stored; 0 if it is not known
	Height int
	FPS    float64 // frames a second that a film is read with; 0 for the default
	Silent bool    // a film that has no sound
}

// Shape returns what is known of the part before it is read.
func (p *Part) Shape() Shape {
	m := &p.medium
	s := Shape{m.Format, m.Page, m.W, m.H, m.FPS, m.Silent}
	for _, mark := range m.Marks {
		s.Page = max(s.Page, mark.Page)
	}
	return s
}
