package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/speech"
)

// Audio hides the spoken sentence the secret keyword is … among hours of speech: the
// audio needle of the Gemini 1.5 report. Keywords are words that the model's lexicon
// has and that are held out from training, as the voices are.
type Audio struct {
	Speech  *Speech
	Lengths []time.Duration
	Grid    eval.Grid // Depths and Trials

	base    eval.Scroll
	tape    *tape
	speaker *keywordSpeaker
}

// soundSource names the recording in evidence.
const soundSource = "recording"

// foundWithin is how far from the word, in seconds, the place may be.
const foundWithin = 2

// Name implements [eval.Study].
func (a *Audio) Name() string { return "audio" }

// Haystack implements [eval.Study].
func (a *Audio) Haystack() (name, digest string) { return a.Speech.name, a.Speech.digest }

// Axes implements [eval.Study].
func (a *Audio) Axes() ([]time.Duration, []float64) { return a.Lengths, a.Grid.Depths }

// Size implements [eval.Study].
func (a *Audio) Size() (scenes, questions int) {
	return len(a.Lengths) * len(a.Grid.Depths) * a.Grid.Trials, 1
}

// Prepare implements [eval.Study]: the recording is made and heard once.
func (a *Audio) Prepare(ctx context.Context, m eval.Senses, dir string, report func(eval.Status)) (err error) {
	if a.speaker, err = newKeywordSpeaker(ctx, m.Words()); err != nil {
		return err
	}
	seconds := int(slices.Max(a.Lengths) / time.Second)
	if a.tape, err = a.Speech.tape(ctx, dir, seconds, report); err != nil {
		return err
	}
	if a.base, err = m.Open(filepath.Join(dir, "context")); err != nil {
		return err
	}
	whole := piece{tape: a.tape, n: int64(seconds) * samplesASecond}
	part := soundPart(soundSource, fmt.Sprint(a.Speech.digest, seconds), whole)
	return a.base.Read(ctx, []handscroll.Part{part}, reading(report, seconds))
}

// Close implements [eval.Study].
func (a *Audio) Close() error {
	var errs []error
	if a.base != nil {
		errs = append(errs, a.base.Close())
	}
	if a.tape != nil {
		errs = append(errs, a.tape.Close())
	}
	if a.speaker != nil {
		errs = append(errs, a.speaker.Close())
	}
	return errors.Join(append(errs, a.Speech.Close())...)
}

// Scene implements [eval.Study].
func (a *Audio) Scene(ctx context.Context, rng *rand.Rand, i int, _ func(eval.Status)) (eval.Scroll, []eval.Query, error) {
	row := i % len(a.Grid.Depths)
	length := a.Lengths[i/len(a.Grid.Depths)/a.Grid.Trials]
	end := int64(length/time.Second) * samplesASecond
	at, err := a.tape.quiet(int64(within(rng, a.Grid, row)/100*float64(end)), 5*samplesASecond, end)
	if err != nil {
		return nil, nil, err
	}
	n, err := a.speaker.needle(rng)
	if err != nil {
		return nil, nil, err
	}
	lead := min(at, int64(handscroll.CutLead/time.Second)*samplesASecond)
	tail := min(end-at, int64(handscroll.CutTail/time.Second)*samplesASecond)
	c, err := a.base.SpliceMedium(ctx, soundSource, length, handscroll.Cut{
		At: duration(at), Lead: duration(lead), Tail: duration(tail),
		Stretch: soundPart("cut", n.text, piece{tape: a.tape, from: at - lead, n: lead},
			piece{pcm: n.said.PCM, n: int64(len(n.said.PCM))}, piece{tape: a.tape, from: at, n: tail}),
	})
	if err != nil {
		return nil, nil, err
	}
	f := n.finding(duration(at))
	f.Length, f.Depth, f.Row = length.Seconds(), 100*float64(at)/float64(end), row
	return c, []eval.Query{{Finding: f, Judge: n.judge}}, nil
}

// keywordSpeaker says needles.
type keywordSpeaker struct {
	*speech.Speaker
	words  []string
	voices []string
}

func newKeywordSpeaker(ctx context.Context, lexicon []string) (*keywordSpeaker, error) {
	k := &keywordSpeaker{}
	for _, w := range lexicon {
		if speech.HeldOut(w) && !strings.Contains(w, "'") {
			k.words = append(k.words, w)
		}
	}
	if len(k.words) == 0 {
		return nil, errors.New("the model has no ears: its lexicon has no word that could be the keyword")
	}
	_, k.voices = speech.Voices()
	var err error
	if k.Speaker, err = speech.Start(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// spoken is a needle as it was said.
type spoken struct {
	k                 *keywordSpeaker
	word, text, voice string
	said              *speech.Speech
	from, to          time.Duration // of the word
}

// needle says a keyword.
func (k *keywordSpeaker) needle(rng *rand.Rand) (*spoken, error) {
	n := &spoken{k: k, word: pick(rng, k.words), voice: pick(rng, k.voices)}
	n.text = "The secret keyword is " + n.word + "."
	var err error
	if n.said, err = say(k.Speaker, rng, n.voice, n.text); err != nil {
		return nil, err
	}
	if len(n.said.Words) == 0 {
		return nil, fmt.Errorf("%q in voice %s: no word is said", n.text, n.voice)
	}
	last := n.said.Words[len(n.said.Words)-1]
	n.from, n.to = last.Start, last.End
	return n, nil
}

// finding is what is known of the needle when it stands at a time.
func (n *spoken) finding(at time.Duration) eval.Finding {
	return eval.Finding{
		Group: "keyword", Needle: n.text, Detail: "voice " + n.voice, Question: "What is the secret keyword?", Expected: n.word,
		From: (at + n.from).Seconds(), To: (at + n.to).Seconds(),
	}
}

// judge wants the place to be within two seconds of the word and the answer to sound
// like it.
func (n *spoken) judge(_ *handscroll.Answer, f *eval.Finding) {
	f.Found = f.Time >= f.From-foundWithin && f.Time <= f.To+foundWithin
	got := strings.Join(speech.Words(f.Answer), " ")
	f.Spelled = got == f.Expected
	f.Exact = f.Spelled || got != "" && n.k.alike(n.voice, got, f.Expected)
}

// alike reports whether two texts sound the same in a voice's accent. What cannot be
// pronounced sounds like nothing.
func (k *keywordSpeaker) alike(voice, a, b string) bool {
	accent, _, _ := strings.Cut(voice, "+")
	x, errX := k.Pronounce(accent, a)
	y, errY := k.Pronounce(accent, b)
	return errX == nil && errY == nil && slices.Equal(x, y)
}
