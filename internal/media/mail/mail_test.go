package mail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

func read(data string, l media.Limits) (media.Part, error) {
	f := &media.File{Name: "m", Size: int64(len(data)), Head: []byte(data[:min(len(data), media.SniffBytes)]), ReaderAt: strings.NewReader(data)}
	parts, err := decode(context.Background(), f, l.WithDefaults())
	if err != nil {
		return media.Part{}, err
	}
	return parts[0], nil
}

const header = "From: =?iso-8859-1?Q?J=F6rg?= <j@e.org>\nTo: Ann <a@e.org>,\n Bob <b@e.org>\nDate: Mon, 2 Jan 2006 15:04:05 +0000\nSubject: =?utf-8?B?w4RwZmVs?=\nMessage-ID: <1@e.org>\n"

const shownHeader = "From: Jörg <j@e.org>\nTo: Ann <a@e.org>, Bob <b@e.org>\nDate: Mon, 2 Jan 2006 15:04:05 +0000\nSubject: Äpfel\n\n"

func TestMessages(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "\nHello.\n\n  Indented.\n", "Hello.\n\n  Indented.\n"},
		{"no type, old bytes", "\ncaf\xe9\n", "café\n"},
		{"quoted-printable", "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 and a long=\n line\n", "café and a long line\n"},
		{"base64", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nY2Fm\nw6k=\n", "café\n"},
		{"html", "Content-Type: text/html; charset=iso-8859-1\n\n<p>caf\xe9</p><p>two</p>", "café\n\ntwo\n"},
		{"alternative", "Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\nplain\n--x\nContent-Type: text/html\n\n<p>html\n--x--\n", "plain\n"},
		{"empty alternative", "Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\n\n--x\nContent-Type: text/html\n\n<p>html\n--x--\n", "html\n"},
		{"attachment", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbody\n--x\nContent-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\n////\n--x\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"b c.txt\"\n\nno\n--x--\n",
			"body\n\n(Attachment: a.png image/png)\n\n(Attachment: b c.txt text/plain)\n"},
		{"forwarded", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nsee\n--x\nContent-Type: message/rfc822\n\nFrom: c@e.org\nSubject: inner\n\ninside\n--x--\n", "see\n\nFrom: c@e.org\nSubject: inner\n\ninside\n"},
		{"header line that is none", "this is no field\nX: y\n\nbody", "body\n"},
		{"damaged", "Content-Transfer-Encoding: base64\n\nY2Fm!!!!", "caf\n\n(The rest of this message is damaged: illegal base64 data at input byte 4)\n"},
	} {
		in := header + c.in
		if !Match("x", []byte(in)) {
			t.Errorf("%s is not recognised", c.name)
		}
		for _, in := range []string{in, strings.ReplaceAll(in, "\n", "\r\n")} {
			p, err := read(in, media.Limits{})
			if err != nil || string(p.Text) != shownHeader+c.want {
				t.Errorf("%s: %q, %v", c.name, p.Text, err)
			}
		}
	}
}

func TestArchive(t *testing.T) {
	const in = "From a@e.org Mon Jan  2 15:04:05 2006\nFrom: a@e.org\nSubject: one\n\nFirst.\n>From here on\n>>From there\nFrom me, Mon 2006 without a blank line before\n\n" +
		"From b@e.org Tue Jan  3 15:04:05 2006\nFrom: b@e.org\nSubject: two\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nSecond.\n--x\nContent-Type: application/pdf\n\n%PDF\n\n" +
		"From c@e.org Tue Jan  3 15:04:05 2006\nFrom: c@e.org\nSubject: three\n\nFrom the beginning."
	const first = "From: a@e.org\nSubject: one\n\nFirst.\nFrom here on\n>From there\nFrom me, Mon 2006 without a blank line before\n\n"
	const second = "From: b@e.org\nSubject: two\n\nSecond.\n\n(Attachment: application/pdf)\n\n"
	const third = "From: c@e.org\nSubject: three\n\nFrom the beginning.\n"
	p, err := read(in, media.Limits{})
	if err != nil || string(p.Text) != first+second+third {
		t.Errorf("%q, %v", p.Text, err)
	}
	if want := fmt.Sprintf("[{0 1 -1ns} {%d 2 -1ns} {%d 3 -1ns}]", len(first), len(first+second)); fmt.Sprint(p.Marks) != want {
		t.Error(p.Marks, want)
	}
	if !Match("x", []byte(in)) {
		t.Error("not recognised")
	}
}

// A line longer than the buffer comes whole.
func TestLongLines(t *testing.T) {
	long := "x" + strings.Repeat(" From x 2006", 20000)
	p, err := read("From a@e.org Mon Jan  2 15:04:05 2006\nFrom: a@e.org\n\n"+long+"\n", media.Limits{})
	if err != nil || string(p.Text) != "From: a@e.org\n\n"+long+"\n" {
		t.Errorf("%d bytes, %v", len(p.Text), err)
	}
}

func TestLimits(t *testing.T) {
	deep := header
	for i := range 100 {
		deep += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	p, err := read(deep, media.Limits{Depth: 10})
	if err != nil || !strings.Contains(string(p.Text), "nested too deeply") {
		t.Errorf("%q, %v", p.Text, err)
	}
	if _, err := read(header+"\n"+strings.Repeat("a", 1000), media.Limits{Text: 500}); !errors.As(err, new(*media.SizeError)) {
		t.Error(err)
	}
	if _, err := read(header+"Content-Type: text/html\n\n<p>"+strings.Repeat("a", 1000), media.Limits{Text: 500}); !errors.As(err, new(*media.SizeError)) {
		t.Error(err)
	}
	p, err = read(header+strings.Repeat("X: "+strings.Repeat("y", 1000)+"\n", 2000)+"\n", media.Limits{})
	if err != nil || !strings.Contains(string(p.Text), "damaged: a header of more than") {
		t.Errorf("%.100q, %v", p.Text, err)
	}
}

func TestMatch(t *testing.T) {
	for _, head := range []string{
		"From: me\nTo: you\nSubject: notes\n\nNo mail, but notes.",
		"From here to there in 2006\nis a long way.",
		"key: value\nname: x\ndate: y\nto: z\n",
		"Dear Ann,\nFrom: a\nTo: b\nDate: c\nSubject: d\n",
		header + "\x00",
	} {
		if Match("x.eml", []byte(head)) {
			t.Errorf("%q", head)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(header + "Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\nplain\n--x\nContent-Type: text/html\n\n<p>html\n--x--\n")
	f.Add("From a@e.org Mon Jan  2 15:04:05 2006\n" + header + "\n>From x\n\nFrom b@e.org Mon Jan  2 15:04:05 2006\n\n")
	f.Add(header + "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n" + header + "=E9")
	f.Fuzz(func(t *testing.T, data string) {
		p, err := read(data, media.Limits{Text: 1 << 20, Depth: 4})
		last := int64(-1)
		for _, m := range p.Marks {
			if err == nil && (m.Offset <= last || m.Offset >= int64(len(p.Text))) {
				t.Errorf("%+v in %d bytes", m, len(p.Text))
			}
			last = m.Offset
		}
	})
}
