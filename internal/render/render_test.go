package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

var goFaces = sync.OnceValues(func() (*Fonts, error) { return LoadFonts() })

func newPainter(t testing.TB, opts Options) *Painter {
	t.Helper()
	opts.Faces = faces(t)
	p, err := NewPainter(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func faces(t testing.TB) []*Face {
	t.Helper()
	f, err := goFaces()
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clone(f.Train()), f.HeldOut()...)
}

func TestFontsAreSplitByFamily(t *testing.T) {
	f, err := goFaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Train())+len(f.HeldOut()) != len(goFonts) || len(f.Train()) == 0 || len(f.HeldOut()) == 0 {
		t.Fatalf("%d to train with, %d held out", len(f.Train()), len(f.HeldOut()))
	}
	for _, a := range f.Train() {
		for _, b := range f.HeldOut() {
			if a.Family == b.Family {
				t.Errorf("%s and %s are of one family", a.Name, b.Name)
			}
		}
	}
}

func TestFoldersOfFonts(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{
		"mine.ttf": goFonts["GoRegular"], "Symbols.ttf": goFonts["GoRegular"], "broken.otf": []byte("OTTO and no more"),
		"cut.ttf": goFonts["GoRegular"][:5000], "note.txt": []byte("not a font"),
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := LoadFonts(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, face := range append(slices.Clone(f.Train()), f.HeldOut()...) {
		if goFonts[face.Name] == nil {
			got = append(got, face.Name)
		}
	}
	if !slices.Equal(got, []string{"mine.ttf"}) {
		t.Errorf("loaded %q", got)
	}
	if _, err := LoadFonts(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// brightness is the centre of a picture's light and its box.
func brightness(img *media.Image) (x, y float64, r rect) {
	r = rect{img.W, img.H, 0, 0}
	sum := 0.0
	for j := range img.H {
		for i := range img.W {
			v := float64(img.Pix[3*(j*img.W+i)])
			x, y, sum = x+v*(float64(i)+0.5), y+v*(float64(j)+0.5), sum+v
			if v > 127 {
				r = rect{min(r.x0, i), min(r.y0, j), max(r.x1, i+1), max(r.y1, j+1)}
			}
		}
	}
	return x / sum, y / sum, r
}

func TestGlyphsAreWhereTheirInkIs(t *testing.T) {
	p := newPainter(t, Options{})
	for _, face := range faces(t) {
		if strings.Contains(face.Name, "Italic") {
			continue // they lean out of the middle
		}
		for _, size := range []float32{8, 20.5, 47} {
			for _, angle := range []float32{0, -0.05, 0.05} {
				s := &Scene{Image: media.NewImage(160, 120)}
				b := wrap("H", style{face: face, cap: size, leading: 2, angle: angle, colour: white, opacity: 256}, 1000)
				p.draw(s, &b, 31.3, 20.6)
				g := s.Lines[0].Glyphs[0]
				x, y, r := brightness(s.Image)
				if math.Abs(x-float64(g.X)) > 0.3+0.03*float64(size) || math.Abs(y-float64(g.Y)) > 0.3+0.03*float64(size) {
					t.Errorf("%s of %g px at %g: ink around (%.1f, %.1f), glyph at (%.1f, %.1f)", face.Name, size, angle, x, y, g.X, g.Y)
				}
				if h := float32(r.y1 - r.y0); angle == 0 && (h < size-1.6 || h > size+1.6) {
					t.Errorf("%s: capitals of %g px are %g high", face.Name, size, h)
				}
			}
		}
	}
}

func TestBoxesHoldTheInk(t *testing.T) {
	p := newPainter(t, Options{})
	const text = "The quick brown fox, jumps 0123456789 \"over\" {lazy} dogs"
	for _, face := range faces(t) {
		s := &Scene{Image: media.NewImage(500, 60)}
		b := wrap(text, style{face: face, cap: 12, leading: 2, spacing: 0.05, colour: white, opacity: 256}, 1000)
		p.draw(s, &b, 5, 8)
		l := s.Lines[0]
		if len(s.Lines) != 1 || l.Text != text {
			t.Fatalf("%s: %q", face.Name, l.Text)
		}
		all, held := 0, 0
		for y := range s.Image.H {
			for x := range s.Image.W {
				v := int(s.Image.Pix[3*(y*500+x)])
				all += v
				for _, g := range l.Glyphs {
					fx, fy := float32(x)+0.5, float32(y)+0.5
					if g.Rune != ' ' && fx > g.X-g.W/2 && fx < g.X+g.W/2 && fy > l.Y0 && fy < l.Y1 {
						held += v
					}
				}
			}
		}
		if all == 0 || held < all*95/100 {
			t.Errorf("%s: boxes hold %d of %d", face.Name, held, all)
		}
	}
}

func TestPositionsSurviveAnotherResolution(t *testing.T) {
	p := newPainter(t, Options{})
	for _, k := range []float32{0.6, 1.4, 2.3} {
		s := &Scene{Image: media.NewImage(100, 60)}
		b := wrap("H", style{face: faces(t)[0], cap: 20, leading: 2, colour: white, opacity: 256}, 1000)
		p.draw(s, &b, 40, 20)
		out := media.NewImage(int(100*k), int(60*k))
		p.resample(out, s.Image, 0, 0, 100, 60)
		s.scale(float32(out.W)/100, float32(out.H)/60)
		x, y, _ := brightness(out)
		if g := s.Lines[0].Glyphs[0]; math.Abs(x-float64(g.X)) > 0.7*float64(k) || math.Abs(y-float64(g.Y)) > 0.4*float64(k) {
			t.Errorf("×%g: ink around (%.1f, %.1f), glyph at (%.1f, %.1f)", k, x, y, g.X, g.Y)
		}
	}
}

func same(a, b *Scene) bool {
	return bytes.Equal(a.Image.Pix, b.Image.Pix) && fmt.Sprint(a.Lines, a.Objects) == fmt.Sprint(b.Lines, b.Objects)
}

func TestOneSeedOnePicture(t *testing.T) {
	fresh, used := newPainter(t, Options{}), newPainter(t, Options{})
	for seed := range uint64(40) {
		used.Text(newRand(seed+1000), 100, 50) // whatever a painter drew before
		a, b := fresh.Text(newRand(seed), 256, 96), used.Text(newRand(seed), 256, 96)
		if !same(a, b) {
			t.Fatalf("seed %d: two pictures", seed)
		}
		for _, l := range a.Lines {
			for _, g := range l.Glyphs {
				if g.X < 0 || g.X >= 256 || g.Y < 0 || g.Y >= 96 || g.Cap <= 0 || g.W <= 0 {
					t.Fatalf("seed %d: %+v", seed, g)
				}
			}
			if l.Text != spell(l.Glyphs) || strings.TrimSpace(l.Text) != l.Text || l.Text == "" {
				t.Fatalf("seed %d: line %q, glyphs %q", seed, l.Text, spell(l.Glyphs))
			}
		}
	}
}

func TestCropsAreVaried(t *testing.T) {
	frame := media.NewImage(64, 64)
	for i := range frame.Pix {
		frame.Pix[i] = 77
	}
	p := newPainter(t, Options{Words: []string{"zyzzyva"}, Frames: []*media.Image{frame}, MinCap: 9, MaxCap: 20})
	rng := newRand(3)
	empty, corpus, glyphs := 0, 0, 0
	const n = 300
	for range n {
		s := p.Text(rng, 192, 64)
		if len(s.Lines) == 0 {
			empty++
		}
		for _, l := range s.Lines {
			glyphs += len(l.Glyphs)
			if strings.Contains(strings.ToLower(l.Text), "zyzzyva") {
				corpus++
			}
		}
	}
	if empty < n/50 || empty > n/4 || corpus < n/20 || glyphs < 15*n {
		t.Errorf("%d crops: %d empty, %d lines with the corpus, %d glyphs", n, empty, corpus, glyphs)
	}
}

func TestTextStandsOut(t *testing.T) {
	p := newPainter(t, Options{})
	rng := newRand(5)
	least := [3]float32{255, 255, 255}
	for range 400 {
		img := p.Background(rng, 128, 64)
		r := rect{10, 10, 110, 50}
		for ease := range least {
			st := p.randomStyle(rng, 12)
			st.pickColour(rng, img, r, ease)
			behind, _ := shade(img, r)
			if st.backing == boxed {
				k := float32(st.cover) / 256
				behind = behind*(1-k) + st.behind.luma()*k
			}
			least[ease] = min(least[ease], float32(math.Abs(float64(st.colour.luma()-behind))))
		}
	}
	if least[faint] < 27 || least[legible] < 55 || least[plainly] < 80 {
		t.Errorf("least contrasts: %v", least)
	}
}

func TestAnySizeOfBackground(t *testing.T) {
	p := newPainter(t, Options{Frames: []*media.Image{media.NewImage(5, 3)}})
	rng := newRand(1)
	for range 200 {
		img := p.Background(rng, 1+rng.IntN(40), 1+rng.IntN(40))
		p.clutter(rng, img)
		p.wear(rng, img)
	}
}

func TestHeldOutWords(t *testing.T) {
	rng := newRand(9)
	seen := map[string]bool{}
	for range 3000 {
		seen[PseudoWord(rng, false)] = true
	}
	for range 300 {
		if w := PseudoWord(rng, true); seen[w] {
			t.Fatalf("%q is held out and was seen", w)
		}
	}
}

func TestObjectsMoveAsTheySay(t *testing.T) {
	p := newPainter(t, Options{})
	rng := newRand(2)
	seen := map[string]bool{}
	for range 300 {
		o := NewObject(rng, 320, 180, 5)
		seen[o.Shape], seen[o.Colour], seen[o.Motion] = true, true, true
		a, b := o.at(0), o.at(4)
		dx, dy, dr := b.X-a.X, b.Y-a.Y, b.R-a.R
		got := "still"
		switch {
		case dx < -10:
			got = "moving left"
		case dx > 10:
			got = "moving right"
		case dy < -10:
			got = "moving up"
		case dy > 10:
			got = "moving down"
		case dr > 3:
			got = "growing"
		case dr < -3:
			got = "shrinking"
		}
		if got != o.Motion {
			t.Errorf("%+v: is %s", o, got)
		}
		for _, q := range []Object{a, b} {
			if q.X < 0 || q.X > 320 || q.Y < 0 || q.Y > 180 || q.R < 5 {
				t.Errorf("%+v leaves the frame", q)
			}
		}
		s := &Scene{Image: p.Background(rng, 320, 180)}
		o.Draw(p, rng, s, 0)
		if x, y := int(o.X), int(o.Y); o.Shape != "ring" {
			px, want := s.Image.Pix[3*(y*320+x):], paints[o.Colour]
			for i := range want {
				if d := int(px[i]) - int(want[i]); d < -14 || d > 14 {
					t.Errorf("%+v: its middle is %v", o, px[:3])
				}
			}
		}
		if len(s.Objects) != 1 || s.Objects[0] != o {
			t.Errorf("%+v is told as %+v", o, s.Objects)
		}
	}
	if len(seen) != len(Shapes)+len(Colours)+len(Motions) {
		t.Errorf("saw only %v", seen)
	}
}

// texts are the texts of a scene, without regard to case.
func texts(s *Scene) []string {
	var out []string
	for _, l := range s.Lines {
		out = append(out, strings.ToLower(l.Text))
	}
	return out
}

func TestDesignsSayWhatTheyAreGiven(t *testing.T) {
	p := newPainter(t, Options{})
	rng := newRand(4)
	for range 30 {
		for _, c := range []struct {
			d    Design
			want []string
		}{
			{Board{"LIONS", "BEARS", 7, 31, "04:51", "3rd"}, []string{"LIONS", "BEARS", "7", "31", "04:51", "3rd"}},
			{Cards{"Ada Quist", [5]int{6, 7, 8, 9, 10}}, []string{"Ada Quist", "6", "7", "8", "9", "10"}},
			{Chart{"Rain per day", []string{"Mon", "Tue"}, []int{3, 9}}, []string{"Rain per day", "Mon", "Tue", "3", "9"}},
			{Table{"Prices", []string{"Name", "Price"}, [][]string{{"Tea", "$2.50"}}}, []string{"Prices", "Name", "Price", "Tea", "$2.50"}},
			{Slide{"Plans", []string{"Buy bread"}}, []string{"Plans"}},
			{Sign{"EXIT"}, []string{"EXIT"}},
			{Overlay{"needle", 14}, []string{"needle"}},
		} {
			s := &Scene{Image: p.Background(rng, 320, 180)}
			c.d.Draw(p, rng, s, 0)
			got := texts(s)
			for _, w := range c.want {
				if !slices.Contains(got, strings.ToLower(w)) {
					t.Errorf("%T: no %q in %q", c.d, w, got)
				}
			}
			for _, l := range s.Lines {
				for _, g := range l.Glyphs {
					if g.X < 0 || g.X > 320 || g.Y < 0 || g.Y > 180 || g.Cap < 4 {
						t.Errorf("%T: %q at %+v", c.d, l.Text, g)
					}
				}
			}
		}
	}
}

func TestLongOverlaysFit(t *testing.T) {
	p := newPainter(t, Options{})
	for seed := range uint64(20) {
		s := &Scene{Image: media.NewImage(120, 60)}
		text := strings.Repeat("word ", 40)
		Overlay{text, 20}.Draw(p, newRand(seed), s, 0)
		if got := strings.Join(texts(s), " "); got != strings.TrimSpace(text) {
			t.Errorf("shown is %q", got)
		}
		for _, l := range s.Lines {
			if l.X0 < 0 || l.Y0 < 0 || l.X1 > 120 || l.Y1 > 60 {
				t.Errorf("%+v is not within the frame", l)
			}
		}
	}
}

func filmOptions(t testing.TB) FilmOptions {
	clip := make([]*media.Image, 7)
	for i := range clip {
		clip[i] = media.NewImage(80, 45)
		fill(clip[i], rect{0, 0, 80, 45}, rgb{uint8(30 * i), 90, 90}, 256)
	}
	return FilmOptions{
		Options: Options{Faces: faces(t)}, W: 160, H: 90, PerMinute: 8, Clips: [][]*media.Image{clip},
		Events: []Event{{At: 20, For: 5, Design: Overlay{"The secret word is \"blorf\"", 9}}},
	}
}

func newTestFilm(t testing.TB, seed uint64) *Film {
	t.Helper()
	f, err := NewFilm(seed, 90, filmOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAnySecondByItself(t *testing.T) {
	f := newTestFilm(t, 1)
	var want []*Scene
	for i := range 90 {
		want = append(want, f.Frame(i))
	}
	g := newTestFilm(t, 1)
	for _, i := range newRand(8).Perm(90) {
		if !same(g.Frame(i), want[i]) {
			t.Errorf("second %d depends on what was drawn before", i)
		}
	}
	for _, i := range []int{2, 40, 88} {
		if !same(newTestFilm(t, 1).Frame(i), want[i]) {
			t.Errorf("second %d differs in a new film", i)
		}
	}
	if same(newTestFilm(t, 2).Frame(0), want[0]) {
		t.Error("another seed gives the same film")
	}
}

func TestEventsAreWhereTheFilmSays(t *testing.T) {
	f := newTestFilm(t, 1)
	if len(f.Events()) < 5 {
		t.Fatalf("%d events", len(f.Events()))
	}
	for i := range f.Seconds() {
		on := slices.ContainsFunc(f.Events(), func(e Event) bool { return e.At <= i && i < e.At+e.For })
		s := f.Frame(i)
		if shown := len(s.Lines)+len(s.Objects) > 0; shown != on {
			t.Errorf("second %d: shown %v, planned %v", i, shown, on)
		}
		got := strings.Join(texts(s), " ")
		if given := i >= 20 && i < 25; strings.Contains(got, "\"blorf\"") != given {
			t.Errorf("second %d: %q", i, got)
		}
	}
}

func TestFilmsThatCannotBe(t *testing.T) {
	opts := filmOptions(t)
	opts.Events = []Event{{At: 88, For: 3, Design: Sign{"x"}}}
	if _, err := NewFilm(1, 90, opts); err == nil {
		t.Error("an event after the end was taken")
	}
	opts = filmOptions(t)
	opts.Clips = append(opts.Clips, nil)
	if _, err := NewFilm(1, 90, opts); err == nil {
		t.Error("a clip without frames was taken")
	}
	opts = filmOptions(t)
	opts.H = 0
	if _, err := NewFilm(1, 90, opts); err == nil {
		t.Error("a height of 0 was taken")
	}
	if _, err := NewFilm(1, 0, filmOptions(t)); err == nil {
		t.Error("a film of no seconds was taken")
	}
	if _, err := NewContest(1, 30, FilmOptions{Options: Options{Faces: faces(t)}}); err == nil {
		t.Error("a contest of half a minute was taken")
	}
}

func TestStream(t *testing.T) {
	f := newTestFilm(t, 3)
	s := newTestFilm(t, 3).Stream()
	for i := 0; ; i++ {
		c, err := s.Next()
		if err == io.EOF {
			if i != 90 {
				t.Errorf("%d frames", i)
			}
			break
		}
		if err != nil || c.At != time.Duration(i)*time.Second || !bytes.Equal(c.Frame.Pix, f.Frame(i).Image.Pix) {
			t.Fatalf("frame %d: at %v, %v", i, c.At, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestOnePerfectAttempt(t *testing.T) {
	for seed := range uint64(20) {
		c, err := NewContest(seed, 3600, FilmOptions{Options: Options{Faces: faces(t)}})
		if err != nil {
			t.Fatal(err)
		}
		players := map[string]bool{}
		free, perfect := 0, 0
		for _, a := range c.Attempts {
			players[a.Player] = true
			if a.At < free || a.At+a.For > c.Seconds() {
				t.Errorf("seed %d: attempt at %d for %d, the last ended at %d", seed, a.At, a.For, free)
			}
			free = a.At + a.For
			for _, v := range a.Scores {
				if v < 6 || v > 10 {
					t.Errorf("seed %d: a card of %d", seed, v)
				}
			}
			if a.Total() == 50 {
				perfect++
				if a != c.Perfect {
					t.Errorf("seed %d: %+v is told as %+v", seed, a, c.Perfect)
				}
			}
		}
		if n := len(c.Attempts); perfect != 1 || n < 60 || n > 170 || len(players) < 8 || len(players) > 16 {
			t.Errorf("seed %d: %d attempts by %d players, %d perfect", seed, n, len(players), perfect)
		}
		free = 0
		for _, e := range c.Events() {
			if e.At < free {
				t.Errorf("seed %d: two events at %d", seed, e.At)
			}
			free = e.At + e.For
		}
		s := c.Frame(c.Perfect.At)
		got := texts(s)
		tens := 0
		for _, line := range got {
			if line == "10" {
				tens++
			}
		}
		if tens != 5 || !slices.Contains(got, strings.ToLower(c.Perfect.Player)) {
			t.Errorf("seed %d: %q at the perfect attempt of %s", seed, got, c.Perfect.Player)
		}
	}
}

func BenchmarkText(b *testing.B) {
	p := newPainter(b, Options{})
	rng := newRand(7)
	b.ReportAllocs()
	for b.Loop() {
		p.Text(rng, 256, 96)
	}
}

func BenchmarkFrame(b *testing.B) {
	f, err := NewFilm(5, 3600, FilmOptions{Options: Options{Faces: faces(b)}, PerMinute: 6})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Frame(i % 3600)
	}
}
