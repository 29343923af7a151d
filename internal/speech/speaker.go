package speech

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/media/resample"
	"github.com/handscroll/handscroll/internal/speech/frame"
)

// An Utterance is what is to be said, and how.
type Utterance struct {
	Voice string // see [Voices]
	Rate  int    // words a minute, 80 to 450
	Pitch int    // 0 to 99, 50 is a voice's own
	Range int    // of the pitch, 0 to 99, 50 is a voice's own
	Text  string
}

// Speech is an utterance as sound.
type Speech struct {
	PCM    []float32 // [samples] at media.SampleRate, mono, in [−1, 1]
	Words  []Word    // in order
	Phones []Phone   // in order, without gaps but before the first
}

// A Word is a word of the text as it was said. Where the synthesiser says several in
// one breath ("of the"), they are one Word.
type Word struct {
	Text       string // without punctuation around it
	Offset     int    // of Text in the utterance's text, in bytes
	Start, End time.Duration
}

// A Phone is one of [Inventory].
type Phone struct {
	Name       string
	Start, End time.Duration
}

// ErrMissing is the reason why no speaker starts: the program or the library is
// not installed.
var ErrMissing = errors.New("no speech synthesiser")

// A Speaker is a process of the program handscroll-speak. It belongs to one
// goroutine.
type Speaker struct {
	ctx    context.Context
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer // to be read when the process has ended
	rate   int          // samples a second
	filter *resample.Resampler
	ended  error // why the process is no more, or errClosed
}

var errClosed = errors.New("speech: the speaker is closed")

// Start finds the program handscroll-speak and starts it: the one beside this
// program or on the path, or one built from the checkout that the working
// directory is in. The process ends with ctx, or when it is closed.
func Start(ctx context.Context) (*Speaker, error) {
	path, err := helper(ctx)
	if err != nil {
		return nil, err
	}
	return start(ctx, exec.CommandContext(ctx, path))
}

func start(ctx context.Context, cmd *exec.Cmd) (*Speaker, error) {
	s := &Speaker{ctx: ctx, cmd: cmd}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	s.in, s.out = in, bufio.NewReaderSize(out, 1<<16)
	cmd.Stderr = &s.stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	hello, err := frame.Read(s.out)
	switch {
	case err != nil:
		return nil, s.end(err)
	case hello.Error != "":
		s.end(nil)
		return nil, fmt.Errorf("speech: %w: %s", ErrMissing, hello.Error)
	case hello.Rate <= 0 || hello.Rate > maxRate:
		return nil, s.end(fmt.Errorf("%d samples a second: want 1 to %d", hello.Rate, maxRate))
	}
	s.rate, s.filter = hello.Rate, resample.New(hello.Rate)
	return s, nil
}

// Close ends the process. It may be called twice.
func (s *Speaker) Close() error {
	if s.ended != nil {
		return nil
	}
	s.ended = errClosed
	s.in.Close() // at the end of its input the program ends
	if err := s.cmd.Wait(); err != nil && s.ctx.Err() == nil {
		return fmt.Errorf("speech: %s: %w%s", s.cmd.Path, err, s.complaint())
	}
	return nil
}

// end puts an end to a process that cannot be talked to any more and returns why.
func (s *Speaker) end(why error) error {
	s.in.Close()
	s.cmd.Process.Kill() // fails if it has ended, which is what is wanted
	status := s.cmd.Wait()
	switch {
	case s.ctx.Err() != nil:
		s.ended = s.ctx.Err()
	case errors.Is(why, io.EOF):
		s.ended = fmt.Errorf("speech: %s ended without an answer: %v%s", s.cmd.Path, status, s.complaint())
	default:
		s.ended = fmt.Errorf("speech: %s: %w%s", s.cmd.Path, why, s.complaint())
	}
	return s.ended
}

// complaint is the last line that the program wrote to its standard error.
func (s *Speaker) complaint() string {
	lines := strings.Split(strings.TrimSpace(s.stderr.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// maxRate bounds the rates that a voice may have.
const maxRate = 384000

// Say speaks. After an error about the utterance the speaker goes on.
func (s *Speaker) Say(u Utterance) (*Speech, error) {
	a, err := s.ask(frame.Request{Voice: u.Voice, Rate: u.Rate, Pitch: u.Pitch, Range: u.Range, Text: u.Text})
	if err != nil {
		return nil, err
	}
	for _, w := range a.Words {
		if w.Phone > len(a.Phones) || w.Offset > len(u.Text) {
			return nil, fmt.Errorf("speech: %s: a word at byte %d of %d, phone %d of %d", s.cmd.Path, w.Offset, len(u.Text), w.Phone, len(a.Phones))
		}
	}
	out := &Speech{PCM: s.resample(a.PCM)}
	list, places := phones(a.Phones, duration(len(a.PCM), s.rate))
	out.Phones, out.Words = list, words(u.Text, a.Words, list, places)
	return out, nil
}

// resample returns samples in [−1, 1] at [media.SampleRate].
func (s *Speaker) resample(pcm []int16) []float32 {
	in := make([]float32, len(pcm))
	for i, v := range pcm {
		in[i] = float32(v) / 32768
	}
	s.filter.Reset()
	out := s.filter.Flush(s.filter.Write(nil, in))
	for i, v := range out {
		out[i] = max(-1, min(1, v))
	}
	return out
}

// Pronounce returns the phones of a text without speaking it, pauses left out.
func (s *Speaker) Pronounce(voice, text string) ([]string, error) {
	a, err := s.ask(frame.Request{Voice: voice, Text: text, Silent: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range a.Phones {
		if name, ok := clean(p.Name); ok && name != Pause {
			names = append(names, name)
		}
	}
	return names, nil
}

func (s *Speaker) ask(r frame.Request) (*frame.Answer, error) {
	if s.ended != nil {
		return nil, s.ended
	}
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return nil, s.end(io.EOF) // a broken pipe: the program has ended
	}
	a, err := frame.Read(s.out)
	if err != nil {
		return nil, s.end(err)
	}
	if a.Error != "" {
		return nil, fmt.Errorf("speech: %s", a.Error)
	}
	return a, nil
}

func duration(samples, rate int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(rate)
}
