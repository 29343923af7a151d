package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/render"
	"github.com/handscroll/handscroll/internal/tensor"
)

// ScenesRecipe is how the eyes for scenes are trained: on short films with objects
// that questions ask for.
type ScenesRecipe struct {
	Model     encoder.ScenesConfig `yaml:"model"`
	Films     int                  `yaml:"films"`     // a step
	Seconds   int                  `yaml:"seconds"`   // of a film, a frame each
	Objects   int                  `yaml:"objects"`   // in a film, at most
	Questions int                  `yaml:"questions"` // about a film, at most
	Absent    float64              `yaml:"absent"`    // share that has no answer
	Clips     []string             `yaml:"clips"`     // pictures and films for backgrounds
}

type seeingSense struct {
	r     *SenseRecipe
	m     *encoder.Seeing
	base  *model.Native
	clips []*media.Image
}

func newSeeing(r *SenseRecipe, base *model.Native, log func(string)) (*seeingSense, error) {
	c := &r.Scenes
	if c.Films < 1 || c.Seconds < 16 || c.Objects < 1 || c.Questions < 1 {
		return nil, fmt.Errorf("train: scenes: %d films of %d seconds with %d objects and %d questions: want at least 1, 16, 1 and 1", c.Films, c.Seconds, c.Objects, c.Questions)
	}
	c.Model.Layer.Balance, c.Model.Layer.Z = r.Router.Balance, r.Router.Z
	m, err := encoder.NewSeeing(encoder.SeeingConfig{Width: base.Config.Width, Scenes: c.Model}, r.precision)
	if err != nil {
		return nil, err
	}
	clips, err := frames(c.Clips)
	if err != nil {
		return nil, err
	}
	log(fmt.Sprintf("scenes: %d pictures for backgrounds", len(clips)))
	return &seeingSense{r: r, m: m, base: base, clips: clips}, nil
}

func (s *seeingSense) params() *nn.Params                         { return &s.m.Params }
func (s *seeingSense) threshold() *float32                        { return &s.m.Threshold }
func (s *seeingSense) matrices() []*nn.Matrix                     { return s.m.Matrices }
func (s *seeingSense) layers() []*nn.SelfLayer                    { return s.m.Scenes.Layers }
func (s *seeingSense) batch(int) int                              { return s.r.Scenes.Films }
func (s *seeingSense) write(w *gguf.Writer, d tensor.DType) error { s.m.Write(w, d); return nil }

func (s *seeingSense) load(f *gguf.File) (err error) {
	if s.m, err = encoder.LoadSeeing(f, s.r.precision, true); err == nil {
		s.r.route(s.m.Scenes.Layers)
	}
	return err
}

func (s *seeingSense) example(w *worker, step, index int, t *tallies) {
	c, flat := &s.r.Scenes, s.m.Params.Data
	rng := rand.New(rand.NewPCG(s.r.Seed, uint64(step)<<16|uint64(index)+3))
	film := s.film(rng)
	pix := make([]byte, 0, c.Seconds*encoder.SceneW*encoder.SceneH*3)
	shown := make([][]render.Object, c.Seconds)
	for at := range c.Seconds {
		scene := film.Frame(at)
		pix = append(pix, scene.Image.Pix...)
		shown[at] = scene.Objects
	}
	sc := &w.scratch
	var act encoder.ScenesAct
	k := s.m.Scenes.Forward(sc, flat, pix, c.Seconds, &act)
	t.routed(s.m.Scenes.Layers, act.Layers)
	dk := sc.Zeros(len(k))
	if qs := s.questions(rng, film); len(qs) > 0 {
		askPlaces(w, s.base, s.m.Ask, flat, qs, dk, k, c.Seconds*encoder.Patches, 1/float32(c.Films), t)
	}
	logits := s.m.Scenes.LabelLogits(sc, flat, &act)
	labelObjects(logits, shown, 1/float32(c.Films), t)
	s.m.Scenes.Backward(sc, flat, w.grad, dk, logits, &act)
}

// labelObjects turns logits of patches into the gradient of what they show.
func labelObjects(logits []float32, shown [][]render.Object, weight float32, t *tallies) {
	classes, names := 0, []string{"shape", "colour", "motion"}
	for _, n := range encoder.Labels {
		classes += n
	}
	patches := len(shown) * encoder.Patches
	targets := make([][]int32, len(encoder.Labels))
	for i := range targets {
		targets[i] = make([]int32, patches)
	}
	objects := 0
	for at, list := range shown {
		for _, o := range list {
			x, y := int(o.X)*encoder.PatchesW/encoder.SceneW, int(o.Y)*encoder.PatchesH/encoder.SceneH
			if x < 0 || y < 0 || x >= encoder.PatchesW || y >= encoder.PatchesH {
				continue
			}
			i := at*encoder.Patches + y*encoder.PatchesW + x
			for j, v := range []int{slices.Index(render.Shapes, o.Shape), slices.Index(render.Colours, o.Colour), slices.Index(render.Motions, o.Motion)} {
				targets[j][i] = int32(v + 1)
			}
			objects++
		}
	}
	weights := make([]float32, patches)
	from := 0
	for j, n := range encoder.Labels {
		part := make([]float32, patches*n)
		for i := range patches {
			copy(part[i*n:(i+1)*n], logits[i*classes+from:])
			weights[i] = weight / float32(max(objects, 1))
			if targets[j][i] == 0 {
				weights[i] *= 0.2
			} else {
				hit := 0.0
				if best(part[i*n:(i+1)*n]) == int(targets[j][i]) {
					hit = 1
				}
				t.add(names[j], hit, 1)
			}
		}
		nn.Classify(part, n, targets[j], weights, true)
		for i := range patches {
			copy(logits[i*classes+from:], part[i*n:(i+1)*n])
		}
		from += n
	}
}

// film makes a film with objects in it, among designs of other kinds.
func (s *seeingSense) film(rng *rand.Rand) *render.Film {
	c := &s.r.Scenes
	var events []render.Event
	crowd := 1 + rng.IntN(8)
	for at := rng.IntN(4); len(events) < c.Objects; {
		n := 3 + rng.IntN(4)
		if at+n > c.Seconds {
			break
		}
		o := render.NewObject(rng, encoder.SceneW, encoder.SceneH, n)
		// Look-alikes: what differs from another object in one respect.
		if len(events) > 0 && rng.IntN(2) == 0 {
			other := events[rng.IntN(len(events))].Design.(render.Object)
			switch rng.IntN(3) {
			case 0:
				o.Shape = other.Shape
			case 1:
				o.Colour = other.Colour
			default:
				o.Shape, o.Colour = other.Shape, other.Colour
			}
		}
		events = append(events, render.Event{At: at, For: n, Design: o})
		at += rng.IntN(crowd) // mostly several at once: each teaches
	}
	f, err := render.NewFilm(rng.Uint64(), c.Seconds, render.FilmOptions{
		Options: render.Options{Frames: s.clips}, W: encoder.SceneW, H: encoder.SceneH, Events: events, PerMinute: 4 * rng.Float32(),
	})
	if err != nil {
		panic(err) // the arguments are ours
	}
	return f
}

// want is what a question asks for: empty fields are open.
type want struct{ shape, colour, motion string }

func (d want) fits(o render.Object) bool {
	return (d.shape == "" || d.shape == o.Shape) && (d.colour == "" || d.colour == o.Colour) && (d.motion == "" || d.motion == o.Motion)
}

var objectQuestions = []string{
	"When does {D} appear?", "When does {D} appear?", "When is {D} seen?", "At what time does {D} appear?", "When can {D} be seen?",
	"Is there {D}?", "Does {D} appear?", "Where is {D}?", "Which second shows {D}?", "Find {D}.", "When do we see {D}?", "When is there {D}?",
	"At what moment is {D} shown?", "Show me {D}.",
}

// ask words the question.
func (d want) ask(rng *rand.Rand) string {
	noun := d.shape
	if noun == "" {
		noun = []string{"object", "shape", "thing"}[rng.IntN(3)]
	}
	words := []string{noun}
	if d.colour != "" {
		words = []string{d.colour, noun}
	}
	article := []string{"a", "a", "the"}[rng.IntN(3)]
	if article == "a" && strings.ContainsRune("aeiou", rune(words[0][0])) {
		article = "an"
	}
	phrase := article + " " + strings.Join(words, " ")
	if d.motion != "" {
		phrase += " " + d.motion
	}
	return strings.Replace(objectQuestions[rng.IntN(len(objectQuestions))], "{D}", phrase, 1)
}

// questions asks for objects that one description fits alone, and for others that
// are not there but for one respect.
func (s *seeingSense) questions(rng *rand.Rand, film *render.Film) []asked {
	var objects []render.Object
	var events []render.Event
	for _, e := range film.Events() {
		if o, ok := e.Design.(render.Object); ok {
			objects, events = append(objects, o), append(events, e)
		}
	}
	count := func(d want) (n, last int) {
		for i, o := range objects {
			if d.fits(o) {
				n, last = n+1, i
			}
		}
		return n, last
	}
	var out []asked
	for range 3 * s.r.Scenes.Questions {
		if len(out) == s.r.Scenes.Questions || len(objects) == 0 {
			break
		}
		o := objects[rng.IntN(len(objects))]
		d := want{o.Shape, o.Colour, ""}
		switch rng.IntN(6) {
		case 0:
			d.colour = ""
		case 1:
			d.shape = ""
		case 2, 3:
			if o.Motion != "still" {
				d.motion = o.Motion
				if rng.IntN(3) == 0 {
					d.colour = ""
				}
			}
		}
		if rng.Float64() < s.r.Scenes.Absent {
			switch {
			case d.motion != "" && rng.IntN(2) == 0:
				d.motion = render.Motions[1+rng.IntN(len(render.Motions)-1)]
			case d.shape != "" && rng.IntN(2) == 0:
				d.shape = render.Shapes[rng.IntN(len(render.Shapes))]
			case d.colour != "":
				d.colour = render.Colours[rng.IntN(len(render.Colours))]
			}
		}
		switch n, i := count(d); n {
		case 0:
			out = append(out, asked{d.ask(rng), nil})
		case 1:
			e := events[i]
			out = append(out, asked{d.ask(rng), nn.Target{{int32(e.At * encoder.Patches), int32((e.At + e.For) * encoder.Patches)}}})
		}
	}
	if rng.IntN(3) == 0 {
		out = append(out, asked{otherQuestion(rng), nil})
	}
	return out
}
