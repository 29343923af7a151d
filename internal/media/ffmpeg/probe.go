package ffmpeg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// Info is what ffprobe says of a file.
type Info struct {
	Duration time.Duration // 0 if it is not known
	Video    *Video        // nil if there is none
	Sound    *Sound
}

// Video is a film's pictures.
type Video struct {
	W, H int // as stored
	// Wide is the width of a pixel to its height, and Turn by how many quarters
	// of a circle the picture is turned to the right before it is shown.
	Wide float64
	Turn int
	End  time.Duration // of the stream, from the file's beginning; 0 if not known

	index int
}

// Sound is a film's or file's sound.
type Sound struct {
	End time.Duration // as Video's

	index int
}

// probed is ffprobe's answer. Numbers come as strings and may be missing.
type probed struct {
	Streams []probedStream `json:"streams"`
	Format  struct {
		Start    string `json:"start_time"`
		Duration string `json:"duration"`
	} `json:"format"`
}

type probedStream struct {
	Index    int               `json:"index"`
	Type     string            `json:"codec_type"`
	Codec    string            `json:"codec_name"`
	Width    int               `json:"width"`
	Height   int               `json:"height"`
	Aspect   string            `json:"sample_aspect_ratio"`
	Start    string            `json:"start_time"`
	Duration string            `json:"duration"`
	Tags     map[string]string `json:"tags"`
	Side     []struct {
		Rotation json.Number `json:"rotation"`
	} `json:"side_data_list"`
	Disposition struct {
		Cover int `json:"attached_pic"`
	} `json:"disposition"`
}

// Probe is [Input.Probe] of content, which is opened for it alone.
func Probe(ctx context.Context, c *media.Content, l media.Limits) (*Info, error) {
	in, err := Open(c)
	if err != nil {
		return nil, err
	}
	info, err := in.Probe(ctx, l)
	return info, errors.Join(err, in.Close())
}

// Probe asks ffprobe for the first video and the first sound of a file. Covers
// are no video.
func (in *Input) Probe(ctx context.Context, l media.Limits) (*Info, error) {
	p, err := in.start(ctx, l.Stall, "ffprobe", nil, []string{"-print_format", "json", "-show_format", "-show_streams"})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	const most = 16 << 20
	data, err := io.ReadAll(io.LimitReader(p, most))
	if err != nil {
		return nil, err
	}
	return parseProbe(data)
}

func parseProbe(data []byte) (*Info, error) {
	var answer probed
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("ffprobe's answer: %w", err)
	}
	start := seconds(answer.Format.Start)
	info := &Info{Duration: max(0, seconds(answer.Format.Duration))}
	for i := range answer.Streams {
		s := &answer.Streams[i]
		switch {
		case s.Type == "video" && info.Video == nil && s.Disposition.Cover == 0:
			v := &Video{W: s.Width, H: s.Height, Wide: aspect(s.Aspect), Turn: s.turn(), End: s.end(start), index: s.Index}
			if v.W <= 0 || v.H <= 0 {
				return nil, fmt.Errorf("video of %d × %d pixels (codec %q)", v.W, v.H, s.Codec)
			}
			info.Video = v
		case s.Type == "audio" && info.Sound == nil:
			info.Sound = &Sound{End: s.end(start), index: s.Index}
		}
	}
	if info.Video == nil && info.Sound == nil {
		return nil, errors.New("neither pictures nor sound in it")
	}
	return info, nil
}

// seconds reads a number of seconds; what is none is 0.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.Abs(f) > 1e9 || f != f {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// end is when the stream ends, in a file whose time begins at start.
func (s *probedStream) end(start time.Duration) time.Duration {
	if d := seconds(s.Duration); d > 0 {
		return seconds(s.Start) + d - start
	}
	// Matroska has the end as a tag, HH:MM:SS.
	parts := strings.Split(s.Tags["DURATION"], ":")
	if len(parts) != 3 {
		return 0
	}
	return 60*(60*seconds(parts[0])+seconds(parts[1])) + seconds(parts[2])
}

// turn is the quarters to the right of the display matrix, or of the tag that
// older versions give.
func (s *probedStream) turn() int {
	var left float64
	if f, err := strconv.ParseFloat(s.Tags["rotate"], 64); err == nil {
		left = -f
	}
	for _, side := range s.Side {
		if f, err := side.Rotation.Float64(); err == nil {
			left = f
		}
	}
	if math.Abs(left) > 1e6 || left != left {
		return 0
	}
	return (int(math.Round(-left/90))%4 + 4) % 4
}

// aspect reads a ratio like 64:45; what is none is 1.
func aspect(s string) float64 {
	a, b, _ := strings.Cut(s, ":")
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if r := x / y; errX == nil && errY == nil && r > 0.01 && r < 100 {
		return r
	}
	return 1
}
