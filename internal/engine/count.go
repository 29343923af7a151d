package engine

import (
	"errors"
	"math"
	"time"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/media"
)

// Counts is how many tokens of a context a part takes.
type Counts struct {
	Text        int // its own, or read and heard in it, with the times of frames
	Seen, Heard int
	// Estimated says that Text has a guess at what will be read and heard.
	Estimated bool
}

// ErrLength says that a part cannot be counted.
var ErrLength = errors.New("engine: its length is not known before it is read")

// Guesses at the tokens of text that there is to read and hear. A page of print has
// about 500 words, a speaker says 150 a minute, and a word has 1.6 tokens; most
// pictures and frames show a word or none.
const (
	pageTokens      = 800
	pictureTokens   = 20
	frameTokens     = 2
	speechTokens    = 4 // a second
	utteranceLength = 4 * time.Second
)

// Count says how many tokens a part will take, before it is decoded: a [*SenseError]
// if the model lacks what it needs, [ErrLength] if its length is not known.
func (m *Model) Count(p *media.Part) (Counts, error) {
	if p.Kind == media.Text {
		return Counts{Text: m.CountTokens(p.Text)}, nil
	}
	if !m.perceives(p.Kind) {
		return Counts{}, &SenseError{p.Source, p.Kind}
	}
	if p.Kind == media.Picture {
		return m.countPicture(p), nil
	}
	if p.Duration <= 0 {
		return Counts{}, ErrLength
	}
	c := Counts{Text: 1}
	if p.Kind == media.Film {
		fps := p.FPS
		if fps <= 0 {
			fps = media.Limits{}.WithDefaults().FPS
		}
		// What is taken away stands for rounding.
		frames := max(1, int(math.Ceil(p.Duration.Seconds()*fps-1e-6)))
		c.Text += m.stampTokens(frames, 1/fps)
		if m.senses.Reading != nil {
			c.Text, c.Estimated = c.Text+frames*frameTokens, true
		}
		if m.senses.Seeing != nil {
			c.Seen = frames * encoder.Patches
		}
	}
	if m.senses.Hearing != nil && !p.Silent {
		const step = time.Second / encoder.EmbeddingRate
		c.Heard = int((p.Duration-1)/step) + 1
		utterances := int((p.Duration-1)/utteranceLength) + 1
		c.Text += int(p.Duration.Seconds()*speechTokens) + m.stampTokens(utterances, utteranceLength.Seconds())
		c.Estimated = true
	}
	return c, nil
}

func (m *Model) countPicture(p *media.Part) Counts {
	c := Counts{Text: m.CountTokens([]byte("\n"))}
	switch {
	case m.senses.Reading == nil:
	case p.Page > 0:
		c.Text, c.Estimated = c.Text+pageTokens, true
	default:
		c.Text, c.Estimated = c.Text+pictureTokens, true
	}
	if m.senses.Seeing != nil {
		c.Seen = encoder.Patches
	}
	return c
}

// stampTokens is how many tokens n lines with nothing but their times are, which are
// step seconds apart. Digits are tokens of their own, so that all times with as many
// digits are alike.
func (m *Model) stampTokens(n int, step float64) int {
	total := 0
	for i, limit := 0, 6000.0; i < n; limit *= 10 {
		until := int(min(float64(n), math.Ceil(limit/step)))
		line := Clock(time.Duration(limit/10)*time.Second) + " \n"
		total += (until - i) * len(m.tok.Encode(nil, []byte(line)))
		i = until
	}
	return total
}

// perceives reports whether the model has a sense for parts of a kind.
func (m *Model) perceives(k media.Kind) bool {
	s := m.senses
	sees, hears := s.Reading != nil || s.Seeing != nil, s.Hearing != nil
	switch k {
	case media.Picture:
		return sees
	case media.Sound:
		return hears
	}
	return k == media.Text || sees || hears
}
