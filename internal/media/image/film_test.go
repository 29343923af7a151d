package image

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

var palette = color.Palette{color.RGBA{}, color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}}

// paletted is a rectangle of one colour.
func paletted(r image.Rectangle, c byte) *image.Paletted {
	p := image.NewPaletted(r, palette)
	for i := range p.Pix {
		p.Pix[i] = c
	}
	return p
}

func gifOf(t testing.TB, g *gif.GIF) []byte {
	return encoded(t, func(w io.Writer) error { return gif.EncodeAll(w, g) })
}

var whole = image.Rect(0, 0, 2, 1)

// three is red for 0.5 s, green on its left half for 1 s, blue there for 0.5 s.
func three(t testing.TB, disposal byte) []byte {
	left := image.Rect(0, 0, 1, 1)
	return gifOf(t, &gif.GIF{
		Image:    []*image.Paletted{paletted(whole, 1), paletted(left, 2), paletted(image.Rect(1, 0, 2, 1), 3)},
		Delay:    []int{50, 100, 50},
		Disposal: []byte{gif.DisposalNone, disposal, gif.DisposalNone},
		Config:   image.Config{ColorModel: palette, Width: 2, Height: 1},
	})
}

// colours are those of two pixels a frame: r, g, b, or w for white.
func colours(cs []media.Chunk) string {
	var out []string
	for _, c := range cs {
		var s []byte
		for i := 0; i < len(c.Frame.Pix); i += 3 {
			s = append(s, map[string]byte{"\xff\x00\x00": 'r', "\x00\xff\x00": 'g', "\x00\x00\xff": 'b', "\xff\xff\xff": 'w'}[string(c.Frame.Pix[i:i+3])])
		}
		out = append(out, string(s))
	}
	return strings.Join(out, " ")
}

func filmOf(t *testing.T, data []byte, l media.Limits) (media.Part, []media.Chunk, error) {
	t.Helper()
	ps, err := parts("film.gif", data, l)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 1 || ps[0].Kind != media.Film {
		t.Fatalf("parts %+v", ps)
	}
	cs, err := chunks(ps[0])
	return ps[0], cs, err
}

func TestMovingGIF(t *testing.T) {
	for _, c := range []struct {
		disposal byte
		want     string
	}{
		{gif.DisposalNone, "rr gr gr gb"},
		{gif.DisposalBackground, "rr gr gr wb"},
		{gif.DisposalPrevious, "rr gr gr rb"},
	} {
		p, cs, err := filmOf(t, three(t, c.disposal), media.Limits{FPS: 2})
		if got := colours(cs); err != nil || got != c.want || p.Duration != 2*time.Second {
			t.Errorf("disposal %d: %q in %v, %v; want %q", c.disposal, got, p.Duration, err, c.want)
		}
		if cs[3].At != 1500*time.Millisecond {
			t.Errorf("frame 3 at %v", cs[3].At)
		}
	}
	p, cs, err := filmOf(t, three(t, gif.DisposalNone), media.Limits{FPS: 4, Start: 400 * time.Millisecond, End: 900 * time.Millisecond})
	if got := colours(cs); err != nil || got != "rr gr" || p.Duration != 500*time.Millisecond || cs[1].At != 650*time.Millisecond {
		t.Errorf("stretch: %q in %v, %v", got, p.Duration, err)
	}
}

func TestGIFWithoutDelays(t *testing.T) {
	data := gifOf(t, &gif.GIF{Image: []*image.Paletted{paletted(whole, 1), paletted(whole, 2)}, Delay: []int{0, 1}})
	p, cs, err := filmOf(t, data, media.Limits{FPS: 10})
	if got := colours(cs); err != nil || got != "rr gg" || p.Duration != 200*time.Millisecond {
		t.Errorf("%q in %v, %v", got, p.Duration, err)
	}
}

func TestStillGIF(t *testing.T) {
	img, err := one(gifOf(t, &gif.GIF{Image: []*image.Paletted{paletted(whole, 3)}, Delay: []int{0}}), media.Limits{})
	if err != nil || colours([]media.Chunk{{Frame: img}}) != "bb" {
		t.Errorf("%v, %v", img, err)
	}
}

func TestTruncatedGIF(t *testing.T) {
	data := three(t, gif.DisposalNone)
	_, cs, err := filmOf(t, data[:len(data)-4], media.Limits{FPS: 2})
	var broken *media.BrokenError
	if got := colours(cs); got != "rr gr gr" || !errors.As(err, &broken) || broken.At != 1500*time.Millisecond {
		t.Errorf("%q, %v", got, err)
	}
	// What lies behind the end that was asked for is nobody's concern.
	if _, cs, err := filmOf(t, data[:len(data)-4], media.Limits{FPS: 2, End: time.Second}); err != nil || len(cs) != 2 {
		t.Errorf("the first second: %d frames, %v", len(cs), err)
	}
	still := gifOf(t, &gif.GIF{Image: []*image.Paletted{paletted(whole, 3)}, Delay: []int{0}})
	for n := range len(still) {
		if img, err := one(still[:n], media.Limits{}); err == nil {
			t.Errorf("%d of %d bytes give %v", n, len(still), img)
		}
	}
}

func TestFrameDir(t *testing.T) {
	dir := t.TempDir()
	names := []string{"f10.png", "f9.png", "f08.png"}
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), pngOf(t, paletted(image.Rect(0, 0, 2, 1+i), byte(i+1))), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	ps, err := FrameDir(ctx, dir, names, media.Limits{FPS: 2})
	if err != nil || len(ps) != 1 || ps[0].Kind != media.Film || ps[0].Duration != 1500*time.Millisecond || ps[0].Source != dir {
		t.Fatalf("%+v, %v", ps, err)
	}
	cs, err := chunks(ps[0])
	if got := colours(cs); err != nil || got != "bbbbbb gggg rr" || cs[2].At != time.Second {
		t.Errorf("%q, %v", got, err)
	}
	ps, err = FrameDir(ctx, dir, names, media.Limits{FPS: 2, Start: 600 * time.Millisecond, End: 1200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if cs, err := chunks(ps[0]); err != nil || colours(cs) != "gggg rr" || cs[0].At != 600*time.Millisecond {
		t.Errorf("stretch: %q, %v", colours(cs), err)
	}
	ps, err = FrameDir(ctx, dir, names, media.Limits{MaxSide: 1})
	if err != nil {
		t.Fatal(err)
	}
	if cs, err := chunks(ps[0]); err != nil || colours(cs) != "b g r" {
		t.Errorf("reduced: %q, %v", colours(cs), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f11.png"), []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := FrameDir(ctx, dir, append(names, "f11.png"), media.Limits{}); err == nil || !strings.Contains(err.Error(), "f11.png") {
		t.Errorf("broken picture: %v", err)
	}
	if _, err := FrameDir(ctx, dir, nil, media.Limits{}); err == nil {
		t.Error("no pictures make a film")
	}
}

func TestByNumber(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"9.png", "10.png", -1}, {"a9", "a10", -1}, {"a010", "a9", 1}, {"a", "b", -1}, {"a", "a1", -1}, {"x1y2", "x1y10", -1}, {"1", "1", 0},
	} {
		if got := byNumber(c.a, c.b); max(-1, min(1, got)) != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
	}
}

func FuzzGIF(f *testing.F) {
	f.Add(three(f, gif.DisposalPrevious))
	f.Add(gifOf(f, &gif.GIF{Image: []*image.Paletted{paletted(whole, 3)}, Delay: []int{0}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := outline(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		last := time.Duration(-1)
		for i, fr := range g.frames {
			if fr.at <= last || fr.offset < 13 || fr.size <= 0 {
				t.Fatalf("frame %d: %+v", i, fr)
			}
			last = fr.at
		}
		if g.w*g.h > 1<<16 {
			return
		}
		// Whatever it is, it is drawn or refused.
		c := canvas{gif: g, r: bytes.NewReader(data)}
		for i := range min(len(g.frames), 20) {
			if c.draw(context.Background(), i) != nil {
				return
			}
		}
	})
}
