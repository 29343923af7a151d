package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/engine/enginetest"
	"github.com/handscroll/handscroll/internal/media"
)

func openSensing(t *testing.T) *engine.Model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "senses.gguf")
	enginetest.WriteSenses(t, path, 5, true)
	m, err := engine.OpenModel(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// clip is a film or recording in memory: a frame and a second of sound at a time.
type clip struct {
	frames []*media.Image
	sound  []float32
}

func (c *clip) part(source string) media.Part {
	p := media.Part{Source: source, Kind: media.Film, Duration: time.Duration(len(c.frames)) * time.Second}
	if len(c.frames) == 0 {
		p.Kind = media.Sound
	}
	copy(p.Hash[:], source+fmt.Sprint(len(c.frames), len(c.sound)))
	p.Open = func(context.Context) (media.Stream, error) { return &clipStream{c: c}, nil }
	return p
}

type clipStream struct {
	c *clip
	t int
}

func (s *clipStream) Next() (media.Chunk, error) {
	out := media.Chunk{At: time.Duration(s.t) * time.Second}
	if s.t < len(s.c.frames) {
		out.Frame = s.c.frames[s.t]
	}
	if from := s.t * media.SampleRate; from < len(s.c.sound) {
		out.Sound = s.c.sound[from:min(len(s.c.sound), from+media.SampleRate)]
	}
	s.t++
	if out.Frame == nil && out.Sound == nil {
		return out, io.EOF
	}
	return out, nil
}

func (s *clipStream) Close() error { return nil }

func randomFrames(rng *rand.Rand, n int) (out []*media.Image) {
	for range n {
		img := media.NewImage(64, 36)
		c := rng.Uint32()
		for i := range img.Pix {
			img.Pix[i] = byte(c>>(i%3*8)) ^ byte(rng.Uint32()&31)
		}
		out = append(out, img)
	}
	return out
}

func randomSound(rng *rand.Rand, seconds float64) []float32 {
	out := make([]float32, int(seconds*media.SampleRate))
	f := 0.0
	for i := range out {
		if i%4000 == 0 {
			f = 100 + 3000*rng.Float64()
		}
		out[i] = float32(0.3*math.Sin(2*math.Pi*f*float64(i)/media.SampleRate) + 0.01*rng.NormFloat64())
	}
	return out
}

func TestReadFilm(t *testing.T) {
	m := openSensing(t)
	rng := rand.New(rand.NewPCG(1, 2))
	film := &clip{frames: randomFrames(rng, 200), sound: randomSound(rng, 200)}
	dir := filepath.Join(t.TempDir(), "stored")
	c, err := engine.OpenContext(m, dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parts := []media.Part{{Source: "note", Text: []byte("a note\n")}, film.part("film")}
	told := time.Duration(0)
	if err := c.Read(context.Background(), parts, func(p engine.Progress) { told = max(told, p.At) }); err != nil {
		t.Fatal(err)
	}
	if told < 190*time.Second {
		t.Errorf("progress came to %s of 200 s", told)
	}
	s := c.Sources()
	if len(s) != 2 || s[1].Kind != "film" || s[1].Seen != 200*15 || s[1].Heard != 200*25 || s[1].Length < 199*time.Second {
		t.Fatalf("sources %+v", s)
	}
	ans, err := c.Ask(context.Background(), "What is the secret keyword?")
	if err != nil {
		t.Fatal(err)
	}
	if len(ans.Evidence) == 0 && ans.Found {
		t.Error("an answer without evidence")
	}
	view := engine.View(c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	// Opened again, it is the same and costs no reading.
	if c, err = engine.OpenContext(m, dir, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	parts[1].Open = func(context.Context) (media.Stream, error) { return nil, errors.New("opened again") }
	if err := c.Read(context.Background(), parts, nil); err != nil {
		t.Fatal(err)
	}
	if again := c.Sources(); again[1] != s[1] || engine.View(c).Len() != view.Len() {
		t.Errorf("stored %+v, read %+v", again, s)
	}
}

// TestFilmAcrossWorkers checks that entries do not depend on the number of workers.
func TestFilmAcrossWorkers(t *testing.T) {
	m := openSensing(t)
	rng := rand.New(rand.NewPCG(3, 4))
	film := &clip{frames: randomFrames(rng, 150), sound: randomSound(rng, 150)}
	var want string
	for _, workers := range []int{1, 3} {
		c := engine.NewContext(m, engine.Options{Workers: workers})
		if err := c.Read(context.Background(), []media.Part{film.part("film")}, nil); err != nil {
			t.Fatal(err)
		}
		got := engine.Dump(c)
		if want == "" {
			want = got
		} else if got != want {
			t.Error("entries differ")
		}
	}
}

func TestSpliceFilm(t *testing.T) {
	m := openSensing(t)
	rng := rand.New(rand.NewPCG(5, 6))
	film := &clip{frames: randomFrames(rng, 150)}
	c := engine.NewContext(m, engine.Options{})
	if err := c.Read(context.Background(), []media.Part{film.part("film")}, nil); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{70, 3, 118} {
		const length = 120
		fresh := randomFrames(rng, 1)[0]
		lead, tail := min(at, 24), min(length-at-1, 16)
		stretch := &clip{}
		stretch.frames = append(append(append(stretch.frames, film.frames[at-lead:at]...), fresh), film.frames[at+1:at+1+tail]...)
		got, err := c.SpliceMedium(context.Background(), "film", length*time.Second, engine.Cut{
			At: time.Duration(at) * time.Second, Stretch: stretch.part("stretch"),
			Lead: time.Duration(lead) * time.Second, Tail: time.Duration(tail) * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		whole := &clip{frames: append([]*media.Image(nil), film.frames[:length]...)}
		whole.frames[at] = fresh
		want := engine.NewContext(m, engine.Options{})
		if err := want.Read(context.Background(), []media.Part{whole.part("film")}, nil); err != nil {
			t.Fatal(err)
		}
		if a, b := string(got.Text(0, 1<<30)), string(want.Text(0, 1<<30)); a != b {
			t.Errorf("at %d: text %q, want %q", at, a, b)
		}
		compareSensed(t, fmt.Sprint("at ", at), got, want)
	}
}

func TestSpliceSound(t *testing.T) {
	m := openSensing(t)
	rng := rand.New(rand.NewPCG(7, 8))
	sound := &clip{sound: randomSound(rng, 120)}
	c := engine.NewContext(m, engine.Options{})
	if err := c.Read(context.Background(), []media.Part{sound.part("sound")}, nil); err != nil {
		t.Fatal(err)
	}
	const at, length = 60, 100
	needle := randomSound(rng, 3.2)
	const r = media.SampleRate
	stretch := &clip{sound: append(append(append([]float32(nil), sound.sound[(at-24)*r:at*r]...), needle...), sound.sound[at*r:(at+16)*r]...)}
	got, err := c.SpliceMedium(context.Background(), "sound", length*time.Second, engine.Cut{
		At: at * time.Second, Stretch: stretch.part("stretch"), Lead: 24 * time.Second, Tail: 16 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	whole := &clip{sound: append(append(append([]float32(nil), sound.sound[:at*r]...), needle...), sound.sound[at*r:length*r]...)}
	want := engine.NewContext(m, engine.Options{})
	if err := want.Read(context.Background(), []media.Part{whole.part("sound")}, nil); err != nil {
		t.Fatal(err)
	}
	compareSensed(t, "sound", got, want)
	if d := got.Sources()[0].Length - want.Sources()[0].Length; d.Abs() > 100*time.Millisecond {
		t.Errorf("%s long, want %s", got.Sources()[0].Length, want.Sources()[0].Length)
	}
}

// The sound of a film is replaced, not put in: what follows stays where it is.
func TestSpliceFilmWithSound(t *testing.T) {
	m := openSensing(t)
	rng := rand.New(rand.NewPCG(9, 10))
	film := &clip{frames: randomFrames(rng, 120), sound: randomSound(rng, 120)}
	c := engine.NewContext(m, engine.Options{})
	if err := c.Read(context.Background(), []media.Part{film.part("film")}, nil); err != nil {
		t.Fatal(err)
	}
	const at, for1, length, r = 50, 3, 100, media.SampleRate
	changed := func(from, to int) *clip {
		return &clip{frames: slices.Clone(film.frames[from:to]), sound: slices.Clone(film.sound[from*r : to*r])}
	}
	stretch, whole := changed(at-24, at+for1+16), changed(0, length)
	needle := randomSound(rng, for1)
	copy(stretch.sound[24*r:], needle)
	copy(whole.sound[at*r:], needle)
	got, err := c.SpliceMedium(context.Background(), "film", length*time.Second, engine.Cut{
		At: at * time.Second, Stretch: stretch.part("stretch"), Lead: 24 * time.Second, Tail: 16 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := engine.NewContext(m, engine.Options{})
	if err := want.Read(context.Background(), []media.Part{whole.part("film")}, nil); err != nil {
		t.Fatal(err)
	}
	compareSensed(t, "film with sound", got, want)
	a, b := engine.SensedKeys(got), engine.SensedKeys(c)
	if len(a) >= len(b) || slices.Equal(a, b[:len(a)]) {
		t.Error("nothing has changed")
	}
}

// compareSensed compares entries of frames and sound, which rounding may move a
// little: a splice stands at other positions.
func compareSensed(t *testing.T, name string, got, want *engine.Context) {
	t.Helper()
	a, b := engine.SensedKeys(got), engine.SensedKeys(want)
	if len(a) != len(b) {
		t.Fatalf("%s: %d components, want %d", name, len(a), len(b))
	}
	bad := 0
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 0.02 {
			bad++
		}
	}
	if bad > len(a)/1000 {
		t.Errorf("%s: %d of %d components of keys differ", name, bad, len(a))
	}
}

func TestSensesErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	film := &clip{frames: randomFrames(rng, 2)}
	c := engine.NewContext(openTiny(t), engine.Options{})
	var sense *engine.SenseError
	if err := c.Read(context.Background(), []media.Part{film.part("film")}, nil); !errors.As(err, &sense) {
		t.Errorf("a film for a model that reads text: %v", err)
	}
	m := openSensing(t)
	c = engine.NewContext(m, engine.Options{})
	empty := (&clip{}).part("empty")
	if err := c.Read(context.Background(), []media.Part{empty}, nil); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty recording: %v", err)
	}
	broken := film.part("broken")
	broken.Open = func(context.Context) (media.Stream, error) { return &brokenStream{}, nil }
	if err := c.Read(context.Background(), []media.Part{broken}, nil); err == nil || !strings.Contains(err.Error(), "broken: it broke") {
		t.Errorf("a broken film: %v", err)
	}
	if len(c.Sources()) != 0 {
		t.Errorf("something was kept: %+v", c.Sources())
	}
	// A film is read after a failure, and replaced only if one says so.
	if err := c.Read(context.Background(), []media.Part{film.part("film")}, nil); err != nil {
		t.Fatal(err)
	}
	film.frames = append(film.frames, film.frames...)
	var changed *engine.ChangedError
	if err := c.Read(context.Background(), []media.Part{film.part("film")}, nil); !errors.As(err, &changed) {
		t.Errorf("a changed film: %v", err)
	}
	r := engine.NewContext(m, engine.Options{Replace: true})
	for range 2 {
		if err := r.Read(context.Background(), []media.Part{film.part("film")}, nil); err != nil {
			t.Fatal(err)
		}
		film.frames = film.frames[:3]
	}
	if s := r.Sources(); len(s) != 1 || s[0].Seen != 3*15 {
		t.Errorf("replaced: %+v", s)
	}
}

type brokenStream struct{}

func (*brokenStream) Next() (media.Chunk, error) { return media.Chunk{}, errors.New("it broke") }
func (*brokenStream) Close() error               { return nil }
