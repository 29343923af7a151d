package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"io"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

func isGIF(head []byte) bool {
	return bytes.HasPrefix(head, []byte("GIF87a")) || bytes.HasPrefix(head, []byte("GIF89a"))
}

// gifFrame is one picture of a GIF and where it lies in the file.
type gifFrame struct {
	offset, size int64 // from its graphic control extension on
	at           time.Duration
	disposal     byte
}

// gifFile is a GIF's outline. The library would hold all frames at once; here
// each is handed to it as a GIF of its own.
type gifFile struct {
	w, h     int
	start    []byte // header and global colours
	frames   []gifFrame
	duration time.Duration
	broken   bool // ends within a frame, or without the trailer
}

// Disposal methods of a frame before the next one is drawn.
const (
	disposeBackground = 2
	disposePrevious   = 3
)

// maxGIFFrames bounds what an outline may cost: a frame takes 15 bytes of file.
const maxGIFFrames = 1 << 20

// outline reads a GIF's blocks without decoding them.
func outline(r io.ReaderAt, size int64) (*gifFile, error) {
	var b [13]byte
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return nil, fmt.Errorf("GIF header: %w", noEOF(err))
	}
	g := &gifFile{w: int(binary.LittleEndian.Uint16(b[6:])), h: int(binary.LittleEndian.Uint16(b[8:]))}
	at := 13 + colourBytes(b[10])
	g.start = make([]byte, at)
	if _, err := r.ReadAt(g.start, 0); err != nil && !(err == io.EOF && at == size) {
		return nil, fmt.Errorf("GIF header: %w", noEOF(err))
	}
	s := &blocks{r: r, at: at}
	frame := gifFrame{offset: -1}
	delay := time.Duration(0)
	for {
		begin := s.at
		switch c := s.byte(); {
		case s.err != nil || c == ';':
			g.broken = s.err != nil
			if len(g.frames) == 0 {
				return nil, errors.New("GIF without a picture")
			}
			return g, nil
		case c == '!':
			if s.byte() != 0xf9 {
				s.skip()
				continue
			}
			var e [5]byte // size, flags, delay in hundredths, transparent colour
			s.read(e[:])
			frame.offset, frame.disposal = begin, e[1]>>2&7
			delay = time.Duration(binary.LittleEndian.Uint16(e[2:])) * 10 * time.Millisecond
			s.skip()
		case c == ',':
			var d [9]byte
			s.read(d[:])
			s.at += colourBytes(d[8]) + 1 // and the width of codes
			s.skip()
			if s.err != nil {
				continue // a frame that breaks off
			}
			if frame.offset < 0 {
				frame.offset = begin
			}
			frame.size, frame.at = s.at-frame.offset, g.duration
			g.frames = append(g.frames, frame)
			if len(g.frames) > maxGIFFrames {
				return nil, fmt.Errorf("GIF of more than %d frames", maxGIFFrames)
			}
			// Browsers show frames of 0 and 10 ms for 100 ms, and files count on it.
			if delay <= 10*time.Millisecond {
				delay = 100 * time.Millisecond
			}
			g.duration += delay
			frame, delay = gifFrame{offset: -1}, 0
		default:
			return nil, fmt.Errorf("GIF: offset %d: no block begins with %#02x", begin, c)
		}
	}
}

// colourBytes is the length of the colour table that flags announce.
func colourBytes(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// blocks reads a file's bytes in order, in pieces.
type blocks struct {
	r     io.ReaderAt
	at    int64
	buf   [4096]byte
	have  int   // bytes in buf
	first int64 // offset of buf[0]
	err   error
}

func (s *blocks) byte() byte {
	if s.err != nil {
		return 0
	}
	if s.at < s.first || s.at >= s.first+int64(s.have) {
		n, err := s.r.ReadAt(s.buf[:], s.at)
		s.first, s.have = s.at, n
		if n == 0 {
			s.err = err
			return 0
		}
	}
	c := s.buf[s.at-s.first]
	s.at++
	return c
}

func (s *blocks) read(p []byte) {
	for i := range p {
		p[i] = s.byte()
	}
}

// skip passes over sub-blocks to the empty one that ends them.
func (s *blocks) skip() {
	for n := s.byte(); s.err == nil && n != 0; n = s.byte() {
		s.at += int64(n)
	}
}

func decodeGIF(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	g, err := outline(f, f.Size)
	if err != nil {
		return nil, err
	}
	if err := checkPixels("GIF", g.w, g.h, l.Pixels); err != nil {
		return nil, err
	}
	if len(g.frames) == 1 {
		return alone(still(ctx, f, l, 0, g.w, g.h, func(ctx context.Context, content *media.Content) (*media.Image, error) {
			r, err := content.Open()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			c := canvas{gif: g, r: r}
			if err := c.draw(ctx, 0); err != nil {
				return nil, err
			}
			if g.broken {
				return nil, errors.New("GIF: the file breaks off after the first frame")
			}
			return Reduce(c.rgba, l.PictureSide), nil
		}))
	}
	stretch, err := l.Stretch(g.duration)
	if err != nil {
		return nil, err
	}
	content, err := f.Keep()
	if err != nil {
		return nil, err
	}
	hash, err := f.Digest(ctx, filmSettings(l))
	if err != nil {
		return nil, err
	}
	open := func(ctx context.Context) (media.Stream, error) {
		r, err := content.Open()
		if err != nil {
			return nil, err
		}
		return &gifStream{ReadAtCloser: r, ctx: ctx, name: content.Name, canvas: canvas{gif: g, r: r}, limits: l, end: l.Start + stretch}, nil
	}
	return []media.Part{{Source: f.Name, Kind: media.Film, Hash: hash, Duration: stretch, FPS: l.FPS, Silent: true, Open: open}}, nil
}

// filmSettings is what else than the file decides a film's frames.
func filmSettings(l media.Limits) string {
	return fmt.Sprintf("film fps=%v start=%v end=%v side=%d", l.FPS, l.Start, l.End, l.MaxSide)
}

// canvas draws a GIF's frames one over the other.
type canvas struct {
	gif  *gifFile
	r    io.ReaderAt
	rgba *image.RGBA
	next int // frame
	// What to do to the place of the last frame before the next is drawn.
	disposal byte
	rect     image.Rectangle
	saved    []byte // of rgba, if the last frame is to be taken back
}

// draw draws the frames up to n, from where it is.
func (c *canvas) draw(ctx context.Context, n int) (err error) {
	defer media.Contain(&err)
	if c.rgba == nil {
		c.rgba = image.NewRGBA(image.Rect(0, 0, c.gif.w, c.gif.h))
	}
	for ; c.next <= n; c.next++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := c.gif.frames[c.next]
		img, err := gif.Decode(io.MultiReader(bytes.NewReader(c.gif.start), io.NewSectionReader(c.r, f.offset, f.size), bytes.NewReader([]byte{';'})))
		if err != nil {
			return fmt.Errorf("GIF: frame %d at offset %d: %w", c.next, f.offset, noEOF(err))
		}
		switch c.disposal {
		case disposeBackground:
			draw.Draw(c.rgba, c.rect, image.Transparent, image.Point{}, draw.Src)
		case disposePrevious:
			copy(c.rgba.Pix, c.saved)
		}
		c.disposal, c.rect = f.disposal, img.Bounds()
		if f.disposal == disposePrevious {
			c.saved = append(c.saved[:0], c.rgba.Pix...)
		}
		draw.Draw(c.rgba, c.rect, img, c.rect.Min, draw.Over)
	}
	return nil
}

// gifStream is the film of a GIF: what it shows at each sampled moment.
type gifStream struct {
	media.ReadAtCloser
	ctx    context.Context
	name   string
	canvas canvas
	limits media.Limits
	end    time.Duration
	sample int
	frame  int // shown
	err    error
}

func (s *gifStream) Next() (media.Chunk, error) {
	if s.err != nil {
		return media.Chunk{}, s.err
	}
	at := s.limits.FrameTime(s.sample)
	frames := s.canvas.gif.frames
	if at >= s.end {
		s.err = io.EOF
		// What lies behind the end that was asked for need not be whole.
		if s.canvas.gif.broken && s.end >= s.canvas.gif.duration {
			s.err = &media.BrokenError{Source: s.name, At: at, Err: errors.New("the file ends within a frame")}
		}
		return media.Chunk{}, s.err
	}
	for s.frame+1 < len(frames) && frames[s.frame+1].at <= at {
		s.frame++
	}
	if err := s.canvas.draw(s.ctx, s.frame); err != nil {
		if s.err = s.ctx.Err(); s.err == nil {
			s.err = &media.BrokenError{Source: s.name, At: at, Err: err}
		}
		return media.Chunk{}, s.err
	}
	s.sample++
	w, h := FitFrame(s.canvas.gif.w, s.canvas.gif.h, s.limits.MaxSide)
	return media.Chunk{At: at, Frame: Scale(s.canvas.rgba, w, h)}, nil
}
