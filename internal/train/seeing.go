package train

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/render"
	"github.com/handscroll/handscroll/internal/tensor"
)

// ScenesRecipe is how the eyes for scenes are trained: on short films with objects.
type ScenesRecipe struct {
	Model   encoder.ScenesConfig `yaml:"model"`
	Films   int                  `yaml:"films"`   // a step
	Seconds int                  `yaml:"seconds"` // of a film, a frame each
	Objects int                  `yaml:"objects"` // in a film, at most
	Clips   []string             `yaml:"clips"`   // pictures and films for backgrounds
}

type seeingSense struct {
	r     *SenseRecipe
	m     *encoder.Seeing
	clips []*media.Image
}

func newSeeing(r *SenseRecipe, log func(string)) (*seeingSense, error) {
	c := &r.Scenes
	if c.Films < 1 || c.Seconds < 16 || c.Objects < 1 {
		return nil, fmt.Errorf("train: scenes: %d films of %d seconds with %d objects: want at least 1, 16 and 1", c.Films, c.Seconds, c.Objects)
	}
	c.Model.Layer.Balance, c.Model.Layer.Z = r.Router.Balance, r.Router.Z
	c.Model.Labels = labels
	m, err := encoder.NewSeeing(c.Model, r.precision)
	if err != nil {
		return nil, err
	}
	clips, err := frames(c.Clips)
	if err != nil {
		return nil, err
	}
	log(fmt.Sprintf("scenes: %d pictures for backgrounds", len(clips)))
	return &seeingSense{r: r, m: m, clips: clips}, nil
}

func (s *seeingSense) params() *nn.Params                         { return &s.m.Params }
func (s *seeingSense) threshold() *float32                        { return nil }
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
	v := s.m.Scenes.Forward(sc, flat, pix, c.Seconds, &act)
	t.routed(s.m.Scenes.Layers, act.Layers)
	logits := s.m.Scenes.LabelLogits(sc, flat, v)
	labelObjects(logits, shown, 1/float32(c.Films), t)
	dv := sc.Floats(len(v))
	s.m.Scenes.LabelsBackward(sc, w.grad, dv, logits, v)
	s.m.Scenes.Backward(sc, flat, w.grad, dv, &act)
}

// labels are what objects are told apart by.
var labels = [][]string{render.Shapes, render.Colours, render.Motions}

// labelObjects turns logits of patches into the gradient of what they show.
func labelObjects(logits []float32, shown [][]render.Object, weight float32, t *tallies) {
	names := []string{"shape", "colour", "motion"}
	patches := len(shown) * encoder.Patches
	classes := len(logits) / patches
	targets := make([][]int32, len(labels))
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
			for j, name := range []string{o.Shape, o.Colour, o.Motion} {
				targets[j][i] = int32(slices.Index(labels[j], name) + 1)
			}
			objects++
		}
	}
	weights := make([]float32, patches)
	from := 0
	for j, list := range labels {
		n := 1 + len(list)
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
