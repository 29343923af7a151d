package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	Words   []string  // of a corpus; those held out are half of the needles

	base    eval.Scroll
	painter *render.Painter
	words   []string
}

// filmSource names the film in evidence.
const filmSource = "film"

// Name implements [eval.Study].
func (v *Video) Name() string {
	name := "video"
	for _, l := range v.Letters {
		name += ", " + l.String()
	}
	return fmt.Sprintf("%s, %d fonts, %d words", name, len(v.Fonts.HeldOut()), len(corpusWords(v.Words)))
}

// Haystack implements [eval.Study].
func (v *Video) Haystack() (name, digest string) { return v.Film.Name(), v.Film.Digest() }

// Axes implements [eval.Study].
func (v *Video) Axes() ([]time.Duration, []float64) { return v.Lengths, v.Grid.Depths }

// Size implements [eval.Study].
func (v *Video) Size() (scenes, questions int) {
	return len(v.Lengths) * len(v.Grid.Depths) * v.Grid.Trials * len(v.Letters), 2
}

// corpusWords are the words of a corpus that can be needles: those that
// render.PseudoWord would hold out.
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
	if v.painter, err = needlePainter(v.Fonts); err != nil {
		return err
	}
	v.words = corpusWords(v.Words)
	if v.base, err = m.Open(dir); err != nil {
		return err
	}
	seconds := int(slices.Max(v.Lengths) / time.Second)
	film := filmPart(filmSource, v.Film, 0, seconds, nil)
	return v.base.Read(ctx, []handscroll.Part{film}, reading(report, seconds))
}

// needlePainter paints with fonts that training never shows.
func needlePainter(fonts *render.Fonts) (*render.Painter, error) {
	if len(fonts.HeldOut()) == 0 {
		return nil, errors.New("no font is held out from training: name folders of fonts")
	}
	return render.NewPainter(render.Options{Faces: fonts.HeldOut(), HeldOut: true})
}

// reading reports how many seconds of film or sound are read.
func reading(report func(eval.Status), total int) func(handscroll.Progress) {
	return func(p handscroll.Progress) {
		report(eval.Status{Reading: true, Done: int(p.At.Seconds()), Total: total, Elapsed: p.Elapsed})
	}
}

// Close implements [eval.Study].
func (v *Video) Close() error {
	if v.base == nil {
		return nil
	}
	return v.base.Close()
}

// Scene implements [eval.Study].
func (v *Video) Scene(ctx context.Context, rng *rand.Rand, i int, _ func(eval.Status)) (eval.Scroll, []eval.Query, error) {
	letters := v.Letters[i%len(v.Letters)]
	i /= len(v.Letters)
	row := i % len(v.Grid.Depths)
	length := v.Lengths[i/len(v.Grid.Depths)/v.Grid.Trials]
	seconds := int(length / time.Second)
	at := min(int(within(rng, v.Grid, row)/100*float64(seconds)), seconds-1)
	n, err := v.needle(rng, letters, at)
	if err != nil {
		return nil, nil, err
	}
	c, err := v.base.SpliceMedium(ctx, filmSource, length, cutFrame(v.Film, n.frame, at, seconds))
	if err != nil {
		return nil, nil, err
	}
	f := eval.Finding{
		Group: "word, " + letters.String(), Length: length.Seconds(), Depth: 100 * float64(at) / float64(seconds), Row: row,
		Needle: n.text, Detail: n.detail, Question: "What is the secret word?", Expected: n.word, From: float64(at), To: float64(at),
	}
	when := f
	when.Group, when.Question, when.Expected = "when, "+letters.String(), "When does the secret word appear?", clock(at)
	return c, []eval.Query{{Finding: f, Judge: judgeWord}, {Finding: when, Judge: judgeWhen}}, nil
}

// overlaid is a frame with a needle.
type overlaid struct {
	word, text, detail string
	frame              *handscroll.Image
}

// needle draws a secret word over second at.
func (v *Video) needle(rng *rand.Rand, letters Letters, at int) (*overlaid, error) {
	n := &overlaid{word: render.PseudoWord(rng, true), detail: "invented word"}
	if len(v.words) > 0 && rng.IntN(2) == 0 {
		n.word, n.detail = pick(rng, v.words), "corpus word"
	}
	n.text = fmt.Sprintf(`The secret word is "%s"`, n.word)
	img, err := v.Film.Frame(at)
	if err != nil {
		return nil, err
	}
	share := letters.Min + rng.Float64()*(letters.Max-letters.Min)
	scene := &render.Scene{Image: img}
	render.Overlay{Text: n.text, Cap: float32(share * frameH)}.Draw(v.painter, rng, scene, 0)
	// A text that would not fit is set smaller.
	n.detail += fmt.Sprintf(", capitals %.1f pixels high", scene.Lines[0].Glyphs[0].Cap)
	n.frame = scene.Image
	return n, nil
}

// cutFrame puts a frame in the place of second at of a film that ends after seconds.
func cutFrame(f Footage, frame *handscroll.Image, at, seconds int) handscroll.Cut {
	from := max(0, at-int(handscroll.CutLead/time.Second))
	to := min(seconds, at+1+int(handscroll.CutTail/time.Second))
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	return handscroll.Cut{
		At: second(at), Lead: second(at - from), Tail: second(to - at - 1),
		Stretch: filmPart("cut", f, from, to, map[int]*handscroll.Image{at: frame}),
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
