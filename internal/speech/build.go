package speech

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// A Plan is what a bank is made of.
type Plan struct {
	Lines  []Line
	Voices []string // one is drawn for each line
	Seed   uint64
	// Augment is the share of lines that are augmented.
	Augment float64
	// Features computes log-mels, [frames, Mels], a frame for 10 ms of sound at
	// media.SampleRate. Two goroutines call it.
	Features func(pcm []float32) []uint8
	// Progress, if not nil, hears now and then how many lines are done. Calls
	// do not overlap.
	Progress func(done int)
}

// workers is fixed: what a synthesiser says depends a little on what it said before,
// and a bank on which worker speaks which line.
const workers = 2

// Build speaks a plan's lines. The same plan gives the same bank.
func Build(ctx context.Context, p Plan) (*Bank, error) {
	if len(p.Lines) > 0 && len(p.Voices) == 0 {
		return nil, fmt.Errorf("speech: a bank of %d lines without voices", len(p.Lines))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &Bank{Samples: make([]Sample, len(p.Lines))}
	var group sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for worker := range workers {
		group.Go(func() {
			err := p.speak(ctx, b, worker, func() {
				mu.Lock()
				defer mu.Unlock()
				if done++; p.Progress != nil && (done%100 == 0 || done == len(p.Lines)) {
					p.Progress(done)
				}
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, nil
}

// speak does a worker's lines.
func (p *Plan) speak(ctx context.Context, b *Bank, worker int, done func()) error {
	s, err := Start(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	var other [][]float32 // what was said last, for babble
	for i := worker; i < len(p.Lines); i += workers {
		rng := rand.New(rand.NewPCG(p.Seed, uint64(i)))
		u := Vary(rng, pick(rng, p.Voices), p.Lines[i].Text)
		said, err := s.Say(u)
		if err != nil {
			return fmt.Errorf("speech: line %d, %q in voice %s: %w", i, u.Text, u.Voice, err)
		}
		if other = append(other, said.PCM); len(other) > 8 {
			other = other[1:]
		}
		said.Lead(rng.IntN(media.SampleRate / 4))
		if rng.Float64() < p.Augment {
			Augment(said, rng, other[:len(other)-1])
		} else {
			said.Level(0.1 + 0.8*rng.Float64())
		}
		if b.Samples[i], err = sample(p.Lines[i], u.Voice, said, p.Features); err != nil {
			return fmt.Errorf("speech: line %d, %q in voice %s: %w", i, u.Text, u.Voice, err)
		}
		done()
	}
	return s.Close()
}

// Vary draws rate and pitch for an utterance.
func Vary(rng *rand.Rand, voice, text string) Utterance {
	return Utterance{
		Voice: voice,
		Rate:  int(triangular(rng, 120, 240, 170)),
		Pitch: int(triangular(rng, 10, 95, 50)),
		Range: 20 + rng.IntN(61),
		Text:  text,
	}
}

func triangular(rng *rand.Rand, low, high, mode float64) float64 {
	u, c := rng.Float64(), (mode-low)/(high-low)
	if u < c {
		return low + (high-low)*math.Sqrt(u*c)
	}
	return high - (high-low)*math.Sqrt((1-u)*(1-c))
}

// sample is speech as a bank keeps it.
func sample(line Line, voice string, s *Speech, features func([]float32) []uint8) (Sample, error) {
	out := Sample{Line: line, Voice: voice, Mels: features(s.PCM)}
	if len(out.Mels)%Mels != 0 || len(out.Mels) == 0 {
		return out, fmt.Errorf("%d features for %d samples of sound: want a multiple of %d", len(out.Mels), len(s.PCM), Mels)
	}
	last := out.Frames()
	for _, p := range s.Phones {
		id, ok := PhoneID(p.Name)
		if !ok {
			return out, fmt.Errorf("phone %q is not in the inventory: %s", p.Name, versions)
		}
		start := min(frameAt(p.Start), last)
		if len(out.Phones) == 0 && start > 0 {
			out.Phones = append(out.Phones, PhoneAt{ID: 0, Start: 0})
		}
		out.Phones = append(out.Phones, PhoneAt{ID: id, Start: start})
	}
	for _, w := range s.Words {
		out.Words = append(out.Words, WordAt{Offset: w.Offset, Length: len(w.Text), Start: min(frameAt(w.Start), last), End: min(frameAt(w.End), last)})
	}
	return out, nil
}

// frameAt is the one nearest to a time.
func frameAt(t time.Duration) int { return int((t + FrameTime/2) / FrameTime) }
