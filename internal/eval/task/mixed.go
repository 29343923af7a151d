package task

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/render"
)

// Mixed hides four needles at random in one context of a book, a code base and a film
// with a sound track of speech, and asks for each: a number under a city's name, a
// constant, an overlay and a spoken keyword.
type Mixed struct {
	Book, Code []byte
	Film       Footage
	Speech     *Speech
	Fonts      *render.Fonts
	Words      []string // of a corpus, for overlays; see Video
	Letters    Letters
	Length     time.Duration // of the film
	Trials     int

	base     eval.Scroll
	tape     *tape
	speaker  *keywordSpeaker
	overlays *overlays
}

// bookSource and codeSource name the texts in evidence.
const (
	bookSource = "book.txt"
	codeSource = "code.go"
)

// Name implements [eval.Study].
func (m *Mixed) Name() string {
	return fmt.Sprintf("mixed, %s, %d fonts%s", m.Letters, len(m.Fonts.HeldOut()), wordCount(m.Words))
}

// Haystack implements [eval.Study].
func (m *Mixed) Haystack() (name, digest string) {
	texts := sha256.New()
	texts.Write(m.Book)
	texts.Write(m.Code)
	return fmt.Sprintf("a book, code and %s with %s", m.Film.Name(), m.Speech.name),
		fmt.Sprintf("%x,%s,%s", texts.Sum(nil), m.Film.Digest(), m.Speech.digest)
}

// Axes implements [eval.Study].
func (m *Mixed) Axes() ([]time.Duration, []float64) { return []time.Duration{m.Length}, nil }

// Size implements [eval.Study].
func (m *Mixed) Size() (scenes, questions int) { return m.Trials, 4 }

// Prepare implements [eval.Study]: everything is read once.
func (m *Mixed) Prepare(ctx context.Context, model eval.Senses, dir string, report func(eval.Status)) (err error) {
	if m.overlays, err = newOverlays(m.Fonts, m.Words, model); err != nil {
		return err
	}
	if m.speaker, err = newKeywordSpeaker(ctx, model.Words()); err != nil {
		return err
	}
	seconds := int(m.Length / time.Second)
	if m.tape, err = m.Speech.tape(ctx, dir, seconds, report); err != nil {
		return err
	}
	if m.base, err = model.Open(filepath.Join(dir, "context")); err != nil {
		return err
	}
	film := m.show()
	film.to = seconds
	parts := []handscroll.Part{{Source: bookSource, Text: m.Book}, {Source: codeSource, Text: m.Code}, film.part(filmSource)}
	return m.base.Read(ctx, parts, reading(report, seconds))
}

// show is the film with its sound.
func (m *Mixed) show() screening {
	return screening{f: m.Film, sound: func(t int) ([]float32, error) {
		pcm := make([]float32, samplesASecond)
		return pcm, m.tape.read(pcm, int64(t)*samplesASecond)
	}}
}

// Close implements [eval.Study].
func (m *Mixed) Close() error {
	errs := []error{m.Film.Close(), m.Speech.Close()}
	if m.base != nil {
		errs = append(errs, m.base.Close())
	}
	if m.tape != nil {
		errs = append(errs, m.tape.Close())
	}
	if m.speaker != nil {
		errs = append(errs, m.speaker.Close())
	}
	return errors.Join(errs...)
}

// Scene implements [eval.Study].
func (m *Mixed) Scene(ctx context.Context, rng *rand.Rand, _ int, _ func(eval.Status)) (eval.Scroll, []eval.Query, error) {
	texts, queries, err := m.texts(ctx, rng)
	if err != nil {
		return nil, nil, err
	}
	cuts, more, err := m.cuts(rng)
	if err != nil {
		return nil, nil, errors.Join(err, texts.Close())
	}
	c, err := texts.SpliceMedium(ctx, filmSource, m.Length, cuts...)
	if err != nil {
		return nil, nil, errors.Join(err, texts.Close())
	}
	queries = append(queries, more...)
	for i := range queries {
		queries[i].Length = m.Length.Seconds()
	}
	return madeFrom{c, texts}, queries, nil
}

// madeFrom closes what a context was made from along with it.
type madeFrom struct {
	eval.Scroll
	from eval.Scroll
}

func (m madeFrom) Close() error { return errors.Join(m.Scroll.Close(), m.from.Close()) }

// texts hides a number in the book and a constant in the code.
func (m *Mixed) texts(ctx context.Context, rng *rand.Rand) (eval.Scroll, []eval.Query, error) {
	var inserts []handscroll.Insert
	var queries []eval.Query
	end := 0
	for _, p := range m.base.Sources() {
		begin, depth := end, rng.Float64()
		end += p.Tokens
		at := m.base.Boundary(begin + int(depth*float64(p.Tokens)))
		f := eval.Finding{Depth: 100 * depth, Detail: p.Name}
		switch p.Name {
		case bookSource:
			city := pick(rng, cities)
			f.Group, f.Expected = "text", digits(rng, 7)
			f.Needle = fill(gemini.say, "{key}", city, "{value}", f.Expected)
			f.Question = fill(gemini.ask, "{key}", city)
		case codeSource:
			name := render.PseudoWord(rng, true)
			name = "max" + strings.ToUpper(name[:1]) + name[1:] + "Size"
			f.Group, f.Expected = "code", digits(rng, 5)
			f.Needle = "const " + name + " = " + f.Expected
			f.Question = "What is the value of " + name + "?"
		default:
			continue
		}
		inserts = append(inserts, handscroll.Insert{At: at, Text: "\n" + f.Needle + "\n"})
		queries = append(queries, eval.Query{Finding: f, Judge: judgeText})
	}
	c, err := m.base.Splice(ctx, end, inserts...)
	return c, queries, err
}

// judgeText wants the answer to hold the value.
func judgeText(_ *handscroll.Answer, f *eval.Finding) {
	f.Found = strings.Contains(f.Answer, f.Expected)
	f.Exact = strings.TrimSpace(f.Answer) == f.Expected
	f.Spelled = f.Exact
}

// cuts hides an overlay and a keyword in the film, one in each half.
func (m *Mixed) cuts(rng *rand.Rand) ([]handscroll.Cut, []eval.Query, error) {
	seconds := int(m.Length / time.Second)
	const apart = 60 // nothing of one cut is to reach into the other
	half := seconds/2 - apart
	if half < apart {
		return nil, nil, fmt.Errorf("a film of %d seconds is too short: %d are needed", seconds, 4*apart)
	}
	shown, said := rng.IntN(half), seconds/2+apart/2+rng.IntN(half)
	if rng.IntN(2) == 0 {
		shown, said = said, shown
	}
	img, err := m.Film.Frame(shown)
	if err != nil {
		return nil, nil, err
	}
	overlay := m.overlays.draw(rng, m.Letters, img)
	show := m.show()
	show.instead = map[int]*handscroll.Image{shown: overlay.frame}
	spoken, err := m.speaker.needle(rng)
	if err != nil {
		return nil, nil, err
	}
	pcm := spoken.said.PCM
	end := said + (len(pcm)+samplesASecond-1)/samplesASecond
	speak := m.show()
	own := speak.sound
	speak.sound = func(t int) ([]float32, error) {
		if t < said || t >= end {
			return own(t)
		}
		second := make([]float32, samplesASecond)
		copy(second, pcm[(t-said)*samplesASecond:])
		return second, nil
	}
	seen, heard := overlay.finding("video", shown), spoken.finding(time.Duration(said)*time.Second)
	heard.Group = "audio"
	seen.Depth, heard.Depth = 100*float64(shown)/float64(seconds), 100*float64(said)/float64(seconds)
	return []handscroll.Cut{show.cut(shown, shown+1, seconds), speak.cut(said, end, seconds)},
		[]eval.Query{{Finding: seen, Judge: judgeWord}, {Finding: heard, Judge: spoken.judge}}, nil
}
