package render

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// Event is a design that is on a film from second At for For seconds.
type Event struct {
	At, For int
	Design  Design
}

// FilmOptions say what a film is made of.
type FilmOptions struct {
	Options
	W, H int // 0 are 320 and 180
	// Clips are real films, one frame a second, parts of which become shots.
	Clips [][]*media.Image
	// Events are put on the film as they are. The film's own keep out of their way.
	Events []Event
	// PerMinute is how many events of its own a film has, where there is room.
	PerMinute float32
}

// Film is a film of shots, with events on it. Any second can be drawn at any
// time; it belongs to one goroutine.
type Film struct {
	p       *Painter
	opts    FilmOptions
	seed    uint64
	seconds int
	shots   []shot
	events  []Event
	drawn   [2]struct { // the pictures of the last shots, the later first
		shot  int
		image *media.Image
	}
}

// shot is a stretch of film from one camera.
type shot struct {
	at, n int
	clip  []*media.Image // nil for a picture of the painter's
	court bool           // players and a ball
	worn  bool           // compressed
}

// NewFilm makes a film of some seconds. The same seed and options give the same
// film.
func NewFilm(seed uint64, seconds int, opts FilmOptions) (*Film, error) {
	f, err := newFilm(seed, seconds, opts)
	if err != nil {
		return nil, err
	}
	rng := f.rng(stepPlan, 0)
	for at := 0; at < seconds; {
		s := shot{at: at, n: min(3+rng.IntN(10), seconds-at), worn: chance(rng, 0.4)}
		if len(opts.Clips) > 0 && chance(rng, 0.7) {
			clip := pick(rng, opts.Clips)
			from := rng.IntN(max(1, len(clip)-s.n+1))
			s.clip = clip[from:min(len(clip), from+s.n)]
			s.n = len(s.clip)
		} else {
			s.court = chance(rng, 0.08)
		}
		f.shots = append(f.shots, s)
		at += s.n
	}
	f.plan(rng)
	return f, nil
}

func newFilm(seed uint64, seconds int, opts FilmOptions) (*Film, error) {
	if opts.W == 0 && opts.H == 0 {
		opts.W, opts.H = 320, 180
	}
	if opts.W < 32 || opts.H < 32 {
		return nil, fmt.Errorf("render: frames of %d by %d pixels; at least 32 by 32", opts.W, opts.H)
	}
	if seconds < 1 {
		return nil, fmt.Errorf("render: a film of %d seconds", seconds)
	}
	for i, clip := range opts.Clips {
		if len(clip) == 0 {
			return nil, fmt.Errorf("render: clip %d has no frames", i)
		}
	}
	for i, e := range opts.Events {
		if e.At < 0 || e.For < 1 || e.At+e.For > seconds {
			return nil, fmt.Errorf("render: event %d is at second %d for %d seconds, the film has %d", i, e.At, e.For, seconds)
		}
	}
	p, err := NewPainter(opts.Options)
	if err != nil {
		return nil, err
	}
	f := &Film{p: p, opts: opts, seed: seed, seconds: seconds, events: slices.Clone(opts.Events)}
	for i := range f.drawn {
		f.drawn[i].shot = -1
	}
	return f, nil
}

// What a film draws at random has a generator of its own, so that any second can
// be drawn by itself.
const (
	stepPlan = iota
	stepShot
	stepPan
	stepEvent
	stepFrame
)

func (f *Film) rng(step, i int) *rand.Rand {
	return rand.New(rand.NewPCG(f.seed, uint64(step)<<40|uint64(i)))
}

// plan adds the film's own events.
func (f *Film) plan(rng *rand.Rand) {
	busy := make([]bool, f.seconds)
	for _, e := range f.events {
		for t := e.At; t < e.At+e.For; t++ {
			busy[t] = true
		}
	}
	for range int(float32(f.seconds)*f.opts.PerMinute/60 + rng.Float32()) {
		e := Event{For: min(3+rng.IntN(4), f.seconds)}
		e.At = rng.IntN(f.seconds - e.For + 1)
		if slices.Contains(busy[e.At:e.At+e.For], true) {
			continue
		}
		for t := e.At; t < e.At+e.For; t++ {
			busy[t] = true
		}
		e.Design = f.p.NewDesign(rng, f.opts.W, f.opts.H, e.For)
		f.events = append(f.events, e)
	}
	f.sort()
}

func (f *Film) sort() {
	slices.SortStableFunc(f.events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
}

// NewDesign invents a design of any kind, for a frame of w by h and some seconds.
func (p *Painter) NewDesign(rng *rand.Rand, w, h, seconds int) Design {
	switch rng.IntN(12) {
	case 0:
		return NewBoard(rng)
	case 1:
		return NewCards(rng, Name(rng, p.opts.HeldOut))
	case 2:
		return p.NewChart(rng)
	case 3:
		return p.NewTable(rng)
	case 4:
		return p.NewSign(rng)
	case 5:
		return p.NewSlide(rng)
	case 6, 7, 8:
		return NewObject(rng, w, h, seconds)
	}
	return Overlay{p.phrase(rng), between(rng, 0.05, 0.11) * float32(h)}
}

// Seconds is the length of the film.
func (f *Film) Seconds() int { return f.seconds }

// Events are what is on the film, in the order of time: those given and its own.
func (f *Film) Events() []Event { return f.events }

// Frame draws second t, which is in [0, Seconds()).
func (f *Film) Frame(t int) *Scene {
	i, found := slices.BinarySearchFunc(f.shots, t, func(s shot, t int) int { return cmp.Compare(s.at, t) })
	if !found {
		i--
	}
	sh := &f.shots[i]
	s := &Scene{Image: media.NewImage(f.opts.W, f.opts.H)}
	if sh.clip != nil {
		c := sh.clip[t-sh.at]
		f.p.resample(s.Image, c, 0, 0, float32(c.W), float32(c.H))
	} else {
		f.pan(s.Image, i, t-sh.at)
	}
	if sh.court {
		play(f.p, f.rng(stepPan, i), s.Image, t-sh.at)
	}
	for j := range f.events {
		e := &f.events[j]
		if e.At > t {
			break
		}
		if t < e.At+e.For {
			e.Design.Draw(f.p, f.rng(stepEvent, j), s, t-e.At)
		}
	}
	if sh.worn {
		rng := f.rng(stepFrame, t)
		f.p.noise.speckle(rng, s.Image, between(rng, 1, 5), true)
		f.p.compress(s.Image, 55+rng.IntN(40))
	}
	s.clip()
	return s
}

// pan shows shot i after some seconds, through a camera that moves slowly.
func (f *Film) pan(dst *media.Image, i, after int) {
	src := f.still(i)
	rng := f.rng(stepPan, i)
	w, h := float32(src.W), float32(src.H)
	k := float32(after) / float32(f.shots[i].n)
	size := between(rng, 0.72, 0.95)
	size += k * between(rng, -0.12, 0.05)
	x := between(rng, 0, 1-size) + k*between(rng, -0.15, 0.15)
	y := between(rng, 0, 1-size) + k*between(rng, -0.08, 0.08)
	x, y = max(0, min(1-size, x)), max(0, min(1-size, y))
	f.p.resample(dst, src, x*w, y*h, (x+size)*w, (y+size)*h)
}

// still is the picture that the camera of a shot looks at. The last two are kept:
// films are mostly read in order.
func (f *Film) still(i int) *media.Image {
	d := &f.drawn
	if d[1].shot == i {
		d[0], d[1] = d[1], d[0]
	}
	if d[0].shot != i {
		d[0], d[1] = d[1], d[0]
		if d[0].image == nil {
			d[0].image = media.NewImage(f.opts.W*5/4, f.opts.H*5/4)
		}
		rng := f.rng(stepShot, i)
		switch {
		case f.shots[i].court:
			f.p.courtFloor(rng, d[0].image)
		case chance(rng, 0.4):
			f.p.photo(rng, d[0].image)
		default:
			f.p.background(rng, d[0].image)
			if chance(rng, 0.15) {
				f.p.clutter(rng, d[0].image)
			}
		}
		d[0].shot = i
	}
	return d[0].image
}

// Stream reads the film as if from a file, a frame a second. It draws with the
// film's painter: the two belong to the same goroutine.
func (f *Film) Stream() media.Stream { return &stream{f: f} }

type stream struct {
	f *Film
	t int
}

func (s *stream) Next() (media.Chunk, error) {
	if s.t >= s.f.seconds {
		return media.Chunk{}, io.EOF
	}
	t := s.t
	s.t++
	return media.Chunk{At: time.Duration(t) * time.Second, Frame: s.f.Frame(t).Image}, nil
}

func (s *stream) Close() error { return nil }
