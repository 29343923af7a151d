package endpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
)

// Part is a piece of what an endpoint is asked about: text, or data of a type.
type Part struct {
	Source string // the file; parts of one source stand together. "" is nowhere in particular
	Text   string
	MIME   string                        // of data; "" for text
	Size   int64                         // of data, in bytes
	Open   func() (io.ReadCloser, error) // data, from its beginning
	// Of films that the server decodes; zero is its default.
	FPS        float64
	Start, End time.Duration
}

// data is a part of bytes at hand.
func data(source, mime string, b []byte) Part {
	return Part{Source: source, MIME: mime, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// bytes reads a part's data.
func (p *Part) bytes() ([]byte, error) {
	r, err := p.Open()
	if err != nil {
		return nil, fmt.Errorf("endpoint: %s: %w", p.Source, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %s: %w", p.Source, err)
	}
	return b, nil
}

// Preparation says how files become parts.
type Preparation struct {
	Family Family
	// Handscroll is for a server of this program: it gets all files as they are, and
	// decodes them itself.
	Handscroll bool
	// Raw sends films, recordings and PDF files as they are on the disk. Gemini gets
	// films and recordings so in any case, where their type is one that it takes.
	Raw bool
	// What was asked for of films: it is left to the server where that decodes them.
	FPS        float64
	Start, End time.Duration
	// Note, which may be nil, is told what cannot be sent, and why.
	Note func(source, reason string)
	// Progress, which may be nil, is told how far decoding is.
	Progress func(source string, at, length time.Duration)
}

func (o *Preparation) note(source, format string, args ...any) {
	if o.Note != nil {
		o.Note(source, fmt.Sprintf(format, args...))
	}
}

// maxData bounds what is decoded for one request, in bytes: more no server takes.
const maxData = 1 << 30

// Prepare makes of opened files what an endpoint of a family takes: text as it is,
// pictures as PNG, recordings as WAV, and films as frames with their times, unless
// the server decodes them itself.
func Prepare(ctx context.Context, parts []handscroll.Part, o Preparation) ([]Part, error) {
	var out []Part
	var size int64
	raw := map[string]bool{} // sources sent as files
	if o.Handscroll {
		o.Raw = true
	}
	for i := range parts {
		p := &parts[i]
		source, _, _ := strings.Cut(p.Source, "#page=")
		if raw[source] {
			continue
		}
		if f, ok := o.file(p, source); ok {
			if o.Family == OpenAI && p.Kind() == handscroll.Film && (o.FPS != 0 || o.Start != 0 || o.End != 0) {
				return nil, fmt.Errorf("endpoint: %s: OpenAI's API has no --fps, --start and --end for films that are sent as they are", p.Source)
			}
			raw[source] = true
			out = append(out, f)
			continue
		}
		var made []Part
		var err error
		switch p.Kind() {
		case handscroll.Text:
			out = append(out, Part{Source: p.Source, Text: string(p.Text)})
			continue
		case handscroll.Picture:
			made, err = picture(ctx, p)
		case handscroll.Sound:
			made, err = o.sound(ctx, p)
		case handscroll.Film:
			made, err = o.film(ctx, p, maxData-size)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Source, err)
		}
		for _, m := range made {
			size += m.Size
		}
		if size > maxData {
			return nil, fmt.Errorf("endpoint: %s: pictures and sound of more than %d MB in one request; name fewer files, or take less of films with --fps, --start and --end", p.Source, maxData>>20)
		}
		out = append(out, made...)
	}
	return out, nil
}

// The types that are sent as files, by how the files' names end.
var (
	filmTypes = map[string]string{".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpeg": "video/mpeg", ".mpg": "video/mpeg",
		".avi": "video/x-msvideo", ".wmv": "video/x-ms-wmv", ".webm": "video/webm", ".flv": "video/x-flv", ".3gp": "video/3gpp"}
	soundTypes = map[string]string{".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".aac": "audio/aac", ".aiff": "audio/aiff"}
)

// file is the file of a part, if that is to be sent as it is.
func (o *Preparation) file(p *handscroll.Part, source string) (Part, bool) {
	var mime string
	ext := strings.ToLower(filepath.Ext(source))
	switch {
	case p.Shape().Format == "pdf" && o.Raw && !o.Handscroll: // which would read the same text
		mime = "application/pdf"
	case p.Kind() == handscroll.Film && (o.Raw || o.Family == Gemini):
		if mime = filmTypes[ext]; mime == "" && o.Handscroll {
			mime = "video/x-unknown" // the content decides
		}
	case p.Kind() == handscroll.Sound && (o.Raw || o.Family == Gemini) && o.Start == 0 && o.End == 0:
		mime = soundTypes[ext]
		// OpenAI's API has these two formats alone.
		if o.Family == OpenAI && mime != "audio/mpeg" && mime != "audio/wav" && !o.Handscroll {
			mime = ""
		}
	}
	if mime == "" {
		return Part{}, false
	}
	// Members of archives and standard input are no files; they are decoded.
	info, err := os.Stat(source)
	if err != nil || !info.Mode().IsRegular() {
		return Part{}, false
	}
	f := Part{Source: source, MIME: mime, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(source) }}
	if p.Kind() == handscroll.Film {
		f.FPS, f.Start, f.End = o.FPS, o.Start, o.End
	}
	return f, true
}

// picture encodes a picture without loss.
func picture(ctx context.Context, p *handscroll.Part) ([]Part, error) {
	s, err := p.Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	chunk, err := s.Next()
	if err != nil || chunk.Frame == nil {
		return nil, errors.Join(err, errors.New("there is no picture in it"))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, rgba(chunk.Frame)); err != nil {
		return nil, err
	}
	return []Part{data(p.Source, "image/png", b.Bytes())}, nil
}

func rgba(m *handscroll.Image) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, m.W, m.H))
	for i := range m.W * m.H {
		copy(out.Pix[4*i:], m.Pix[3*i:3*i+3])
		out.Pix[4*i+3] = 0xff
	}
	return out
}

// sound encodes a recording as WAV.
func (o *Preparation) sound(ctx context.Context, p *handscroll.Part) ([]Part, error) {
	s, err := p.Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	pcm := make([]byte, wavHeader)
	for {
		chunk, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		pcm = appendPCM(pcm, chunk.Sound)
		if len(pcm) > maxData {
			return nil, fmt.Errorf("a recording of more than %d MB; take less of it with --start and --end", maxData>>20)
		}
		o.progress(p, chunk.At)
	}
	if len(pcm) == wavHeader {
		return nil, errors.New("there is no sound in it")
	}
	return []Part{data(p.Source, "audio/wav", finishWAV(pcm))}, nil
}

func (o *Preparation) progress(p *handscroll.Part, at time.Duration) {
	if o.Progress != nil {
		o.Progress(p.Source, at, p.Length())
	}
}

// frameQuality is that of a film's frames as JPEG.
const frameQuality = 85

// film encodes the frames of a film, each after its time.
func (o *Preparation) film(ctx context.Context, p *handscroll.Part, room int64) ([]Part, error) {
	s, err := p.Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var out []Part
	heard := false
	for {
		chunk, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		heard = heard || len(chunk.Sound) > 0
		if chunk.Frame == nil {
			continue
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, rgba(chunk.Frame), &jpeg.Options{Quality: frameQuality}); err != nil {
			return nil, err
		}
		if room -= int64(b.Len()); room < 0 {
			return nil, fmt.Errorf("its frames take more than %d MB; take fewer with --fps, or a stretch with --start and --end", maxData>>20)
		}
		out = append(out, Part{Source: p.Source, Text: clock(chunk.At)}, data(p.Source, "image/jpeg", b.Bytes()))
		o.progress(p, chunk.At)
	}
	if len(out) == 0 {
		return nil, errors.New("there are no frames in it")
	}
	if heard {
		o.note(p.Source, "its sound is not sent, only %d frames; --endpoint-raw sends the film itself to servers that take films", len(out)/2)
	}
	return out, nil
}

// clock is how a frame's time is written: to the second, and further where a second
// has several frames.
func clock(t time.Duration) string {
	s := fmt.Sprintf("%02d:%02d", t/time.Minute, t%time.Minute/time.Second)
	if ms := t % time.Second / time.Millisecond; ms > 0 {
		s += fmt.Sprintf(".%03d", ms)
	}
	return s
}

// wavHeader is the size of a header of WAV.
const wavHeader = 44

// appendPCM appends samples as 16-bit integers.
func appendPCM(dst []byte, samples []float32) []byte {
	for _, x := range samples {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(int16(min(max(x, -1), 1)*32767)))
	}
	return dst
}

// finishWAV writes the header of 16-bit mono samples into the room before them.
func finishWAV(b []byte) []byte {
	const rate, width = handscroll.SampleRate, 2
	h := b[:0:wavHeader]
	le := binary.LittleEndian
	h = append(h, "RIFF"...)
	h = le.AppendUint32(h, uint32(len(b)-8))
	h = append(h, "WAVEfmt "...)
	h = le.AppendUint32(h, 16)
	h = le.AppendUint16(h, 1) // PCM
	h = le.AppendUint16(h, 1) // mono
	h = le.AppendUint32(h, rate)
	h = le.AppendUint32(h, rate*width)
	h = le.AppendUint16(h, width)
	h = le.AppendUint16(h, 8*width)
	h = append(h, "data"...)
	le.AppendUint32(h, uint32(len(b)-wavHeader))
	return b
}
