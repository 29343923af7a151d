package subtitle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

func read(data string, l media.Limits) (media.Part, error) {
	parts, err := decode(context.Background(), &media.File{Name: "s", Size: int64(len(data)), ReaderAt: strings.NewReader(data)}, l.WithDefaults())
	if err != nil {
		return media.Part{}, err
	}
	return parts[0], nil
}

func TestCues(t *testing.T) {
	for _, c := range []struct{ name, in, want, marks string }{
		{"srt", "\xef\xbb\xbf1\r\n00:00:01,500 --> 00:00:04,000\r\n<i>Hello</i>\r\n{\\an8}there.\r\n\r\n2\r\n01:02:03,004 --> 01:02:05,000\r\n2 < 3 &amp; so on\r\n",
			"00:01 Hello there.\n01:02:03 2 < 3 &amp; so on\n", "[{0 0 1.5s} {19 0 1h2m3.004s}]"},
		{"vtt", "WEBVTT - talk\n\nNOTE not shown\n\nSTYLE\n::cue {}\n\nintro\n01:02.250 --> 01:04.000 align:start\n<v.loud Ann Lee>Fish &amp; <00:01:03.000><c.x>chips</c>\n\n01:05.000 --> 01:06.000\n\n01:07.000 --> 01:08.000\nlast",
			"01:02 Ann Lee: Fish & chips\n01:07 last\n", "[{0 0 1m2.25s} {28 0 1m7s}]"},
		{"latin-1", "1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n", "00:01 caf\xe9\n", "[{0 0 1s}]"},
		{"cut", "1\n00:00:01,000 --> 00:00:02,000\none\n\n2\n00:00:03,0", "00:01 one\n", "[{0 0 1s}]"},
	} {
		if !Match("x", []byte(c.in)) {
			t.Errorf("%s is not recognised", c.name)
		}
		p, err := read(c.in, media.Limits{})
		if err != nil || string(p.Text) != c.want || fmt.Sprint(p.Marks) != c.marks {
			t.Errorf("%s: %q %v, %v", c.name, p.Text, p.Marks, err)
		}
	}
}

func TestRefused(t *testing.T) {
	if _, err := read("WEBVTT\n\nNOTE nothing\n", media.Limits{}); err == nil || !strings.Contains(err.Error(), "without a cue") {
		t.Error(err)
	}
	if _, err := read("1\n00:00:01,000 --> 00:00:02,000\nsome text\n", media.Limits{Text: 10}); !errors.As(err, new(*media.SizeError)) {
		t.Error(err)
	}
	for _, head := range []string{"WEBVTTX", "1\nsome text", "00:01 --> 00:02", "see 00:00:01,000 --> 00:00:02,000"} {
		if Match("x.srt", []byte(head)) {
			t.Errorf("%q", head)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>x &amp; y\n")
	f.Add("1\n9999:59:59,999 --> 00:00:02,000\n{\\an8}<b>x\n")
	f.Fuzz(func(t *testing.T, data string) {
		p, err := read(data, media.Limits{Text: 1 << 20})
		for _, m := range p.Marks {
			if err == nil && (m.Time < 0 || m.Offset >= int64(len(p.Text))) {
				t.Errorf("%+v in %d bytes", m, len(p.Text))
			}
		}
	})
}
