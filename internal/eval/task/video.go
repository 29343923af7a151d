package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/render"
	"github.com/handscroll/handscroll/internal/speech"
)

// Letters is a range of heights of capitals, as parts of a frame's height.
type Letters struct{ Min, Max float64 }

func (l Letters) String() string { return fmt.Sprintf("letters 1/%.3g to 1/%.3g", 1/l.Min, 1/l.Max) }

// Video hides one frame in a long film that shows The secret word is "…": the video
// needle of the Gemini 1.5 report.
type Video struct {
	Film    Footage
	Fonts   *render.Fonts // the needle is set in those held out
	Lengths []time.Duration
	Grid    eval.Grid // Depths and Trials
	Letters []Letters // measured apart
	// Words are a corpus's: one in ten of them, by a hash, are half of the needles.
	// None are those that the model can hear.
	Words []string

	base     eval.Scroll
	overlays *overlays
}

// filmSource names the film in evidence.
const filmSource = "film"

// Name implements [eval.Study].
func (v *Video) Name() string {
	name := "video"
	for _, l := range v.Letters {
		name += ", " + l.String()
	}
	return fmt.Sprintf("%s, %d fonts%s", name, len(v.Fonts.HeldOut()), wordCount(v.Words))
}

// Haystack implements [eval.Study].
func (v *Video) Haystack() (name, digest string) { return v.Film.Name(), v.Film.Digest() }

// Axes implements [eval.Study].
func (v *Video) Axes() ([]time.Duration, []float64) { return v.Lengths, v.Grid.Depths }

// Size implements [eval.Study].
func (v *Video) Size() (scenes, questions int) {
	return len(v.Lengths) * len(v.Grid.Depths) * v.Grid.Trials * len(v.Letters), 2
}

// wordCount says how many words of a corpus can be needles, if there is one.
func wordCount(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf(", %d words", len(corpusWords(words)))
}

// corpusWords are the words of a corpus that can be needles: those that
// [render.HeldOut] names, so that a trainer can leave them out.
func corpusWords(words []string) []string {
	var out []string
	for _, w := range words {
		if len(w) >= 4 && len(w) <= 10 && render.HeldOut(w) && !strings.Contains(w, "'") {
			out = append(out, w)
		}
	}
	return out
}

// Frequencies returns the words of texts, the most frequent first.
func Frequencies(texts []string) []string { return speech.Frequencies(texts) }

// Prepare implements [eval.Study]: the film is read once.
func (v *Video) Prepare(ctx context.Context, m eval.Senses, dir string, report func(eval.Status)) (err error) {
	if v.overlays, err = newOverlays(v.Fonts, v.Words, m); err != nil {
		return err
	}
	if v.base, err = m.Open(filepath.Join(dir, "context")); err != nil {
		return err
	}
	seconds := int(slices.Max(v.Lengths) / time.Second)
	film := screening{f: v.Film, to: seconds}
	return v.base.Read(ctx, []handscroll.Part{film.part(filmSource)}, reading(report, seconds))
}

// reading reports how many seconds of film or sound are read.
func reading(report func(eval.Status), total int) func(handscroll.Progress) {
	return func(p handscroll.Progress) {
		report(eval.Status{Reading: true, Done: int(p.At.Seconds()), Total: total, Elapsed: p.Elapsed})
	}
}

// Close implements [eval.Study].
func (v *Video) Close() error {
	err := v.Film.Close()
	if v.base != nil {
		err = errors.Join(err, v.base.Close())
	}
	return err
}

// Scene implements [eval.Study].
func (v *Video) Scene(ctx context.Context, rng *rand.Rand, i int, _ func(eval.Status)) (eval.Scroll, []eval.Query, error) {
	letters := v.Letters[i%len(v.Letters)]
	i /= len(v.Letters)
	row := i % len(v.Grid.Depths)
	length := v.Lengths[i/len(v.Grid.Depths)/v.Grid.Trials]
	seconds := int(length / time.Second)
	at := min(int(within(rng, v.Grid, row)/100*float64(seconds)), seconds-1)
	img, err := v.Film.Frame(at)
	if err != nil {
		return nil, nil, err
	}
	n := v.overlays.draw(rng, letters, img)
	cut := screening{f: v.Film, instead: map[int]*handscroll.Image{at: n.frame}}
	c, err := v.base.SpliceMedium(ctx, filmSource, length, cut.cut(at, at+1, seconds))
	if err != nil {
		return nil, nil, err
	}
	f := n.finding("word, "+letters.String(), at)
	f.Length, f.Depth, f.Row = length.Seconds(), 100*float64(at)/float64(seconds), row
	when := f
	when.Group, when.Question, when.Expected = "when, "+letters.String(), "When does the secret word appear?", clock(at)
	return c, []eval.Query{{Finding: f, Judge: judgeWord}, {Finding: when, Judge: judgeWhen}}, nil
}

var errNoFonts = errors.New("no font is held out from training: name folders of fonts with --fonts")

// overlays draws needles with fonts that training never shows.
type overlays struct {
	painter *render.Painter
	words   []string // of a corpus
}

func newOverlays(fonts *render.Fonts, words []string, m eval.Senses) (*overlays, error) {
	if len(words) == 0 {
		words = m.Words()
	}
	if len(fonts.HeldOut()) == 0 {
		return nil, errNoFonts
	}
	p, err := render.NewPainter(render.Options{Faces: fonts.HeldOut(), HeldOut: true})
	return &overlays{p, corpusWords(words)}, err
}

// overlaid is a frame with a needle.
type overlaid struct {
	word, text, detail string
	frame              *handscroll.Image
}

// draw puts a secret word on a frame.
func (o *overlays) draw(rng *rand.Rand, letters Letters, frame *handscroll.Image) *overlaid {
	n := &overlaid{word: render.PseudoWord(rng, true), detail: "invented word"}
	if len(o.words) > 0 && rng.IntN(2) == 0 {
		n.word, n.detail = pick(rng, o.words), "corpus word"
	}
	n.text = fmt.Sprintf(`The secret word is "%s"`, n.word)
	share := letters.Min + rng.Float64()*(letters.Max-letters.Min)
	scene := &render.Scene{Image: frame}
	render.Overlay{Text: n.text, Cap: float32(share * frameH)}.Draw(o.painter, rng, scene, 0)
	// A text that would not fit is set smaller.
	n.detail += fmt.Sprintf(", capitals %.1f pixels high", scene.Lines[0].Glyphs[0].Cap)
	n.frame = scene.Image
	return n
}

// finding is what is known of a needle in second at.
func (n *overlaid) finding(group string, at int) eval.Finding {
	return eval.Finding{
		Group: group, Needle: n.text, Detail: n.detail, Question: "What is the secret word?", Expected: n.word,
		From: float64(at), To: float64(at),
	}
}

// judgeWord wants the place to be between From and To and the answer to be the word.
func judgeWord(_ *handscroll.Answer, f *eval.Finding) {
	word := strings.Trim(f.Answer, " \t\n\"'“”‘’.,;:!?")
	f.Found = f.Time >= f.From && f.Time <= f.To
	f.Spelled = word == f.Expected
	f.Exact = strings.EqualFold(word, f.Expected)
}

// judgeWhen wants the place and a time in the answer to be between From and To.
func judgeWhen(_ *handscroll.Answer, f *eval.Finding) {
	f.Found = f.Time >= f.From && f.Time <= f.To
	f.Exact = namesTime(f.Answer, f.From, f.To)
	f.Spelled = f.Exact
}

var clocks = regexp.MustCompile(`\b(?:(\d+):)?(\d+):(\d\d)\b`)

// namesTime reports whether a text has a clock between two times, in seconds.
func namesTime(text string, from, to float64) bool {
	for _, m := range clocks.FindAllStringSubmatch(text, -1) {
		at := 0.0
		for _, digits := range m[1:] {
			n, err := strconv.Atoi(digits)
			if err != nil {
				n = 0 // no hours, or more than there are
			}
			at = 60*at + float64(n)
		}
		if at >= from && at <= to {
			return true
		}
	}
	return false
}

// clock writes a second as MM:SS, with as many minutes as there are.
func clock(second int) string { return fmt.Sprintf("%02d:%02d", second/60, second%60) }
