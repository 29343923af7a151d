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

// A Speaker is a process of the program handscroll-speak. It belongs to one
// goroutine.
type Speaker struct {
	ctx    context.Context
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
	rate   int // samples a second
	filter *resampler
}

// Start finds the program handscroll-speak and starts it; it ends with ctx or
// Close. See [helper] for where it is looked for.
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
	hello, err := s.read()
	if err != nil {
		s.Close()
		return nil, err
	}
	if hello.Rate <= 0 || hello.Rate > maxRate {
		s.Close()
		return nil, fmt.Errorf("speech: %s: %d samples a second: want 1 to %d", cmd.Path, hello.Rate, maxRate)
	}
	s.rate = hello.Rate
	s.filter = newResampler(hello.Rate)
	return s, nil
}

// Close ends the process.
func (s *Speaker) Close() error {
	s.in.Close() // at the end of its input the program ends
	if err := s.cmd.Wait(); err != nil && s.ctx.Err() == nil {
		return fmt.Errorf("speech: %s: %w%s", s.cmd.Path, err, s.complaint())
	}
	return nil
}

// Say speaks. An error about the utterance leaves the speaker usable.
func (s *Speaker) Say(u Utterance) (*Speech, error) {
	a, err := s.ask(frame.Request{Voice: u.Voice, Rate: u.Rate, Pitch: u.Pitch, Range: u.Range, Text: u.Text})
	if err != nil {
		return nil, err
	}
	end := duration(len(a.PCM), s.rate)
	out := &Speech{PCM: s.filter.resample(a.PCM), Phones: phones(a.Phones, end)}
	out.Words = words(u.Text, a.Words, out.Phones, end)
	return out, nil
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
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("speech: %w", err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return nil, s.broken(err)
	}
	return s.read()
}

func (s *Speaker) read() (*frame.Answer, error) {
	a, err := frame.Read(s.out)
	if err != nil {
		return nil, s.broken(err)
	}
	if a.Error != "" {
		return nil, fmt.Errorf("speech: %s", a.Error)
	}
	return a, nil
}

// broken says why there is no answer. No answer can follow it.
func (s *Speaker) broken(err error) error {
	if e := s.ctx.Err(); e != nil {
		return e
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the program ended without an answer")
	}
	return fmt.Errorf("speech: %s: %w", s.cmd.Path, err)
}

// complaint is the last line that the program wrote to its standard error.
func (s *Speaker) complaint() string {
	lines := strings.Split(strings.TrimSpace(s.stderr.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

func duration(samples, rate int) time.Duration {
	return time.Duration(samples) * time.Second / time.Duration(rate)
}

func milliseconds(n int, most time.Duration) time.Duration {
	return min(time.Duration(n)*time.Millisecond, most)
}
