package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/render"
)

// frameW and frameH are the size of all frames that are shown.
const frameW, frameH = 320, 180

// Footage is a film without sound, a frame a second, in which needles are hidden.
type Footage interface {
	Name() string
	Digest() string // of all that decides what it shows
	// Frame shows second t. The frame may be changed.
	Frame(t int) (*handscroll.Image, error)
	Close() error
}

// LoadFonts loads the fonts in folders beside the Go fonts.
func LoadFonts(folders ...string) (*render.Fonts, error) { return render.LoadFonts(folders...) }

// GenerateFootage makes a film of some seconds with events of its own, some of which
// are texts; parts of clips become shots.
func GenerateFootage(seed uint64, seconds int, fonts *render.Fonts, clips []*Clip) (Footage, error) {
	opts := render.FilmOptions{Options: render.Options{Faces: fonts.HeldOut()}, W: frameW, H: frameH, PerMinute: 2}
	sum := sha256.New()
	fmt.Fprint(sum, seed, seconds)
	g := &generated{name: "a generated film"}
	for _, c := range clips {
		opts.Clips = append(opts.Clips, c.frames)
		sum.Write([]byte(c.digest))
		g.name = "a generated film with clips"
	}
	g.digest = hex.EncodeToString(sum.Sum(nil))
	// No text of the film's own may answer the question.
	for ; ; seed++ {
		var err error
		if g.Film, err = render.NewFilm(seed, seconds, opts); err != nil {
			return nil, err
		}
		if !tellsSecret(g.Film) {
			return g, nil
		}
	}
}

func tellsSecret(f *render.Film) bool {
	for _, e := range f.Events() {
		if strings.Contains(strings.ToLower(fmt.Sprint(e.Design)), "secret word") {
			return true
		}
	}
	return false
}

type generated struct {
	*render.Film
	name, digest string
}

func (g *generated) Name() string                           { return g.name }
func (g *generated) Digest() string                         { return g.digest }
func (g *generated) Frame(t int) (*handscroll.Image, error) { return g.Film.Frame(t).Image, nil }
func (g *generated) Close() error                           { return nil }

// Clip is a stretch of real film to be shots of a generated one.
type Clip struct {
	frames []*handscroll.Image
	digest string
}

// clipFrames bounds the frames of all clips, which are kept in memory.
const clipFrames = 2000

// LoadClips decodes films and pictures among parts.
func LoadClips(ctx context.Context, parts []handscroll.Part) ([]*Clip, error) {
	var out []*Clip
	left := clipFrames
	for i := range parts {
		c, sum := &Clip{}, sha256.New()
		err := eachFrame(ctx, &parts[i], func(img *handscroll.Image) error {
			if left--; left < 0 {
				return fmt.Errorf("clips of more than %d seconds in all", clipFrames)
			}
			sum.Write(img.Pix)
			c.frames = append(c.frames, img)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(c.frames) > 0 {
			c.digest = hex.EncodeToString(sum.Sum(nil))
			out = append(out, c)
		}
	}
	return out, nil
}

// eachFrame decodes a part, if it is a film or picture, to frames of our size.
func eachFrame(ctx context.Context, p *handscroll.Part, visit func(*handscroll.Image) error) (err error) {
	if k := p.Kind(); k != handscroll.Film && k != handscroll.Picture {
		return nil
	}
	painter, err := render.NewPainter(render.Options{})
	if err != nil {
		return err
	}
	s, err := p.Stream(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Source, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for {
		c, err := s.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && c.Frame != nil {
			err = visit(painter.Cover(c.Frame, frameW, frameH))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.Source, err)
		}
	}
}

// reel is real footage in a temporary file, shown again and again.
type reel struct {
	file   *os.File
	name   string
	frames int
	sum    hash.Hash
}

const frameBytes = frameW * frameH * 3

// OpenFootage decodes the films and pictures among parts, one after the other.
func OpenFootage(ctx context.Context, name string, parts []handscroll.Part) (Footage, error) {
	f, err := os.CreateTemp("", "handscroll-reel-*")
	if err != nil {
		return nil, err
	}
	r := &reel{file: f, name: name, sum: sha256.New()}
	for i := range parts {
		if err == nil {
			err = eachFrame(ctx, &parts[i], r.add)
		}
	}
	if err == nil && r.frames == 0 {
		err = fmt.Errorf("%s: neither a film nor a picture in it", name)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *reel) add(img *handscroll.Image) error {
	r.frames++
	r.sum.Write(img.Pix)
	_, err := r.file.Write(img.Pix)
	return err
}

func (r *reel) Name() string   { return r.name }
func (r *reel) Digest() string { return hex.EncodeToString(r.sum.Sum(nil)) }

func (r *reel) Frame(t int) (*handscroll.Image, error) {
	img := &handscroll.Image{W: frameW, H: frameH, Pix: make([]byte, frameBytes)}
	_, err := r.file.ReadAt(img.Pix, int64(t%r.frames)*frameBytes)
	return img, err
}

func (r *reel) Close() error { return errors.Join(r.file.Close(), os.Remove(r.file.Name())) }

// screening shows seconds [from, to) of footage as a stream that begins at 0.
type screening struct {
	f        Footage
	at       int
	from, to int
	instead  map[int]*handscroll.Image      // of the footage's own frames
	sound    func(t int) ([]float32, error) // of a second; nil for none
}

func (s *screening) Next() (c handscroll.Chunk, err error) {
	t := s.from + s.at
	if t >= s.to {
		return c, io.EOF
	}
	c.At = time.Duration(s.at) * time.Second
	s.at++
	if s.sound != nil {
		if c.Sound, err = s.sound(t); err != nil {
			return c, err
		}
	}
	if c.Frame = s.instead[t]; c.Frame == nil {
		c.Frame, err = s.f.Frame(t)
	}
	return c, err
}

func (s *screening) Close() error { return nil }

// part is what is shown as a part. show is left as it is.
func (show screening) part(source string) handscroll.Part {
	id := fmt.Sprint(show.f.Digest(), show.from, show.to)
	open := func(context.Context) (handscroll.Stream, error) {
		s := show
		return &s, nil
	}
	return handscroll.Medium(source, id, handscroll.Film, time.Duration(show.to-show.from)*time.Second, open)
}

// cut puts what is shown differently from second at to end into a film that ends after
// seconds.
func (show screening) cut(at, end, seconds int) handscroll.Cut {
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	show.from = max(0, at-int(handscroll.CutLead/time.Second))
	show.to = min(seconds, end+int(handscroll.CutTail/time.Second))
	return handscroll.Cut{At: second(at), Lead: second(at - show.from), Tail: second(show.to - end), Stretch: show.part("cut")}
}
