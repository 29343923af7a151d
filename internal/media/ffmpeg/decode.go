package ffmpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// stretch is the options for the part of a film that is read.
func stretch(l media.Limits) []string {
	var args []string
	if l.Start > 0 {
		args = append(args, "-ss", microseconds(l.Start))
	}
	if l.End > 0 {
		args = append(args, "-t", microseconds(l.End-l.Start))
	}
	return args
}

func microseconds(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) + "us" }

// Frames are a film's frames at [media.Limits].FPS from Start on.
type Frames struct {
	p    *Process
	img  *media.Image
	keys bool
	last []byte // the frame before, of key frames
	n    int
	fps  float64
	end  time.Duration // of the stream, from Start on; 0 if not known
}

// turns are the filters for a quarter, a half and three quarters to the right.
var turns = [4]string{"", ",transpose=clock", ",hflip,vflip", ",transpose=cclock"}

// Size is that of the frames as they are shown, reduced to the limits.
func (v *Video) Size(l media.Limits, fit func(w, h, maxSide int) (int, int)) (w, h int) {
	w, h = max(1, int(float64(v.W)*v.Wide+0.5)), v.H
	if v.Turn%2 == 1 {
		w, h = h, w
	}
	return fit(w, h, l.MaxSide)
}

// Frames begins to decode frames of w × h. A frame is what the film shows at its
// moment. Of key frames alone, one that the film still shows is not repeated.
func (in *Input) Frames(ctx context.Context, info *Info, l media.Limits, w, h int) (*Frames, error) {
	v := info.Video
	sw, sh := w, h
	if v.Turn%2 == 1 {
		sw, sh = h, w
	}
	before := append([]string{"-noautorotate"}, stretch(l)...)
	if v.H >= 2*sh {
		// Edges of blocks, which this filter smooths, are gone once the frame is half as
		// high: a third less work for H.264.
		before = append(before, "-skip_loop_filter", "all")
	}
	rate := fmt.Sprintf("fps=%s:round=up:start_time=0", strconv.FormatFloat(l.FPS, 'f', -1, 64))
	scale := fmt.Sprintf("scale=%d:%d:flags=area+accurate_rnd+full_chroma_int%s", sw, sh, turns[v.Turn])
	filter := rate + "," + scale
	if l.KeyFrames {
		// Key frames need no others: threads would only hand them around.
		before = append(before, "-skip_frame", "nokey", "-threads", "1")
		filter = scale + "," + rate // few frames come, and many copies go
	}
	// A slow rate is no stall.
	wait := max(l.Stall, time.Duration(float64(l.Stall)/l.FPS))
	p, err := in.start(ctx, wait, "ffmpeg", before, []string{"-map", fmt.Sprintf("0:%d", v.index),
		"-vf", filter, "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"})
	if err != nil {
		return nil, err
	}
	f := &Frames{p: p, img: media.NewImage(w, h), keys: l.KeyFrames, fps: l.FPS, end: remaining(v.End, l)}
	if l.KeyFrames {
		f.end = 0 // the last key frame may be long before
	}
	return f, nil
}

// remaining is what is to come of a stream that ends at end.
func remaining(end time.Duration, l media.Limits) time.Duration {
	if end == 0 || l.End > 0 && l.End < end {
		end = l.End
	}
	return max(0, end-l.Start)
}

// Next returns the next frame, or nil if it is the one before.
func (f *Frames) Next() (*media.Image, error) {
	if _, err := io.ReadFull(f.p, f.img.Pix); err != nil {
		if err == io.EOF {
			return nil, f.p.ended(time.Duration(float64(f.n)/f.fps*float64(time.Second)), f.end, time.Duration(float64(time.Second)/f.fps))
		}
		return nil, err
	}
	f.n++
	if f.keys {
		if bytes.Equal(f.last, f.img.Pix) {
			return nil, nil
		}
		f.last = append(f.last[:0], f.img.Pix...)
	}
	return f.img, nil
}

// Close ends the process.
func (f *Frames) Close() error { return f.p.Close() }

// ended is the end of a stream that went until at and was announced until end:
// io.EOF unless more than slack and a second are missing. ffmpeg itself ends well
// when a file breaks off.
func (p *Process) ended(at, end, slack time.Duration) error {
	if end == 0 || at+slack+time.Second >= end {
		return io.EOF
	}
	why := p.Said()
	if why == "" {
		why = "no more could be decoded"
	}
	return fmt.Errorf("%s (it was to go on for another %v)", why, (end - at).Round(time.Millisecond))
}

// Samples are mono samples at [media.SampleRate], from Start on.
type Samples struct {
	p   *Process
	buf []byte
	n   int64
	end time.Duration // as of Frames
}

// Samples begins to decode sound. Gaps are filled with silence, so that it stays
// in step with the pictures.
func (in *Input) Samples(ctx context.Context, info *Info, l media.Limits) (*Samples, error) {
	// 16-bit output makes ffmpeg mix channels so that they cannot clip.
	p, err := in.start(ctx, l.Stall, "ffmpeg", stretch(l), []string{"-map", fmt.Sprintf("0:%d", info.Sound.index),
		"-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", strconv.Itoa(media.SampleRate), "-f", "s16le", "pipe:1"})
	if err != nil {
		return nil, err
	}
	return &Samples{p: p, buf: make([]byte, 1<<15), end: remaining(info.Sound.End, l)}, nil
}

// Read reads samples into dst, as many as fit unless the sound ends.
func (s *Samples) Read(dst []float32) (int, error) {
	for n := 0; ; {
		want := min(2*(len(dst)-n), len(s.buf))
		if want == 0 {
			return n, nil
		}
		k, err := io.ReadFull(s.p, s.buf[:want])
		for i := range k / 2 {
			dst[n+i] = float32(int16(binary.LittleEndian.Uint16(s.buf[2*i:]))) / 32768
		}
		n, s.n = n+k/2, s.n+int64(k/2)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		if err == io.EOF {
			err = s.p.ended(time.Duration(s.n)*time.Second/media.SampleRate, s.end, 0)
		}
		if err != nil {
			return n, err
		}
	}
}

// Close ends the process.
func (s *Samples) Close() error { return s.p.Close() }

// Picture decodes one picture of w × h pixels as it is stored.
func (in *Input) Picture(ctx context.Context, l media.Limits, w, h int) (*media.Image, error) {
	p, err := in.start(ctx, l.Stall, "ffmpeg", []string{"-noautorotate"},
		[]string{"-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	img := media.NewImage(w, h)
	n, err := io.ReadFull(p, img.Pix)
	if err == nil {
		var more int
		if more, err = p.Read(make([]byte, 1)); more == 0 && err == io.EOF {
			return img, nil
		}
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("ffmpeg gave %d bytes, not the %d × %d pixels of the header; a newer ffmpeg may read it", n, w, h)
	}
	return nil, err
}
