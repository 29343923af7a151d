// Package subtitle reads subtitles, SubRip (.srt) and WebVTT: one line a cue,
// which begins with its time, and a mark with that time. Numbers, settings and
// tags are left out. Bytes of the text are kept as they are.
package subtitle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/markdown"
)

// Format returns the format of subtitles.
func Format() media.Format {
	return media.Format{Name: "subtitles", Match: Match, Decode: decode}
}

var (
	// srt is a file's beginning: a number and the times of the first cue.
	srt = regexp.MustCompile(`^(?:\x{feff})?\s*(?:\d+[ \t]*\r?\n)?(?:\d+:)?\d{1,2}:\d{2}[,.]\d{1,3}[ \t]+-->[ \t]`)
	vtt = regexp.MustCompile(`^(?:\x{feff})?WEBVTT(?:[ \t\r\n]|$)`)
	// times is the line that begins a cue.
	times = regexp.MustCompile(`^\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[,.](\d{1,3})[ \t]+-->[ \t]`)
	// voice is a tag that says who speaks.
	voice = regexp.MustCompile(`<v(?:\.[^ \t>]*)?[ \t]+([^>]*)>`)
	// tags are those of both formats, and the positions that some add to SubRip.
	tags = regexp.MustCompile(`</?[A-Za-z][^<>]*>|<[0-9:.]+>|\{\\[^{}]*\}`)
)

// Match reports whether a file begins like subtitles.
func Match(_ string, head []byte) bool {
	return (srt.Match(head) || vtt.Match(head)) && bytes.IndexByte(head, 0) < 0
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	data, err := f.Text(l)
	if err != nil {
		return nil, err
	}
	p, err := parse(ctx, f.Name, data, l)
	if err != nil {
		return nil, err
	}
	if len(p.Text) == 0 {
		return nil, errors.New("subtitles without a cue")
	}
	return []media.Part{p}, nil
}

// parse reads cues: a line with times and the lines up to the next blank one.
// Whatever stands outside of cues (numbers, notes, styles) is left out.
func parse(ctx context.Context, name string, data []byte, l media.Limits) (media.Part, error) {
	w := markdown.New(l)
	entities := vtt.Match(data)
	in := false
	n := 0
	for raw := range bytes.Lines(data) {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return media.Part{}, ctx.Err()
		}
		line := strings.TrimSpace(string(raw))
		switch m := times.FindStringSubmatch(line); {
		case m != nil:
			at := moment(m[1:])
			w.Line()
			w.Prefix(clock(at) + " ")
			w.MarkTime(at)
			in = true
		case line == "":
			in = false
		case in:
			line = tags.ReplaceAllString(voice.ReplaceAllString(line, "$1: "), "")
			if entities {
				line = unescape.Replace(line)
			}
			w.Text(line + " ")
		}
	}
	return w.Part(name)
}

// unescape writes out WebVTT's entities.
var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&nbsp;", " ", "&lrm;", "", "&rlm;", "", "&amp;", "&")

// moment is hours, minutes, seconds and a fraction of digits as a duration.
func moment(part []string) time.Duration {
	n := func(s string) time.Duration {
		v, _ := strconv.Atoi(s) // digits alone, or none for hours that are left out
		return time.Duration(v)
	}
	return n(part[0])*time.Hour + n(part[1])*time.Minute + n(part[2])*time.Second + n((part[3] + "00")[:3])*time.Millisecond
}

// clock is a time to the second, with hours if there are any.
func clock(t time.Duration) string {
	s := int(t / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
