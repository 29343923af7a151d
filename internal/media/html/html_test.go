package html

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

func parse(data string, l media.Limits) (string, error) {
	parts, err := decode(context.Background(), &media.File{Name: "p.html", Size: int64(len(data)), ReaderAt: strings.NewReader(data)}, l.WithDefaults())
	if err != nil {
		return "", err
	}
	return string(parts[0].Text), nil
}

func TestPages(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<!doctype html><title>A &amp; B</title><h1>Head</h1><p>One\n  <b>two</b>&nbsp;three.<p>Four<br>five", "A & B\n\n# Head\n\nOne two three.\n\nFour\nfive\n"},
		{"<ul><li>a<li><p>b</p><ol><li>c</li><li>d</ol></ul>after", "- a\n- b\n  1. c\n  2. d\n\nafter\n"},
		{"<table><tr><th>k<th>v<tr><td><p>a</p><td><div>1</div></table><p>x", "k | v\na | 1\n\nx\n"},
		{"<table><tr><td></td><td>b</td></tr><tr><td></td><td></td></tr></table>y", " | b\n\ny\n"},
		{"<p>x</p><script>if (a < b) { '<p>no</p>' }</script><style>p {}</style><template>no</template>y", "x\n\ny\n"},
		{"<html xmlns='x'><head><title/><script src='a'/></head><body>seen</body></html>", "seen\n"},
		{"<pre>\na\n  b\n</pre>c", "a\n  b\n\nc\n"},
		{`<a href="https://e.org/x">name</a>, <a href="/y">in</a>, <a href="https://e.org">https://e.org</a>`, "name (https://e.org/x), in, https://e.org\n"},
		{`<img alt="A cat"> soft&shy;hyphen`, "[A cat] softhyphen\n"},
		{"<h2></h2><p>no heading", "no heading\n"},
		{"<p>broken <b <i>x", "broken x\n"},
		{"</ul></pre></li>text", "text\n"},
		{"<select><option>a<option>b</select>", "a\nb\n"},
	} {
		got, err := parse(c.in, media.Limits{})
		if err != nil || got != c.want {
			t.Errorf("%s\n got %q, %v\nwant %q", c.in, got, err, c.want)
		}
	}
}

func TestCharacterSets(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<meta charset=iso-8859-1><p>caf\xe9", "café\n"},
		{"<p>caf\xe9", "café\n"},
		{"<p>" + strings.Repeat("a", 2000) + " café", strings.Repeat("a", 2000) + " café\n"},
		{"<meta charset=shift_jis><p>\x93\xfa\x96\x7b", "日本\n"},
	} {
		if got, err := parse(c.in, media.Limits{}); err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name, head string
		want       bool
	}{
		{"x", "<!DOCTYPE HTML>", true},
		{"x", "\xef\xbb\xbf<?xml version='1.0'?>\n<!-- c -->\n<!DOCTYPE html>", true},
		{"x", "<html lang=en>", true},
		{"x", "<htmlx>", false},
		{"x.md", "<div align=center>", false},
		{"x.html", "<div align=center>", true},
		{"x.html", "{{define}}<p>", false},
		{"x", "<html>\x00", false},
	} {
		if Match(c.name, []byte(c.head)) != c.want {
			t.Errorf("%s %q", c.name, c.head)
		}
	}
}

func TestLimits(t *testing.T) {
	var size *media.SizeError
	if _, err := parse("<p>0123456789", media.Limits{Text: 12}); !errors.As(err, &size) || size.Max != 12 {
		t.Error(err)
	}
	// Nesting costs nothing.
	deep := strings.Repeat("<div><ul><li><table><tr><td>", 100000) + "x"
	if got, err := parse(deep, media.Limits{}); err != nil || !strings.HasSuffix(got, "x\n") || len(got) > 30 {
		t.Errorf("%.40q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := decode(ctx, &media.File{Size: 1, ReaderAt: bytes.NewReader([]byte("x"))}, media.Limits{}.WithDefaults()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("<!doctype html><title>x</title><table><tr><td>a<td><ul><li>b</table><pre>c</pre><a href=https://e.org>d</a>")
	f.Add("<meta charset=utf-16><p>\xff\xfe")
	f.Add("<script/><style>x")
	f.Fuzz(func(t *testing.T, data string) {
		got, err := parse(data, media.Limits{Text: 1 << 20})
		if err == nil && len(got) > 40*len(data)+100 {
			t.Errorf("%d bytes of %d", len(got), len(data))
		}
	})
}
