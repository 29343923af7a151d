package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/nn"
)

// Perceived is what a picture, sound or film was turned into: entries of what was
// seen and heard, and the text that was read and heard, line by line.
type perceived struct {
	text   []byte
	notes  notes // of the text
	seen   []kvcache.Run
	times  []int64 // of frames, in milliseconds
	heard  []kvcache.Run
	start  time.Duration // of the sound
	length time.Duration
}

const (
	// framesAhead bounds the frames that are being read at once.
	framesAhead = 16
	// sceneFrames are looked at together, hearEmbeddings heard together; both are
	// whole blocks of entries.
	sceneFrames    = 128
	hearEmbeddings = 2048
	// pauseBetween is the silence that ends a line of what is heard; a line has at
	// most lineWords words.
	pauseBetween = 400 * time.Millisecond
	hearFrames   = hearEmbeddings * encoder.PhoneRate / encoder.EmbeddingRate
	lineWords    = 16
)

// perceiver decodes a stream with all workers.
type perceiver struct {
	m      *Model
	senses *encoder.Senses
	jobs   chan func(*nn.Scratch)
	have   *sensing // what was perceived before
	mu     sync.Mutex
	err    error

	frames  []frameRead
	reading sync.WaitGroup
	room    chan struct{}

	scenes sceneFeed
	sound  soundFeed
}

// frameRead is a frame's time and what was read in it.
type frameRead struct {
	at   time.Duration
	text string
	done bool
}

// perceive decodes a part. progress hears how far it has come.
func (c *Context) perceive(ctx context.Context, part *media.Part, progress func(at time.Duration)) (out *perceived, err error) {
	defer recoverTo(&err)
	s, err := part.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := &perceiver{
		m: c.model, senses: c.model.senses, have: c.resumed(part), jobs: make(chan func(*nn.Scratch), 4), room: make(chan struct{}, framesAhead),
	}
	p.scenes.init(p)
	p.sound.init(p)
	var workers sync.WaitGroup
	for range c.opts.workers() {
		workers.Go(func() {
			scratch := new(nn.Scratch)
			for job := range p.jobs {
				p.guard(func() { job(scratch) })
			}
		})
	}
	begun := time.Now()
	every := c.opts.saving()
	saved, wait := begun, every
	err = p.decode(ctx, s, func(at time.Duration) error {
		if progress != nil {
			progress(at)
		}
		if time.Since(saved) < wait {
			return nil
		}
		begin := time.Now()
		err := p.save(c, part)
		saved = time.Now()
		wait = max(every, 20*saved.Sub(begin))
		return err
	})
	p.scenes.finish()
	p.sound.finish()
	p.reading.Wait()
	close(p.jobs)
	workers.Wait()
	p.sound.listen.Wait()
	if (err == nil && time.Since(begun) >= every || ctx.Err() != nil) && p.err == nil {
		err = errors.Join(err, p.save(c, part))
	}
	if err = errors.Join(err, p.err); err != nil {
		return nil, err
	}
	if len(p.frames) == 0 && p.sound.total == 0 {
		return nil, errors.New("neither a frame nor a sample of sound in it")
	}
	return p.result(part), nil
}

// guard runs f and keeps a panic as an error.
func (p *perceiver) guard(f func()) {
	defer func() {
		var err error
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: %v", v)
		}
		if err != nil {
			p.mu.Lock()
			p.err = errors.Join(p.err, err)
			p.mu.Unlock()
		}
	}()
	f()
}

func (p *perceiver) decode(ctx context.Context, s media.Stream, progress func(time.Duration) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := s.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Frame != nil {
			p.frame(c.At, c.Frame)
		}
		if len(c.Sound) > 0 && p.senses.Hearing != nil {
			p.sound.feed(c.At, c.Sound)
		}
		if err := progress(c.At); err != nil {
			return err
		}
	}
}

// frame hands a frame to the reader and to the eyes for scenes.
func (p *perceiver) frame(at time.Duration, img *media.Image) {
	i := len(p.frames)
	p.mu.Lock()
	p.frames = append(p.frames, frameRead{at: at})
	read := p.senses.Reading == nil
	if i < len(p.have.Frames) {
		p.frames[i].text, read = p.have.Frames[i].Text, true
	}
	p.frames[i].done = read
	p.mu.Unlock()
	if p.senses.Seeing != nil {
		p.scenes.add(img)
	}
	if read {
		return
	}
	r := p.senses.Reading
	keep := &media.Image{W: img.W, H: img.H, Pix: append([]byte(nil), img.Pix...)}
	p.room <- struct{}{}
	p.reading.Add(1)
	p.jobs <- func(s *nn.Scratch) {
		defer func() { <-p.room; p.reading.Done() }()
		lines := r.Reader.Read(s, r.Params.Data, keep, p.m.dictionary)
		text := encoder.Join(lines)
		p.mu.Lock()
		p.frames[i].text, p.frames[i].done = text, true
		p.mu.Unlock()
	}
}

// sceneFeed collects frames and looks at them in chunks.
type sceneFeed struct {
	p     *perceiver
	v     *encoder.Seeing
	pix   []byte // of frames from first on
	first int    // of the stream, that pix begins with
	done  int    // frames whose entries are made or under way
	total int
	whole int                 // chunks that had all frames they depend on
	runs  map[int]kvcache.Run // by chunk
	wg    sync.WaitGroup
}

const sceneBytes = encoder.SceneW * encoder.SceneH * 3

// sceneLead is how many frames before a chunk are looked at with it: their
// patches are whole blocks.
const sceneLead = nn.Block

func (f *sceneFeed) init(p *perceiver) {
	f.p, f.v, f.runs = p, p.senses.Seeing, map[int]kvcache.Run{}
}

func (f *sceneFeed) add(img *media.Image) {
	f.pix = append(f.pix, encoder.Resize(img, encoder.SceneW, encoder.SceneH).Pix...)
	f.total++
	if f.total-f.done >= sceneFrames+f.v.Scenes.Lookahead() {
		f.whole++
		f.look(sceneFrames)
	}
}

// look makes the entries of the next n frames.
func (f *sceneFeed) look(n int) {
	begin := max(0, f.done-sceneLead)
	end := min(f.done+n+f.v.Scenes.Lookahead(), f.total)
	lead, chunk := f.done-begin, f.done/sceneFrames
	var pix []byte
	have := chunk < len(f.p.have.seen)
	if !have {
		pix = append(pix, f.pix[(begin-f.first)*sceneBytes:(end-f.first)*sceneBytes]...)
	}
	f.done += n
	if drop := max(0, f.done-sceneLead) - f.first; drop > 0 {
		f.pix = f.pix[:copy(f.pix, f.pix[drop*sceneBytes:])]
		f.first += drop
	}
	if have {
		f.p.mu.Lock()
		f.runs[chunk] = f.p.have.seen[chunk]
		f.p.mu.Unlock()
		return
	}
	f.wg.Add(1)
	f.p.jobs <- func(s *nn.Scratch) {
		defer f.wg.Done()
		s.Reset()
		s.Keep = false
		var act encoder.ScenesAct
		v := f.v.Scenes.Forward(s, f.v.Params.Data, pix, end-begin, &act)
		dv, from, m := f.v.Config.Value, lead*encoder.Patches, n*encoder.Patches
		v = v[from*dv : (from+m)*dv]
		k := s.Floats(len(v))
		copy(k, v)
		for i := range m {
			nn.Normalise(k[i*dv : (i+1)*dv])
		}
		run := kvcache.NewRun(m, dv, dv)
		putEntries(run, k, v)
		f.p.mu.Lock()
		f.runs[chunk] = run
		f.p.mu.Unlock()
	}
}

func (f *sceneFeed) finish() {
	for f.v != nil && f.done < f.total {
		f.look(min(sceneFrames, f.total-f.done))
	}
	f.wg.Wait()
}

// putEntries rounds unit keys and values to entries of a run.
func putEntries(run kvcache.Run, k, v []float32) {
	q := make([]int8, run.DK)
	for i := range run.N {
		run.KScale[i] = kernel.Quantize8(q, k[i*run.DK:(i+1)*run.DK])
		kernel.OffsetBinary(run.K[i*run.DK:(i+1)*run.DK], q)
		run.VScale[i] = kernel.Quantize8(run.V[i*run.DV:(i+1)*run.DV], v[i*run.DV:(i+1)*run.DV])
	}
}

// soundFeed turns sound into frames, entries and words.
type soundFeed struct {
	p       *perceiver
	h       *encoder.Hearing
	mel     *encoder.Mel
	frames  []uint8 // from embedding first on
	first   int
	done    int // embeddings whose entries are made or under way
	start   time.Duration
	samples int64
	total   int64
	whole   int // chunks that had all the sound they depend on
	runs    map[int]kvcache.Run
	wg      sync.WaitGroup

	heardChunks chan chan []float32 // phones' logits in order
	listen      sync.WaitGroup
	words       []encoder.Word
	settled     int // frame of phones up to which there are no other words
}

func (f *soundFeed) init(p *perceiver) {
	f.p, f.h, f.runs = p, p.senses.Hearing, map[int]kvcache.Run{}
	if f.h == nil {
		return
	}
	f.mel = encoder.NewMel()
	f.heardChunks = make(chan chan []float32, 4)
	// Words that were heard before are there; the chunk before the first that is
	// listened to again brings the beam to where it was.
	from := p.have.From * hearFrames
	f.words = p.have.Words
	f.settled = from
	f.listen.Go(func() {
		beam := p.m.words.NewBeam()
		beam.Skip(f.silent() * hearFrames)
		take := func(all bool) {
			words := beam.Take(all)
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, w := range words {
				if w.From >= from {
					f.words = append(f.words, w)
				}
			}
			if !all {
				f.settled = max(f.settled, beam.Settled())
			}
		}
		for c := range f.heardChunks {
			logits := <-c
			p.guard(func() {
				beam.Feed(logits)
				take(false)
			})
		}
		take(true)
	})
}

// silent is how many chunks at the beginning need not be listened to.
func (f *soundFeed) silent() int { return max(0, f.p.have.From-1) }

// embeddings is how many are complete.
func (f *soundFeed) embeddings() int {
	return f.first + len(f.frames)/(encoder.Mels*encoder.FramesPerEmbedding)
}

func (f *soundFeed) feed(at time.Duration, samples []float32) {
	if f.total == 0 {
		f.start = at
	}
	// What is missing between chunks is silence.
	due := int64((at - f.start).Seconds() * media.SampleRate)
	if gap := due - f.samples; gap > media.SampleRate/10 {
		f.write(make([]float32, gap))
	}
	f.write(samples)
	f.total += int64(len(samples))
}

func (f *soundFeed) write(samples []float32) {
	for len(samples) > 0 {
		n := min(len(samples), 60*media.SampleRate)
		f.samples += int64(n)
		f.frames = f.mel.Write(f.frames, samples[:n])
		samples = samples[n:]
		for f.embeddings()-f.done >= hearEmbeddings+f.h.Ears.Lookahead() {
			f.whole++
			f.hear(hearEmbeddings)
		}
	}
}

// hear makes the entries of the next n embeddings.
func (f *soundFeed) hear(n int) {
	e := f.h.Ears
	const bytes = encoder.Mels * encoder.FramesPerEmbedding
	begin := max(0, f.done-e.Lead())
	end := min(f.done+n+e.Lookahead(), f.embeddings())
	lead, chunk := f.done-begin, f.done/hearEmbeddings
	have := chunk < len(f.p.have.heard)
	var mels []uint8
	if chunk >= f.silent() {
		mels = append(mels, f.frames[(begin-f.first)*bytes:(end-f.first)*bytes]...)
	}
	f.done += n
	if drop := max(0, f.done-e.Lead()) - f.first; drop > 0 {
		f.frames = f.frames[:copy(f.frames, f.frames[drop*bytes:])]
		f.first += drop
	}
	if have {
		f.p.mu.Lock()
		f.runs[chunk] = f.p.have.heard[chunk]
		f.p.mu.Unlock()
	}
	if chunk < f.silent() {
		return
	}
	logits := make(chan []float32, 1)
	f.heardChunks <- logits
	f.wg.Add(1)
	f.p.jobs <- func(s *nn.Scratch) {
		defer f.wg.Done()
		var out []float32
		defer func() { logits <- out }()
		s.Reset()
		s.Keep = false
		x := s.Floats(len(mels))
		encoder.Scale(x, mels)
		k, v := e.Forward(s, f.h.Params.Data, x, begin, &encoder.EarsAct{})
		dk, dv := e.Config.Key, e.Config.Value
		out = append(out, e.PhoneLogits(s, f.h.Params.Data, v[lead*dv:(lead+n)*dv])...)
		if have {
			return
		}
		run := kvcache.NewRun(n, dk, dv)
		putEntries(run, k[lead*dk:(lead+n)*dk], v[lead*dv:(lead+n)*dv])
		f.p.mu.Lock()
		f.runs[chunk] = run
		f.p.mu.Unlock()
	}
}

func (f *soundFeed) finish() {
	if f.h == nil {
		return
	}
	if f.total > 0 {
		f.frames = f.mel.Flush(f.frames)
		for f.done < f.embeddings() {
			f.hear(min(hearEmbeddings, f.embeddings()-f.done))
		}
	}
	close(f.heardChunks)
	f.wg.Wait()
}

// result puts together what was perceived.
func (p *perceiver) result(part *media.Part) *perceived {
	out := &perceived{start: p.sound.start, notes: notes{Kind: kindText, Modality: part.Kind.String()}}
	for i := range len(p.scenes.runs) {
		out.seen = append(out.seen, p.scenes.runs[i])
	}
	for i := range len(p.sound.runs) {
		out.heard = append(out.heard, p.sound.runs[i])
	}
	for _, f := range p.frames {
		out.times = append(out.times, f.at.Milliseconds())
		out.length = max(out.length, f.at)
	}
	out.length = max(out.length, p.sound.start+time.Duration(p.sound.samples)*time.Second/media.SampleRate)
	var marks []media.Mark
	line := func(page int, at time.Duration, text string) {
		marks = append(marks, media.Mark{Offset: int64(len(out.text)), Page: page, Time: at})
		if at >= 0 {
			out.text = append(append(out.text, Clock(at)...), ' ')
		}
		out.text = append(append(out.text, text...), '\n')
	}
	said := utterances(p.sound.words, p.sound.start)
	for _, f := range p.frames {
		for len(said) > 0 && said[0].at < f.at {
			line(0, said[0].at, said[0].text)
			said = said[1:]
		}
		at := f.at
		if part.Kind == media.Picture {
			at = noTime
		}
		line(part.Page, at, f.text)
	}
	for _, u := range said {
		line(0, u.at, u.text)
	}
	if len(marks) == 0 {
		line(part.Page, 0, "") // of sound without a word
	}
	out.notes.setMarks(marks)
	out.notes.Length = out.length.Milliseconds()
	return out
}

// utterance is a line of what was heard.
type utterance struct {
	at   time.Duration
	text string
}

// utterances cuts words into lines at pauses.
func utterances(words []encoder.Word, start time.Duration) []utterance {
	var out []utterance
	when := func(frame int) time.Duration { return start + time.Duration(frame)*time.Second/encoder.PhoneRate }
	n := 0
	for i, w := range words {
		if i == 0 || when(w.From)-when(words[i-1].To) >= pauseBetween || n == lineWords {
			if len(out) > 0 {
				out[len(out)-1].text += "."
			}
			out = append(out, utterance{at: when(w.From)})
			n = 0
		} else {
			out[len(out)-1].text += " "
		}
		out[len(out)-1].text += w.Text
		n++
	}
	if len(out) > 0 {
		out[len(out)-1].text += "."
	}
	return out
}
