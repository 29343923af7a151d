package task

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/render"
)

// Sight shows coloured shapes in motion in generated films and asks when they appear,
// and which of two appears: seeing beyond reading.
type Sight struct {
	Fonts  *render.Fonts // those held out are used
	Clips  []*Clip       // parts of which become shots
	Length time.Duration
	Films  int

	model eval.Senses
}

// Of a film's objects, no two of one shape and colour, some are asked when they appear,
// and as many in each of the choices.
const (
	askedWhen   = 10
	askedChoice = 4
)

// choices are what two objects to choose from differ in.
var choices = []string{"shape", "colour", "motion"}

// Name implements [eval.Study].
func (s *Sight) Name() string { return fmt.Sprintf("sight, %d clips", len(s.Clips)) }

// Haystack implements [eval.Study].
func (s *Sight) Haystack() (name, digest string) {
	for _, c := range s.Clips {
		digest += c.digest
	}
	return "generated films", digest
}

// Axes implements [eval.Study].
func (s *Sight) Axes() ([]time.Duration, []float64) { return []time.Duration{s.Length}, nil }

// Size implements [eval.Study].
func (s *Sight) Size() (scenes, questions int) {
	return s.Films, askedWhen + askedChoice*len(choices)
}

// Prepare implements [eval.Study].
func (s *Sight) Prepare(_ context.Context, m eval.Senses, _ string, _ func(eval.Status)) error {
	s.model = m
	return nil
}

// Close implements [eval.Study].
func (s *Sight) Close() error { return nil }

// Scene implements [eval.Study].
func (s *Sight) Scene(ctx context.Context, rng *rand.Rand, _ int, report func(eval.Status)) (eval.Scroll, []eval.Query, error) {
	opts := render.FilmOptions{Options: render.Options{Faces: s.Fonts.HeldOut(), HeldOut: true}, W: frameW, H: frameH}
	for _, c := range s.Clips {
		opts.Clips = append(opts.Clips, c.frames)
	}
	seconds := int(s.Length / time.Second)
	cast, err := newCast(rng, seconds)
	if err != nil {
		return nil, nil, err
	}
	opts.Events = cast.events
	film, err := render.NewFilm(rng.Uint64(), seconds, opts)
	if err != nil {
		return nil, nil, err
	}
	var queries []eval.Query
	add := func(group, question, expected string, o int, judge func(*handscroll.Answer, *eval.Finding)) {
		e := cast.events[o]
		queries = append(queries, eval.Query{Judge: judge, Finding: eval.Finding{
			Group: group, Length: s.Length.Seconds(), Depth: 100 * float64(e.At) / float64(seconds),
			Needle: describe(e.Design.(render.Object)), Question: question, Expected: expected,
			From: float64(e.At), To: float64(e.At + e.For - 1),
		}})
	}
	asked := rng.Perm(objects)
	for _, o := range asked[:askedWhen] {
		e := cast.events[o]
		add("when", "When does "+describe(e.Design.(render.Object))+" appear?", clock(e.At), o, judgeWhen)
	}
	for _, choice := range choices {
		for range askedChoice {
			o, right, wrong := cast.choose(rng, choice)
			a, b := describe(right), describe(wrong)
			if rng.IntN(2) == 0 {
				a, b = b, a
			}
			add(choice, "Does "+a+" or "+b+" appear?", describe(right), o, judgeChoice(right, wrong))
		}
	}
	c, err := readFilm(ctx, s.model, film, report)
	return c, queries, err
}

// objects are those in a film; no two have the same shape and colour.
const objects = 24

// cast is what is put on a film: the objects first, then a few scoreboards.
type cast struct {
	events []render.Event
	there  map[[2]string]bool // shape and colour
}

func newCast(rng *rand.Rand, seconds int) (*cast, error) {
	const boards = objects / 2
	slot := seconds / (objects + boards)
	if slot < 8 {
		return nil, fmt.Errorf("a film of %d seconds is too short for %d objects", seconds, objects)
	}
	c := &cast{there: map[[2]string]bool{}}
	slots := rng.Perm(objects + boards)
	kinds := rng.Perm(len(render.Shapes) * len(render.Colours))
	for i, at := range slots {
		e := render.Event{For: 3 + rng.IntN(4)}
		e.At = at*slot + rng.IntN(slot-e.For)
		if i < objects {
			o := render.NewObject(rng, frameW, frameH, e.For)
			o.Shape, o.Colour = render.Shapes[kinds[i]%len(render.Shapes)], render.Colours[kinds[i]/len(render.Shapes)]
			c.there[[2]string{o.Shape, o.Colour}] = true
			e.Design = o
		} else {
			e.Design = render.NewBoard(rng)
		}
		c.events = append(c.events, e)
	}
	return c, nil
}

// choose returns an object, what it is, and something that differs from it in one
// respect and is not there.
func (c *cast) choose(rng *rand.Rand, respect string) (object int, right, wrong render.Object) {
	for {
		object = rng.IntN(objects)
		right = c.events[object].Design.(render.Object)
		wrong = right
		switch respect {
		case "shape":
			right.Motion, wrong.Motion, wrong.Shape = "still", "still", pick(rng, render.Shapes)
		case "colour":
			right.Motion, wrong.Motion, wrong.Colour = "still", "still", pick(rng, render.Colours)
		default:
			wrong.Motion = pick(rng, render.Motions)
			if right.Motion != "still" && wrong.Motion != "still" && wrong.Motion != right.Motion {
				return object, right, wrong
			}
			continue
		}
		if !c.there[[2]string{wrong.Shape, wrong.Colour}] {
			return object, right, wrong
		}
	}
}

// describe names an object; that it is still is not said.
func describe(o render.Object) string {
	s := "a " + o.Colour + " " + o.Shape
	if o.Colour == "orange" {
		s = "an " + o.Colour + " " + o.Shape
	}
	if o.Motion != "still" {
		s += " " + o.Motion
	}
	return s
}

// judgeChoice wants the place to be where the object is, and the answer to name in what
// it differs from the other.
func judgeChoice(right, wrong render.Object) func(*handscroll.Answer, *eval.Finding) {
	r, w := right.Motion, wrong.Motion
	switch {
	case right.Shape != wrong.Shape:
		r, w = right.Shape, wrong.Shape
	case right.Colour != wrong.Colour:
		r, w = right.Colour, wrong.Colour
	}
	return func(_ *handscroll.Answer, f *eval.Finding) {
		f.Found = f.Time >= f.From && f.Time <= f.To
		got := strings.ToLower(f.Answer)
		f.Exact = strings.Contains(got, r) && !strings.Contains(got, w)
		f.Spelled = f.Exact
	}
}
