package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/render"
	"github.com/handscroll/handscroll/internal/speech"
)

// Errors counts the insertions, deletions and substitutions that make a reference of
// what was read or heard.
type Errors struct {
	Samples int     `json:"samples"` // sentences or pictures
	Edits   int     `json:"edits"`
	Length  int     `json:"length"` // of the references, in words or characters
	Rate    float64 `json:"rate"`
}

func (e *Errors) add(edits, length int) {
	e.Samples, e.Edits, e.Length = e.Samples+1, e.Edits+edits, e.Length+length
	e.Rate = float64(e.Edits) / float64(max(1, e.Length))
}

// SpokenErrors counts the words that are misheard in n sentences of s, each spoken by
// itself in a voice held out from training.
func SpokenErrors(ctx context.Context, m eval.Senses, s *Speech, n int, report func(done int)) (e Errors, err error) {
	sp, err := speech.Start(ctx)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, sp.Close()) }()
	_, voices := speech.Voices()
	for i := range n {
		rng := rand.New(rand.NewPCG(s.seed, uint64(i)))
		line := s.lines[i%len(s.lines)].Text
		said, err := say(sp, rng, pick(rng, voices), line)
		if err != nil {
			return e, err
		}
		part := soundPart(soundSource, line, piece{pcm: said.PCM, n: int64(len(said.PCM))})
		edits, length, err := misheard(ctx, m, part, line)
		if err != nil {
			return e, err
		}
		e.add(edits, length)
		report(i + 1)
	}
	return e, nil
}

// RecordedErrors counts the words that are misheard in a recording with a transcript.
func RecordedErrors(ctx context.Context, m eval.Senses, recording handscroll.Part, transcript string) (e Errors, err error) {
	edits, length, err := misheard(ctx, m, recording, transcript)
	e.add(edits, length)
	return e, err
}

func misheard(ctx context.Context, m eval.Senses, p handscroll.Part, reference string) (edits, length int, err error) {
	text, err := perceived(ctx, m, p)
	want := speech.Words(reference)
	return distance(speech.Words(text), want), len(want), err
}

var stamps = regexp.MustCompile(`(?m)^\d+:\d\d `)

// perceived is the text that is read or heard in a part, without times.
func perceived(ctx context.Context, m eval.Senses, p handscroll.Part) (text string, err error) {
	c, err := m.Open("")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Read(ctx, []handscroll.Part{p}, nil); err != nil {
		return "", err
	}
	return stamps.ReplaceAllString(string(c.Text(0, c.Tokens())), ""), nil
}

// ReadErrors counts the characters that are misread in n pictures full of text in fonts
// held out from training. Words are compared with those that they are most like,
// wherever these stand.
func ReadErrors(ctx context.Context, m eval.Senses, fonts *render.Fonts, seed uint64, n int, report func(done int)) (e Errors, err error) {
	if len(fonts.HeldOut()) == 0 {
		return e, errNoFonts
	}
	painter, err := render.NewPainter(render.Options{Faces: fonts.HeldOut(), HeldOut: true})
	if err != nil {
		return e, err
	}
	for i := range n {
		scene := painter.Text(rand.New(rand.NewPCG(seed, uint64(i))), frameW, frameH)
		var want []string
		for _, l := range scene.Lines {
			want = append(want, strings.Fields(l.Text)...)
		}
		picture := handscroll.Medium("picture", fmt.Sprint(seed, i), handscroll.Picture, 0, func(context.Context) (handscroll.Stream, error) {
			return &slide{scene.Image}, nil
		})
		text, err := perceived(ctx, m, picture)
		if err != nil {
			return e, err
		}
		length := 0
		for _, w := range want {
			length += utf8.RuneCountInString(w)
		}
		e.add(misread(strings.Fields(strings.ReplaceAll(text, " | ", " ")), want), length)
		report(i + 1)
	}
	return e, nil
}

// slide is a stream of one picture.
type slide struct{ image *handscroll.Image }

func (s *slide) Next() (handscroll.Chunk, error) {
	c := handscroll.Chunk{Frame: s.image}
	if s.image == nil {
		return c, io.EOF
	}
	s.image = nil
	return c, nil
}

func (s *slide) Close() error { return nil }

// misread pairs words, the most alike first, and counts the edits within pairs and the
// characters of words that are left over.
func misread(got, want []string) (edits int) {
	type pair struct{ got, want, edits int }
	var pairs []pair
	for i, g := range got {
		for j, w := range want {
			pairs = append(pairs, pair{i, j, distance([]rune(g), []rune(w))})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.edits, b.edits) })
	usedGot, usedWant := make([]bool, len(got)), make([]bool, len(want))
	for _, p := range pairs {
		most := max(utf8.RuneCountInString(got[p.got]), utf8.RuneCountInString(want[p.want]))
		if !usedGot[p.got] && !usedWant[p.want] && p.edits < most {
			usedGot[p.got], usedWant[p.want] = true, true
			edits += p.edits
		}
	}
	for i, g := range got {
		if !usedGot[i] {
			edits += utf8.RuneCountInString(g)
		}
	}
	for j, w := range want {
		if !usedWant[j] {
			edits += utf8.RuneCountInString(w)
		}
	}
	return edits
}

// distance is that of Levenshtein (1966).
func distance[T comparable](a, b []T) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
