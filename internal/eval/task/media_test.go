package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/render"
	"github.com/handscroll/handscroll/internal/speech"
)

// watcher compares what cuts show with what it has seen and heard, and answers every
// question with the time of the first difference.
type watcher struct {
	frames map[string][][]byte
	sound  map[string][]float32
	at     time.Duration
	none   bool
}

func (w *watcher) ID() string                       { return "watcher" }
func (w *watcher) Words() []string                  { return []string{"emulation", "redeeming", "the", "tower"} }
func (w *watcher) Open(string) (eval.Scroll, error) { return w, nil }
func (w *watcher) Close() error                     { return nil }
func (w *watcher) Tokens() int                      { return 0 }
func (w *watcher) Text(int, int) []byte             { return nil }
func (w *watcher) Boundary(at int) int              { return at }
func (w *watcher) Sources() []handscroll.Source     { return nil }
func (w *watcher) Splice(context.Context, int, ...handscroll.Insert) (eval.Scroll, error) {
	return w, nil
}

// pieces takes a part to pieces.
func pieces(ctx context.Context, p handscroll.Part) (frames [][]byte, sound []float32, err error) {
	s, err := p.Stream(ctx)
	if err != nil {
		return nil, nil, err
	}
	for {
		c, err := s.Next()
		if errors.Is(err, io.EOF) {
			return frames, sound, s.Close()
		}
		if err != nil {
			return nil, nil, err
		}
		if c.Frame != nil {
			if c.At != time.Duration(len(frames))*time.Second {
				return nil, nil, errors.New("frames are not a second apart")
			}
			frames = append(frames, bytes.Clone(c.Frame.Pix))
		}
		sound = append(sound, c.Sound...)
	}
}

func (w *watcher) Read(ctx context.Context, parts []handscroll.Part, _ func(handscroll.Progress)) error {
	for _, p := range parts {
		if p.Kind() == handscroll.Text {
			continue
		}
		var err error
		if w.frames[p.Source], w.sound[p.Source], err = pieces(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *watcher) SpliceMedium(ctx context.Context, source string, length time.Duration, cuts ...handscroll.Cut) (eval.Scroll, error) {
	out := &watcher{none: true}
	for _, cut := range cuts {
		frames, sound, err := pieces(ctx, cut.Stretch)
		if err != nil {
			return nil, err
		}
		if cut.At > length || cut.Lead > handscroll.CutLead || cut.Tail > handscroll.CutTail ||
			cut.Lead < handscroll.CutLead && cut.Lead != cut.At {
			return nil, errors.New("the cut's surroundings are wrong")
		}
		begin := int((cut.At - cut.Lead) / time.Second)
		for i, f := range frames {
			if !bytes.Equal(f, w.frames[source][begin+i]) {
				if out.none {
					out.at, out.none = time.Duration(begin+i)*time.Second, false
					continue
				}
				return nil, errors.New("more than one frame differs")
			}
		}
		if len(frames) == 0 {
			out.at, out.none = cut.At+cut.Stretch.Length()-cut.Lead-cut.Tail-time.Second/4, false
			from, lead := samples(cut.At-cut.Lead), samples(cut.Lead)
			if !reflect.DeepEqual(sound[:lead], w.sound[source][from:from+lead]) {
				return nil, errors.New("the lead is not what stands before")
			}
			from, tail := samples(cut.At), samples(cut.Tail)
			if !reflect.DeepEqual(sound[len(sound)-tail:], w.sound[source][from:from+tail]) {
				return nil, errors.New("the tail is not what stands after")
			}
		}
	}
	return out, nil
}

func samples(d time.Duration) int { return int(d * samplesASecond / time.Second) }

func (w *watcher) Ask(context.Context, string) (*handscroll.Answer, error) {
	return &handscroll.Answer{
		Text: clock(int(w.at / time.Second)), Found: !w.none,
		Evidence: []handscroll.Evidence{{Source: "film", Time: w.at, Timed: true}},
	}, nil
}

func newWatcher() *watcher {
	return &watcher{frames: map[string][][]byte{}, sound: map[string][]float32{}}
}

func fonts(t *testing.T) *render.Fonts {
	t.Helper()
	f, err := LoadFonts()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestVideoNeedleIsOneFrame(t *testing.T) {
	v := &Video{
		Fonts: fonts(t), Lengths: []time.Duration{20 * time.Second, 60 * time.Second}, Grid: eval.Grid{Depths: []float64{0, 50, 100}, Trials: 2},
		Letters: []Letters{{0.1, 0.2}, {0.05, 0.1}}, Words: []string{"tower", "lantern", "orchard", "bridge", "mountain", "harbour", "village"},
	}
	var err error
	if v.Film, err = GenerateFootage(1, 60, v.Fonts, nil); err != nil {
		t.Fatal(err)
	}
	s, err := eval.Observe(context.Background(), newWatcher(), v, 1, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Groups) != 4 {
		t.Fatalf("%d groups, want 2 of words and 2 of times", len(s.Groups))
	}
	for _, g := range s.Groups {
		exact := 0
		if strings.HasPrefix(g.Name, "when") {
			exact = 12
		}
		if g.Found.OK != 12 || g.Found.Trials != 12 || g.Exact.OK != exact {
			t.Errorf("%s: found %d of %d, exact %d", g.Name, g.Found.OK, g.Found.Trials, g.Exact.OK)
		}
	}
}

// needSpeech skips a test where nothing can be said.
func needSpeech(t *testing.T) {
	t.Helper()
	sp, err := speech.Start(context.Background())
	if errors.Is(err, speech.ErrMissing) {
		t.Skip("no speech synthesiser: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	sp.Close()
}

// bursts is a recording of half a second of noise in each second.
func bursts(seconds int) handscroll.Part {
	pcm := make([]float32, seconds*samplesASecond)
	for i := range pcm {
		if i%samplesASecond < samplesASecond/2 {
			pcm[i] = float32(math.Sin(float64(i) * float64(i%977)))
		}
	}
	return soundPart("bursts", "1", piece{pcm: pcm, n: int64(len(pcm))})
}

func TestTapesAreCutWhereTheyAreQuiet(t *testing.T) {
	s, err := OpenRecordings(context.Background(), "bursts", []handscroll.Part{bursts(7)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tape, err := s.tape(context.Background(), "", 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tape.Close()
	if tape.samples%grain != 0 {
		t.Errorf("%d samples", tape.samples)
	}
	for _, near := range []int64{0, 16000, 20_000, 3*16000 + 7, 31 * 16000} {
		at, err := tape.quiet(near, 16000, 32*16000)
		if err != nil {
			t.Fatal(err)
		}
		around := make([]float32, grain)
		if at%grain != 0 || at < near-16000 || at > near+16000 {
			t.Errorf("near %d: %d", near, at)
		}
		if err := tape.read(around, at); err != nil {
			t.Fatal(err)
		}
		for _, v := range around {
			if v != 0 {
				t.Fatalf("near %d: not quiet at %d", near, at)
			}
		}
	}
	again := make([]float32, 100)
	first := make([]float32, 100)
	if err := errors.Join(tape.read(first, 50), tape.read(again, 50+3*tape.samples)); err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("a tape does not begin again: %v", err)
	}
}

func TestAudioNeedleStandsBetweenUtterances(t *testing.T) {
	needSpeech(t)
	var err error
	a := &Audio{Lengths: []time.Duration{30 * time.Second, time.Minute}, Grid: eval.Grid{Depths: []float64{0, 50, 100}, Trials: 2}}
	text := "The miller carried the lantern to the old bridge. Nobody in the village remembered the painter."
	if a.Speech, err = NewSpeech("a text", 1, []string{text}); err != nil {
		t.Fatal(err)
	}
	s, err := eval.Observe(context.Background(), newWatcher(), a, 1, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if g := s.Groups[0]; g.Found.OK != 12 || g.Exact.OK != 0 {
		t.Errorf("%+v", g)
	}
	k, err := newKeywordSpeaker(context.Background(), []string{"emulation", "redeeming"})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if !k.alike("en-us+f4", "flour", "flower") || k.alike("en-us+f4", "flour", "floor") {
		t.Error("homophones are not told from others")
	}
}

func TestAudioNeedsEars(t *testing.T) {
	if _, err := newKeywordSpeaker(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "no ears") {
		t.Errorf("%v", err)
	}
}

// A synthesiser that is missing is an error of Prepare; Close comes after it all the same.
func TestSpeechNeedsASynthesiser(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", t.TempDir())
	m := &Mixed{Fonts: fonts(t), Letters: Letters{0.1, 0.2}, Length: 5 * time.Minute, Trials: 1}
	var err error
	if m.Film, err = GenerateFootage(1, 10, m.Fonts, nil); err != nil {
		t.Fatal(err)
	}
	if m.Speech, err = NewSpeech("a text", 1, []string{"The miller carried the lantern to the old bridge."}); err != nil {
		t.Fatal(err)
	}
	if err := m.Prepare(context.Background(), newWatcher(), t.TempDir(), func(eval.Status) {}); !errors.Is(err, speech.ErrMissing) {
		t.Errorf("prepared: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestFootageRepeatsAndSaysWhatItLacks(t *testing.T) {
	clip := handscroll.Medium("clip", "1", handscroll.Film, 0, func(context.Context) (handscroll.Stream, error) {
		g, err := GenerateFootage(3, 4, fonts(t), nil)
		return &screening{f: g, to: 4}, err
	})
	f, err := OpenFootage(context.Background(), "clip", []handscroll.Part{clip, {Source: "text", Text: []byte("no film")}})
	if err != nil {
		t.Fatal(err)
	}
	a, errA := f.Frame(1)
	b, errB := f.Frame(9)
	if errA != nil || errB != nil || !bytes.Equal(a.Pix, b.Pix) {
		t.Errorf("second 9 is not second 1: %v, %v", errA, errB)
	}
	name := f.(*reel).file.Name()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the reel is still there")
	}
	if _, err := OpenFootage(context.Background(), "text", []handscroll.Part{{Source: "text", Text: []byte("no film")}}); err == nil {
		t.Error("text was taken for a film")
	}
}

func TestContestAsksForTheCards(t *testing.T) {
	c := &Contest{Fonts: fonts(t), Length: 2 * time.Minute, Contests: 1}
	if err := c.Prepare(context.Background(), newWatcher(), "", nil); err != nil {
		t.Fatal(err)
	}
	_, queries, err := c.Scene(context.Background(), rng(1), 0, func(eval.Status) {})
	if err != nil || len(queries) != 2 {
		t.Fatalf("%d questions: %v", len(queries), err)
	}
	f := queries[0].Finding
	f.Answer, f.Time = strings.ToUpper(f.Expected)+" did", f.From
	if queries[0].Judge(nil, &f); !f.Exact || !f.Found {
		t.Errorf("right: %+v", f)
	}
	f.Time = f.To + 1
	if queries[0].Judge(nil, &f); f.Exact || f.Found {
		t.Errorf("the right name at another time: %+v", f)
	}
}

func TestSightChoosesBetweenOneThatIsThereAndOneThatIsNot(t *testing.T) {
	s := &Sight{Fonts: fonts(t), Length: 5 * time.Minute, Films: 1}
	if err := s.Prepare(context.Background(), &idle{}, "", nil); err != nil {
		t.Fatal(err)
	}
	_, queries, err := s.Scene(context.Background(), rng(1), 0, func(eval.Status) {})
	if _, n := s.Size(); err != nil || len(queries) != n {
		t.Fatalf("%d questions, want %d: %v", len(queries), n, err)
	}
	for _, q := range queries {
		f := q.Finding
		if !strings.Contains(f.Question, f.Expected) && f.Group != "when" {
			t.Errorf("%q does not offer %q", f.Question, f.Expected)
		}
		f.Answer, f.Time = f.Expected, f.To
		if q.Judge(nil, &f); !f.Found || !f.Exact {
			t.Errorf("right: %+v", f)
		}
		f.Answer, f.Time = f.Question, f.To+1
		if q.Judge(nil, &f); f.Found || f.Exact {
			t.Errorf("both named: %+v", f)
		}
	}
	s.Length = time.Minute
	if _, _, err := s.Scene(context.Background(), rng(1), 0, func(eval.Status) {}); err == nil {
		t.Error("24 objects in a minute")
	}
}

// idle reads nothing.
type idle struct{ watcher }

func (i *idle) Open(string) (eval.Scroll, error) { return i, nil }

func (*idle) Read(context.Context, []handscroll.Part, func(handscroll.Progress)) error { return nil }

// blended is a watcher with a book and code before the film.
type blended struct {
	*watcher
	texts []handscroll.Insert
}

func (b *blended) Open(string) (eval.Scroll, error) { return b, nil }
func (b *blended) Sources() []handscroll.Source {
	return []handscroll.Source{{Name: bookSource, Tokens: 500}, {Name: codeSource, Tokens: 200}, {Name: filmSource, Tokens: 900}}
}
func (b *blended) Splice(_ context.Context, length int, ins ...handscroll.Insert) (eval.Scroll, error) {
	if length != 1600 || len(ins) != 2 || ins[0].At > 500 || ins[1].At < 500 || ins[1].At > 700 {
		return nil, fmt.Errorf("%d tokens with %+v", length, ins)
	}
	return &blended{b.watcher, ins}, nil
}

func TestMixedHidesOneOfEachKind(t *testing.T) {
	needSpeech(t)
	var err error
	text := "The miller carried the lantern to the old bridge. Nobody in the village remembered the painter."
	m := &Mixed{
		Book: []byte(text), Code: []byte("package code\n"), Fonts: fonts(t), Letters: Letters{0.1, 0.2}, Length: 5 * time.Minute, Trials: 1,
		Words: []string{"tower", "lantern", "orchard", "bridge", "mountain", "harbour", "village"},
	}
	if m.Film, err = GenerateFootage(1, 10, m.Fonts, nil); err != nil {
		t.Fatal(err)
	}
	if m.Speech, err = NewSpeech("a text", 1, []string{text}); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	w := &blended{watcher: newWatcher()}
	if err := m.Prepare(context.Background(), w, t.TempDir(), func(eval.Status) {}); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) {
		c, queries, err := m.Scene(context.Background(), rng(seed), 0, func(eval.Status) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, n := m.Size(); len(queries) != n {
			t.Fatalf("%d questions, want %d", len(queries), n)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for i, group := range []string{"text", "code", "video", "audio"} {
			f := queries[i].Finding
			if f.Group != group || f.Length != 300 || f.Depth < 0 || f.Depth > 100 {
				t.Errorf("question %d: %+v", i, f)
			}
			f.Answer, f.Time = f.Expected, f.From
			if queries[i].Judge(&handscroll.Answer{Text: f.Expected, Found: true}, &f); !f.Found || !f.Exact {
				t.Errorf("%s, right: %+v", group, f)
			}
			f.Answer, f.Time = "something else", f.To+30
			if queries[i].Judge(&handscroll.Answer{Text: f.Answer, Found: true}, &f); f.Found || f.Exact {
				t.Errorf("%s, wrong: %+v", group, f)
			}
		}
	}
	m.Length = 3 * time.Minute
	if _, _, err := m.Scene(context.Background(), rng(1), 0, func(eval.Status) {}); err == nil {
		t.Error("two needles in three minutes of film")
	}
}

func TestNamesTime(t *testing.T) {
	for text, want := range map[string]bool{"01:05": true, "at 1:05.": true, "0:01:05": true, "101:05": false, "01:06": false, "105": false, "film@01:05": true} {
		if got := namesTime(text, 64, 65); got != want {
			t.Errorf("%q names 64 to 65 s: %v", text, got)
		}
	}
}

func TestErrorsAreCounted(t *testing.T) {
	words := strings.Fields
	if d := distance(words("a b d e"), words("a b c d")); d != 2 {
		t.Errorf("distance %d, want 2", d)
	}
	for _, c := range []struct {
		got, want string
		edits     int
	}{{"two one", "one two", 0}, {"onx two", "two one", 1}, {"one", "one two", 3}, {"xyz one", "one", 3}, {"", "", 0}} {
		if got := misread(words(c.got), words(c.want)); got != c.edits {
			t.Errorf("%q for %q: %d edits, want %d", c.got, c.want, got, c.edits)
		}
	}
}
