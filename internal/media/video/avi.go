package video

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	stdimage "image"
	"image/jpeg"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/audio"
	"github.com/handscroll/handscroll/internal/media/image"
)

func isAVI(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "AVI "
}

// avi is what the header of an AVI file says.
type avi struct {
	w, h       int
	codec      string
	rate       float64 // frames a second
	length     int     // frames, as announced
	video      int     // number of the stream, −1 for none
	sound      int
	pcm        audio.PCM
	compressed bool  // sound that is not PCM
	movi       int64 // offset of the first chunk of the first movi list
	size       int64
	duration   time.Duration
}

// own says whether this package decodes the file: frames of JPEG, and sound, if
// there is any, of PCM.
func (a *avi) own() bool {
	return a.video >= 0 && !a.compressed && (strings.EqualFold(a.codec, "MJPG") || strings.EqualFold(a.codec, "JPEG"))
}

// riff walks through the chunks of a RIFF file.
type riff struct {
	r    io.ReaderAt
	size int64
}

// chunk reads the head of the chunk at at: its id, where its data begins, and
// how many bytes it announces.
func (f riff) chunk(at int64) (id string, body, n int64, err error) {
	var b [8]byte
	if at+8 > f.size {
		return "", 0, 0, io.EOF
	}
	if _, err := f.r.ReadAt(b[:], at); err != nil {
		return "", 0, 0, err
	}
	return string(b[:4]), at + 8, int64(binary.LittleEndian.Uint32(b[4:])), nil
}

// list reads the type of a list whose data begin at body.
func (f riff) list(body int64) string {
	var b [4]byte
	if _, err := f.r.ReadAt(b[:], body); err != nil {
		return ""
	}
	return string(b[:])
}

// bytes reads up to most of the n bytes at body.
func (f riff) bytes(body, n, most int64) ([]byte, error) {
	b := make([]byte, max(0, min(n, most, f.size-body)))
	if _, err := f.r.ReadAt(b, body); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

// readAVI reads the header up to the first list movi.
func readAVI(r io.ReaderAt, size int64) (*avi, error) {
	a := &avi{video: -1, sound: -1, size: size}
	f := riff{r, size}
	streams := 0
	var kind string
	for at := int64(12); ; {
		id, body, n, err := f.chunk(at)
		if err == io.EOF {
			return nil, errors.New("AVI: the file breaks off within its header")
		}
		if err != nil {
			return nil, err
		}
		switch id {
		case "LIST":
			switch f.list(body) {
			case "movi":
				a.movi = body + 4
				if a.video < 0 && a.sound < 0 {
					return nil, errors.New("AVI: no stream in its header")
				}
				return a, a.checkRate()
			case "hdrl", "strl":
				at = body + 4 // their chunks come next
				continue
			}
		case "strh", "strf":
			b, err := f.bytes(body, n, 64)
			if err != nil {
				return nil, err
			}
			if id == "strh" {
				kind = a.header(b, streams)
				streams++
			} else if err := a.format(b, kind); err != nil {
				return nil, fmt.Errorf("AVI: offset %d: %w", body, err)
			}
		}
		at = body + n + n&1
	}
}

// header reads a stream's header and returns its kind, or "" if it is not the
// first of it.
func (a *avi) header(b []byte, stream int) string {
	if len(b) < 36 {
		return ""
	}
	kind := string(b[:4])
	scale, rate := binary.LittleEndian.Uint32(b[20:]), binary.LittleEndian.Uint32(b[24:])
	switch {
	case kind == "vids" && a.video < 0:
		a.video = stream
		if scale > 0 {
			a.rate = float64(rate) / float64(scale)
		}
		a.length = int(binary.LittleEndian.Uint32(b[32:]))
	case kind == "auds" && a.sound < 0:
		a.sound = stream
	default:
		return ""
	}
	return kind
}

// format reads a stream's format.
func (a *avi) format(b []byte, kind string) (err error) {
	switch {
	case kind == "auds":
		a.pcm, a.compressed, err = audio.ParsePCM(b)
	case kind == "vids" && len(b) >= 20:
		a.w, a.h = int(int32(binary.LittleEndian.Uint32(b[4:]))), int(int32(binary.LittleEndian.Uint32(b[8:])))
		a.h = max(a.h, -a.h) // negative for rows from the top
		a.codec = string(b[16:20])
	case kind == "vids":
		return fmt.Errorf("picture format of %d bytes", len(b))
	}
	return err
}

func (a *avi) checkRate() error {
	if a.video < 0 {
		return nil
	}
	if !(a.rate >= 1e-3 && a.rate <= 1e5) {
		return fmt.Errorf("AVI: %v frames a second", a.rate)
	}
	a.duration = a.frameAt(a.length)
	return nil
}

// frameAt is when frame i begins.
func (a *avi) frameAt(i int) time.Duration {
	return time.Duration(float64(i) / a.rate * float64(time.Second))
}

func (a *avi) parts(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	if err := checkPixels(a.w, a.h, l.Pixels); err != nil {
		return nil, err
	}
	content, err := f.Keep()
	if err != nil {
		return nil, err
	}
	return film(ctx, f, l, a.duration, a.sound < 0, func(ctx context.Context) (media.Stream, error) {
		r, err := content.Open()
		if err != nil {
			return nil, err
		}
		s := &stream{ctx: ctx, name: content.Name, limits: l, closers: []io.Closer{r}}
		s.frames = &aviFrames{ctx: ctx, avi: a, walk: a.walk(r, a.video), limits: l}
		if a.sound >= 0 {
			s.sound = audio.NewReader(a.pcm.Rate, a.samples(ctx, r, l.Start))
		}
		return s, nil
	})
}

// walk goes through the chunks of one stream. Pictures and sound are walked
// separately, so that neither waits for the other.
type walk struct {
	riff
	at     int64
	prefix string // of the stream's chunks
}

func (a *avi) walk(r io.ReaderAt, stream int) *walk {
	return &walk{riff{r, a.size}, a.movi, fmt.Sprintf("%02d", stream)}
}

// next returns the place of the next chunk, or io.EOF. A chunk that the file
// breaks off in is an error.
func (w *walk) next() (body, n int64, err error) {
	for {
		id, body, n, err := w.chunk(w.at)
		if err != nil {
			return 0, 0, err
		}
		if id == "LIST" || id == "RIFF" {
			switch w.list(body) {
			case "rec ", "movi", "AVIX":
				w.at = body + 4
				continue
			}
		}
		w.at = body + n + n&1
		if !strings.HasPrefix(id, w.prefix) {
			continue
		}
		switch id[2:] {
		case "dc", "db", "wb":
			if body+n > w.size {
				return 0, 0, errors.New("the file ends within a chunk")
			}
			return body, n, nil
		}
	}
}

// aviFrames gives the frames of an AVI file at the sampled moments.
type aviFrames struct {
	ctx    context.Context
	avi    *avi
	walk   *walk
	limits media.Limits
	sample int
	// The frame that has come last, and where it lies. An empty chunk stands for
	// the frame before.
	frame   int
	body, n int64
	img     *media.Image // decoded from img's place
	drawn   int64
}

func (f *aviFrames) Next() (*media.Image, error) {
	at := f.limits.FrameTime(f.sample)
	// The frame that begins at or before at; what is added stands for rounding.
	want := int((at + time.Microsecond).Seconds() * f.avi.rate)
	for f.frame <= want {
		if err := f.ctx.Err(); err != nil {
			return nil, err
		}
		body, n, err := f.walk.next()
		if err == io.EOF && f.frame < f.avi.length {
			return nil, fmt.Errorf("%d of %d frames are there", f.frame, f.avi.length)
		}
		if err != nil {
			return nil, err
		}
		f.frame++
		if n > 0 {
			f.body, f.n = body, n
		}
	}
	f.sample++
	if f.img != nil && f.drawn == f.body {
		return f.img, nil
	}
	if f.n == 0 {
		return nil, nil // nothing to show yet
	}
	img, err := f.draw()
	if err != nil {
		return nil, fmt.Errorf("frame %d at offset %d: %w", f.frame-1, f.body, err)
	}
	f.img, f.drawn = img, f.body
	return img, nil
}

// draw decodes the frame.
func (f *aviFrames) draw() (*media.Image, error) {
	const most = 256 << 20
	if f.n > most {
		return nil, fmt.Errorf("frame of %d bytes", f.n)
	}
	data := make([]byte, f.n)
	if _, err := f.walk.r.ReadAt(data, f.body); err != nil && err != io.EOF {
		return nil, err
	}
	data = withTables(data)
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if err := checkPixels(cfg.Width, cfg.Height, f.limits.Pixels); err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	w, h := image.FitFrame(f.avi.w, f.avi.h, f.limits.MaxSide)
	return image.Scale(img, w, h), nil
}

// samples reads the sound from start on.
func (a *avi) samples(ctx context.Context, r io.ReaderAt, start time.Duration) func(dst []float32) (int, error) {
	w := a.walk(r, a.sound)
	skip := int64(start.Seconds()*float64(a.pcm.Rate)) * int64(a.pcm.Block)
	var body, n int64 // what is left of a chunk
	buf := make([]byte, a.pcm.Block*max(1, 1<<15/a.pcm.Block))
	have := 0 // bytes in buf: a chunk need not end with a block
	return func(dst []float32) (int, error) {
		want := min(len(buf), len(dst)*a.pcm.Block)
		for have < want {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			if n == 0 {
				var err error
				if body, n, err = w.next(); err != nil {
					k := have / a.pcm.Block
					a.pcm.Mono(dst[:k], buf)
					have = 0
					return k, err
				}
			}
			pass := min(skip, n)
			skip, body, n = skip-pass, body+pass, n-pass
			k := min(int64(want-have), n)
			if _, err := r.ReadAt(buf[have:have+int(k)], body); err != nil && err != io.EOF {
				return 0, err
			}
			body, n, have = body+k, n-k, have+int(k)
		}
		a.pcm.Mono(dst[:want/a.pcm.Block], buf)
		have = 0
		return want / a.pcm.Block, nil
	}
}

// tables is the segment with the Huffman tables that JPEG frames of an AVI leave
// out because all have the same, those of the standard's annex K. The library's
// encoder writes them.
var tables = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, stdimage.NewYCbCr(stdimage.Rect(0, 0, 8, 8), stdimage.YCbCrSubsampleRatio420), nil); err != nil {
		panic("video: " + err.Error()) // a buffer takes everything
	}
	var out []byte
	segments(b.Bytes(), func(marker byte, segment []byte) bool {
		if marker == 0xc4 {
			out = append(out, segment...)
		}
		return true
	})
	return out
})

// segments calls visit with those before the scan, marker included, and returns
// where the scan's begins, or −1.
func segments(data []byte, visit func(marker byte, segment []byte) bool) int {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		n := 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		if data[at+1] == 0xda {
			return at
		}
		if at+n > len(data) || !visit(data[at+1], data[at:at+n]) {
			return -1
		}
		at += n
	}
	return -1
}

// withTables puts the Huffman tables into a JPEG that has none.
func withTables(data []byte) []byte {
	scan := segments(data, func(marker byte, _ []byte) bool { return marker != 0xc4 })
	if scan < 0 {
		return data
	}
	return bytes.Join([][]byte{data[:scan], tables(), data[scan:]}, nil)
}
