package audio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/ffmpeg"
)

var (
	errNoSamples = errors.New("sound without a single sample")
	// errCompressed says that a WAV's samples are none of PCM's.
	errCompressed = errors.New("compressed samples")
)

// Format returns the format of sound.
func Format() media.Format {
	return media.Format{Name: "sound", Match: match, Decode: decode}
}

// match looks at the content alone. Files that may hold video as well (MP4,
// Matroska) are the video format's, but for those whose brand says sound.
func match(_ string, head []byte) bool {
	if isWAV(head) || isID3(head) || isMPEG(head) {
		return true
	}
	for _, p := range []string{"fLaC", ".snd\x00\x00", "caff\x00", "#!AMR", "wvpk", "MAC ", "\x0bw", "OggS"} {
		if bytes.HasPrefix(head, []byte(p)) {
			// Text has no NUL, and a film in Ogg names its codec in the first pages.
			return bytes.IndexByte(head, 0) >= 0 && !bytes.Contains(head, []byte("\x80theora")) && !bytes.Contains(head, []byte("\x01video"))
		}
	}
	if len(head) < 12 {
		return false
	}
	form := string(head[8:12])
	return string(head[:4]) == "FORM" && (form == "AIFF" || form == "AIFC") ||
		string(head[4:8]) == "ftyp" && (form == "M4A " || form == "M4B ")
}

func isWAV(head []byte) bool {
	return len(head) >= 12 && (string(head[:4]) == "RIFF" || string(head[:4]) == "RF64") && string(head[8:12]) == "WAVE"
}

// source is sound as a decoder of this package gives it.
type source struct {
	rate int
	// announced is the samples a channel has by the header, 0 if it does not say.
	// begins is the one that read gives first.
	announced, begins int64
	// slack is by how many samples the header may be wrong.
	slack int64
	// read gives mono samples; it returns at least one or an error.
	read func(dst []float32) (int, error)
}

func (s *source) duration() time.Duration {
	return time.Duration(float64(s.announced) / float64(s.rate) * float64(time.Second))
}

// opener opens a decoder on the size bytes of r; it may skip some samples.
type opener func(r io.ReaderAt, size, skip int64) (source, error)

// own returns the decoder of this package for a file, or nil.
func own(f *media.File) opener {
	at := id3Size(f.Head)
	var head [12]byte
	// A file too short for any header is none of these.
	n, _ := f.ReadAt(head[:], at)
	switch {
	case at == 0 && isWAV(head[:n]):
		return openWAV
	case string(head[:4]) == "fLaC":
		return func(r io.ReaderAt, size, _ int64) (source, error) { return openFLAC(tail(r, size, at)) }
	case isLayer3(head[:4]):
		return func(r io.ReaderAt, size, _ int64) (source, error) { return openMP3(tail(r, size, at)) }
	}
	return nil
}

func tail(r io.ReaderAt, size, at int64) *io.SectionReader {
	return io.NewSectionReader(r, at, size-at)
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	l = l.WithDefaults()
	open := own(f)
	if open == nil {
		return throughFFmpeg(ctx, f, l)
	}
	src, err := guarded(open, f, f.Size, 0)
	if errors.Is(err, errCompressed) {
		return throughFFmpeg(ctx, f, l)
	}
	if err != nil {
		return nil, err
	}
	content, err := f.Keep()
	if err != nil {
		return nil, err
	}
	return part(ctx, f, l, src.duration(), func(ctx context.Context) (media.Stream, error) {
		return openOwn(ctx, content, l, open)
	})
}

func guarded(open opener, r io.ReaderAt, size, skip int64) (src source, err error) {
	defer media.Contain(&err)
	return open(r, size, skip)
}

// part is the part of a file that lasts so long, 0 if that is not known.
func part(ctx context.Context, f *media.File, l media.Limits, lasts time.Duration, open func(context.Context) (media.Stream, error)) ([]media.Part, error) {
	stretch, err := l.Stretch(lasts)
	if err != nil {
		return nil, err
	}
	hash, err := f.Digest(ctx, fmt.Sprintf("sound start=%v end=%v", l.Start, l.End))
	if err != nil {
		return nil, err
	}
	return []media.Part{{Source: f.Name, Kind: media.Sound, Hash: hash, Duration: stretch, Open: open}}, nil
}

// openOwn begins to decode with a decoder of this package.
func openOwn(ctx context.Context, content *media.Content, l media.Limits, open opener) (media.Stream, error) {
	r, err := content.Open()
	if err != nil {
		return nil, err
	}
	src, err := guarded(open, r, content.Size, 0)
	begin := int64(l.Start.Seconds() * float64(src.rate))
	if err == nil && begin > 0 {
		src, err = guarded(open, r, content.Size, begin)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", content.Name, err), r.Close())
	}
	return NewStream(ctx, content.Name, l, NewReader(src.rate, src.whole(ctx, begin)), r), nil
}

// whole reads from sample begin on, and makes it an error to end early.
func (s source) whole(ctx context.Context, begin int64) func(dst []float32) (int, error) {
	at := s.begins
	return func(dst []float32) (n int, err error) {
		defer media.Contain(&err)
		for {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			want := dst
			if at < begin {
				want = dst[:min(int64(len(dst)), begin-at)]
			}
			n, err = s.read(want)
			skipped := at < begin
			at += int64(n)
			if err == io.EOF && at+s.slack < s.announced {
				err = fmt.Errorf("the header announces %v", s.duration().Round(time.Millisecond))
			}
			if !skipped {
				return n, err
			}
			if err != nil {
				return 0, err
			}
		}
	}
}

// throughFFmpeg is the part of a file that ffmpeg decodes.
func throughFFmpeg(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	content, err := f.Keep()
	if err != nil {
		return nil, err
	}
	info, err := ffmpeg.Probe(ctx, content, l)
	if err != nil {
		return nil, err
	}
	return FromFFmpeg(ctx, f, content, info, l)
}

// FromFFmpeg is the part of a file's sound, which ffmpeg decodes.
func FromFFmpeg(ctx context.Context, f *media.File, content *media.Content, info *ffmpeg.Info, l media.Limits) ([]media.Part, error) {
	if info.Sound == nil {
		return nil, errors.New("no sound in it")
	}
	return part(ctx, f, l, info.Duration, func(ctx context.Context) (media.Stream, error) {
		in, err := ffmpeg.Open(content)
		if err != nil {
			return nil, err
		}
		samples, err := in.Samples(ctx, info, l)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", content.Name, err), in.Close())
		}
		return NewStream(ctx, content.Name, l, samples, samples, in), nil
	})
}

// SampleReader gives mono samples at [media.SampleRate]. It fills dst unless the
// sound ends.
type SampleReader interface {
	Read(dst []float32) (int, error)
}

// stream cuts samples into seconds.
type stream struct {
	ctx     context.Context
	name    string
	from    time.Duration
	in      SampleReader
	closers []io.Closer
	buf     []float32
	n, left int64 // samples given, and to come up to Limits.End
	err     error
}

// NewStream is the stream of samples that begin at [media.Limits].Start. Closing
// it closes the closers in order.
func NewStream(ctx context.Context, name string, l media.Limits, in SampleReader, closers ...io.Closer) media.Stream {
	s := &stream{ctx: ctx, name: name, from: l.Start, in: in, closers: closers, buf: make([]float32, media.SampleRate), left: 1 << 62}
	if l.End > 0 {
		s.left = int64((l.End-l.Start).Seconds()*media.SampleRate + 0.5)
	}
	return s
}

func (s *stream) Next() (media.Chunk, error) {
	at := s.from + time.Duration(s.n)*time.Second/media.SampleRate
	want := s.buf[:min(int64(len(s.buf)), s.left)]
	n := 0
	if s.err == nil {
		s.err = s.ctx.Err()
	}
	if s.err == nil && len(want) > 0 {
		n, s.err = s.in.Read(want)
		s.n, s.left = s.n+int64(n), s.left-int64(n)
	}
	switch {
	case n > 0:
		return media.Chunk{At: at, Sound: want[:n]}, nil
	case s.err == nil: // the end that was asked for
		s.err = io.EOF
	case s.ctx.Err() != nil:
		s.err = s.ctx.Err()
	case s.n == 0:
		err := s.err
		if err == io.EOF {
			err = errNoSamples
			if s.from > 0 {
				err = fmt.Errorf("no sound from %v on", s.from)
			}
		}
		s.err = fmt.Errorf("%s: %w", s.name, err)
		s.n = -1 // said once
	case s.err != io.EOF && s.n > 0:
		var broken *media.BrokenError
		if !errors.As(s.err, &broken) {
			s.err = &media.BrokenError{Source: s.name, At: at, Err: s.err}
		}
	}
	return media.Chunk{}, s.err
}

func (s *stream) Close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	s.closers = nil
	return errors.Join(errs...)
}
