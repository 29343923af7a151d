package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/render"
)

// Contest generates slam dunk contests, each read from its beginning, and asks for the
// one attempt of 50 points: who made it, and when.
type Contest struct {
	Fonts    *render.Fonts // those held out are used
	Length   time.Duration
	Contests int

	model eval.Senses
}

// Name implements [eval.Study].
func (c *Contest) Name() string { return fmt.Sprintf("contest, %d fonts", len(c.Fonts.HeldOut())) }

// Haystack implements [eval.Study].
func (c *Contest) Haystack() (name, digest string) { return "generated contests", "" }

// Axes implements [eval.Study].
func (c *Contest) Axes() ([]time.Duration, []float64) { return []time.Duration{c.Length}, nil }

// Size implements [eval.Study].
func (c *Contest) Size() (scenes, questions int) { return c.Contests, 2 }

// Prepare implements [eval.Study].
func (c *Contest) Prepare(_ context.Context, m eval.Senses, _ string, _ func(eval.Status)) error {
	c.model = m
	return nil
}

// Close implements [eval.Study].
func (c *Contest) Close() error { return nil }

// Scene implements [eval.Study].
func (c *Contest) Scene(ctx context.Context, rng *rand.Rand, _ int, report func(eval.Status)) (eval.Scroll, []eval.Query, error) {
	seconds := int(c.Length / time.Second)
	contest, err := render.NewContest(rng.Uint64(), seconds, render.FilmOptions{
		Options: render.Options{Faces: c.Fonts.HeldOut(), HeldOut: true}, W: frameW, H: frameH,
	})
	if err != nil {
		return nil, nil, err
	}
	perfect := contest.Perfect
	end := perfect.At + perfect.For
	for _, e := range contest.Events() {
		if _, standings := e.Design.(render.Table); standings && e.At == end {
			end += e.For
			break
		}
	}
	f := eval.Finding{
		Group: "player", Length: c.Length.Seconds(), Depth: 100 * float64(perfect.At) / float64(seconds),
		Needle: fmt.Sprintf("%s, %v", perfect.Player, perfect.Scores), Detail: fmt.Sprintf("%d attempts", len(contest.Attempts)),
		Question: "Which player scored the perfect 50?", Expected: perfect.Player, From: float64(perfect.At), To: float64(end - 1),
	}
	when := f
	when.Group, when.Question, when.Expected = "time", "When was the perfect 50?", clock(perfect.At)
	s, err := readFilm(ctx, c.model, contest.Film, report)
	return s, []eval.Query{{Finding: f, Judge: judgePlayer}, {Finding: when, Judge: judgeWhen}}, err
}

// judgePlayer wants the name, and a place where the cards or the standings after them
// are seen.
func judgePlayer(_ *handscroll.Answer, f *eval.Finding) {
	f.Found = f.Time >= f.From && f.Time <= f.To
	f.Exact = f.Found && strings.Contains(strings.ToLower(f.Answer), strings.ToLower(f.Expected))
	f.Spelled = f.Exact && strings.Contains(f.Answer, f.Expected)
}

// readFilm reads a generated film into a context in memory.
func readFilm(ctx context.Context, m eval.Senses, film *render.Film, report func(eval.Status)) (eval.Scroll, error) {
	s, err := m.Open("")
	if err != nil {
		return nil, err
	}
	show := screening{f: &generated{Film: film}, to: film.Seconds()}
	if err := s.Read(ctx, []handscroll.Part{show.part(filmSource)}, reading(report, film.Seconds())); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
