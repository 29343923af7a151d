package task

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/speech"
)

// samplesASecond are those of all sound; grain is what cuts are multiples of, so that
// the ears hear the same on both sides of one.
const (
	samplesASecond = handscroll.SampleRate
	grain          = samplesASecond / 25
)

// tape is sound in a file of 16-bit samples, played again and again. Hours of it are
// never in memory.
type tape struct {
	file    *os.File
	samples int64
}

func openTape(path string) (*tape, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &tape{f, info.Size() / 2}, nil
}

// read fills dst with samples from at on.
func (t *tape) read(dst []float32, at int64) error {
	raw := make([]byte, 2*len(dst))
	for len(dst) > 0 {
		at %= t.samples
		n := int(min(int64(len(dst)), t.samples-at))
		if _, err := t.file.ReadAt(raw[:2*n], 2*at); err != nil {
			return err
		}
		for i := range n {
			dst[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / 32768
		}
		dst, at = dst[n:], at+int64(n)
	}
	return nil
}

// quiet returns a place near a sample, at most reach samples away and in [0, end],
// where a quarter of a second is as quiet as nowhere else there.
func (t *tape) quiet(near, reach, end int64) (int64, error) {
	const window = 6 // grains
	from := max(0, near-reach) / grain * grain
	to := min(end, near+reach) / grain * grain
	if near >= end || to-from < window*grain {
		return min(near, end) / grain * grain, nil
	}
	pcm := make([]float32, to-from)
	if err := t.read(pcm, from); err != nil {
		return 0, err
	}
	power := make([]float64, len(pcm)/grain)
	for i, v := range pcm[:len(power)*grain] {
		power[i/grain] += float64(v) * float64(v)
	}
	best, least, off := int64(0), math.Inf(1), int64(0)
	for i := 0; i+window <= len(power); i++ {
		sum := 0.0
		for _, p := range power[i : i+window] {
			sum += p
		}
		at := from + int64(i+window/2)*grain
		if d := max(at-near, near-at); sum < least || sum == least && d < off {
			best, least, off = at, sum, d
		}
	}
	return best, nil
}

func (t *tape) Close() error { return t.file.Close() }

// tapeWriter writes samples.
type tapeWriter struct {
	w       *bufio.Writer
	samples int64
}

func (w *tapeWriter) write(pcm []float32) error {
	w.samples += int64(len(pcm))
	var b [2]byte
	for _, v := range pcm {
		v = max(-1, min(1, v))
		binary.LittleEndian.PutUint16(b[:], uint16(int16(math.Round(float64(v)*32767))))
		if _, err := w.w.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}

// createTape makes a file by fill, whole or not at all.
func createTape(path string, fill func(*tapeWriter) error) error {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	w := tapeWriter{w: bufio.NewWriterSize(f, 1<<20)}
	if err = fill(&w); err == nil {
		err = w.w.Flush()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		os.Remove(path + ".tmp")
	}
	return err
}

// Speech is what a recording is made of. Make one with NewSpeech or OpenRecordings.
type Speech struct {
	name, digest string
	lines        []speech.Line
	seed         uint64
	recorded     *os.File // nil if lines are to be spoken
}

// NewSpeech has sentences of texts spoken in voices held out from training.
func NewSpeech(name string, seed uint64, texts []string) (*Speech, error) {
	s := &Speech{name: name + ", spoken", seed: seed}
	for _, l := range speech.Sentences(texts, rand.New(rand.NewPCG(seed, 0)), math.MaxInt, false) {
		if !strings.Contains(strings.ToLower(l.Text), "keyword") {
			s.lines = append(s.lines, l)
		}
	}
	if len(s.lines) == 0 {
		return nil, fmt.Errorf("%s has no sentence that can be spoken", name)
	}
	sum := sha256.New()
	fmt.Fprint(sum, seed, s.lines)
	s.digest = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

// OpenRecordings decodes the recordings and the sound of films among parts.
func OpenRecordings(ctx context.Context, name string, parts []handscroll.Part) (*Speech, error) {
	f, err := os.CreateTemp("", "handscroll-tape-*")
	if err != nil {
		return nil, err
	}
	s := &Speech{name: name, recorded: f}
	sum := sha256.New()
	w := tapeWriter{w: bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)}
	for i := range parts {
		if err == nil {
			err = eachSound(ctx, &parts[i], w.write)
		}
	}
	// It ends with a pause, and at a multiple of the grain.
	if err == nil && w.samples > 0 {
		err = w.write(make([]float32, samplesASecond/2+grain-w.samples%grain-samplesASecond/2%grain))
	}
	if err = errors.Join(err, w.w.Flush()); err == nil && w.samples == 0 {
		err = fmt.Errorf("%s: no sound in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.digest = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

func eachSound(ctx context.Context, p *handscroll.Part, visit func([]float32) error) (err error) {
	if k := p.Kind(); k != handscroll.Film && k != handscroll.Sound {
		return nil
	}
	st, err := p.Stream(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Source, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for {
		c, err := st.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(c.Sound)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.Source, err)
		}
	}
}

// Close removes what was decoded.
func (s *Speech) Close() error {
	if s.recorded == nil {
		return nil
	}
	return errors.Join(s.recorded.Close(), os.Remove(s.recorded.Name()))
}

// tape returns at least so many seconds of sound: a recording as it is, or speech
// that is kept in dir.
func (s *Speech) tape(ctx context.Context, dir string, seconds int, report func(eval.Status)) (*tape, error) {
	if s.recorded != nil {
		return openTape(s.recorded.Name())
	}
	path := filepath.Join(dir, fmt.Sprintf("speech-%d.pcm", seconds))
	if _, err := os.Stat(path); err != nil {
		err := createTape(path, func(w *tapeWriter) error { return s.speak(ctx, w, int64(seconds)*samplesASecond, report) })
		if err != nil {
			return nil, err
		}
	}
	return openTape(path)
}

// speakers speak at once. What a synthesiser says depends a little on what it said
// before, so their number is fixed.
const speakers = 2

// speak writes speech until there is enough.
func (s *Speech) speak(ctx context.Context, w *tapeWriter, enough int64, report func(eval.Status)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	_, voices := speech.Voices()
	var said [speakers]chan []float32
	var group sync.WaitGroup
	for k := range said {
		said[k] = make(chan []float32, 8)
		group.Go(func() {
			defer close(said[k])
			if err := s.speakEvery(ctx, k, voices, said[k]); err != nil {
				cancel(err)
			}
		})
	}
	begin := time.Now()
	for i := 0; w.samples < enough; i++ {
		pcm, ok := <-said[i%speakers]
		if !ok {
			break
		}
		if err := w.write(pcm); err != nil {
			cancel(err)
			break
		}
		if i%64 == 0 {
			report(eval.Status{Reading: true, Done: int(w.samples / samplesASecond), Total: int(enough / samplesASecond), Elapsed: time.Since(begin)})
		}
	}
	err := context.Cause(ctx)
	cancel(nil)
	for k := range said {
		for range said[k] { // lets the speakers end
		}
	}
	group.Wait()
	return err
}

// speakEvery speaks the lines k, k+speakers and so on, from the first again after the
// last, until the context ends.
func (s *Speech) speakEvery(ctx context.Context, k int, voices []string, out chan<- []float32) error {
	sp, err := speech.Start(ctx)
	if err != nil {
		return err
	}
	defer sp.Close()
	for i := k; ctx.Err() == nil; i += speakers {
		rng := rand.New(rand.NewPCG(s.seed, uint64(i)))
		said, err := say(sp, rng, pick(rng, voices), s.lines[i%len(s.lines)].Text)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case out <- said.PCM:
		case <-ctx.Done():
		}
	}
	return nil
}

// say speaks a text with a pause before and after, in whole grains.
func say(sp *speech.Speaker, rng *rand.Rand, voice, text string) (*speech.Speech, error) {
	said, err := sp.Say(speech.Vary(rng, voice, text))
	if err != nil {
		return nil, fmt.Errorf("%q in voice %s: %w", text, voice, err)
	}
	said.Level(0.2 + 0.7*rng.Float64())
	const pause = samplesASecond / 8
	said.Lead(pause)
	n := len(said.PCM) + pause + rng.IntN(3*pause)
	said.PCM = append(said.PCM, make([]float32, (n+grain-1)/grain*grain-len(said.PCM))...)
	return said, nil
}

// playback plays a piece of a tape, or sound from memory, or both in turn.
type playback struct {
	pieces []piece
	at     time.Duration
}

// piece is n samples of a tape from a sample on, or pcm.
type piece struct {
	tape    *tape
	from, n int64
	pcm     []float32
}

func (p *playback) Next() (handscroll.Chunk, error) {
	for len(p.pieces) > 0 && p.pieces[0].n == 0 {
		p.pieces = p.pieces[1:]
	}
	if len(p.pieces) == 0 {
		return handscroll.Chunk{}, io.EOF
	}
	x := &p.pieces[0]
	n := min(x.n, 10*samplesASecond)
	c := handscroll.Chunk{At: p.at}
	if x.tape == nil {
		c.Sound, x.pcm = x.pcm[:n], x.pcm[n:]
	} else {
		c.Sound = make([]float32, n)
		if err := x.tape.read(c.Sound, x.from); err != nil {
			return c, err
		}
	}
	x.from, x.n = x.from+n, x.n-n
	p.at += duration(n)
	return c, nil
}

func (p *playback) Close() error { return nil }

// duration of samples.
func duration(samples int64) time.Duration {
	return time.Duration(samples) * time.Second / samplesASecond
}

// soundPart is a recording put together from pieces.
func soundPart(source, id string, pieces ...piece) handscroll.Part {
	n := int64(0)
	for _, p := range pieces {
		n += p.n
	}
	open := func(context.Context) (handscroll.Stream, error) {
		return &playback{pieces: append([]piece(nil), pieces...)}, nil
	}
	return handscroll.Medium(source, id, handscroll.Sound, duration(n), open)
}
