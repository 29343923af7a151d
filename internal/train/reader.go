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
	"github.com/handscroll/handscroll/internal/speech"
	"github.com/handscroll/handscroll/internal/tensor"
)

// ReaderRecipe is how the reader of pictures is trained: on crops full of text.
type ReaderRecipe struct {
	Model  encoder.EyesConfig `yaml:"model"`
	Crops  int                `yaml:"crops"` // a step
	Width  int                `yaml:"width"` // of a crop
	Height int                `yaml:"height"`
	Fonts  []string           `yaml:"fonts"` // folders beside the Go fonts; those held out are left out
	Clips  []string           `yaml:"clips"` // pictures and films for backgrounds
}

type readingSense struct {
	r        *SenseRecipe
	m        *encoder.Reading
	painters chan *render.Painter
}

func newReading(r *SenseRecipe, log func(string)) (*readingSense, error) {
	m, err := encoder.NewReading(r.Reader.Model, r.precision)
	if err != nil {
		return nil, err
	}
	c := &r.Reader
	if c.Crops < 1 || c.Width < 32 || c.Height < 32 || c.Width%16 != 0 || c.Height%16 != 0 {
		return nil, fmt.Errorf("train: reader: %d crops of %d × %d, want at least one, with sides that are multiples of 16 from 32 on", c.Crops, c.Width, c.Height)
	}
	fonts, err := render.LoadFonts(c.Fonts...)
	if err != nil {
		return nil, err
	}
	texts, err := corpusTexts(r.Corpus)
	if err != nil {
		return nil, err
	}
	frames, err := frames(c.Clips)
	if err != nil {
		return nil, err
	}
	words := slices.DeleteFunc(speech.Frequencies(texts), render.HeldOut)
	log(fmt.Sprintf("reader: %d faces to train with, %d held out, %d words, %d pictures", len(fonts.Train()), len(fonts.HeldOut()), len(words), len(frames)))
	s := &readingSense{r: r, m: m, painters: make(chan *render.Painter, r.Workers)}
	for range r.Workers {
		p, err := render.NewPainter(render.Options{Faces: fonts.Train(), Words: words, Frames: frames, MinCap: 8, Reshape: true})
		if err != nil {
			return nil, err
		}
		s.painters <- p
	}
	return s, nil
}

func (s *readingSense) params() *nn.Params                         { return &s.m.Params }
func (s *readingSense) threshold() *float32                        { return nil }
func (s *readingSense) matrices() []*nn.Matrix                     { return s.m.Matrices }
func (s *readingSense) layers() []*nn.SelfLayer                    { return nil }
func (s *readingSense) batch(int) int                              { return s.r.Reader.Crops }
func (s *readingSense) write(w *gguf.Writer, d tensor.DType) error { s.m.Write(w, d); return nil }

func (s *readingSense) load(f *gguf.File) (err error) {
	s.m, err = encoder.LoadReading(f, s.r.precision, true)
	return err
}

func (s *readingSense) example(w *worker, step, index int, t *tallies) {
	c := &s.r.Reader
	rng := rand.New(rand.NewPCG(s.r.Seed, uint64(step)<<16|uint64(index)))
	p := <-s.painters
	scene := p.Text(rng, c.Width, c.Height)
	img := scene.Image
	for level := range encoder.Levels - 1 {
		if level > 0 {
			img = encoder.Halve(img)
		}
		s.level(w, scene, img, level, t)
	}
	s.painters <- p
}

// level trains on a scene as it is seen at one scale.
func (s *readingSense) level(w *worker, scene *render.Scene, img *media.Image, level int, t *tallies) {
	mark := w.scratch.Mark()
	defer w.scratch.Release(mark)
	flat := s.m.Params.Data
	var act encoder.ReaderAct
	logits := s.m.Reader.Forward(&w.scratch, flat, img.Pix, nn.Grid{N: 1, H: img.H, W: img.W}, &act)
	targets, weights := encoder.ReaderTargets(glyphs(scene), img.W, img.H, level)
	unit := 1 / float32(s.r.Reader.Crops*40) // about as many characters as a crop has
	for i := range weights {
		weights[i] *= unit
	}
	right, n := 0, 0
	for i, y := range targets {
		if y > 0 {
			n++
			if best(logits[i*encoder.Classes:(i+1)*encoder.Classes]) == int(y) {
				right++
			}
		}
	}
	loss := 0.0
	for i, l := range nn.Classify(logits, encoder.Classes, targets, weights, true) {
		loss += float64(l * weights[i])
	}
	t.add("loss", loss*float64(s.r.Reader.Crops), 1/float64(encoder.Levels-1))
	t.add("characters", float64(right), float64(n))
	s.m.Reader.Backward(&w.scratch, flat, w.grad, logits, &act)
}

func best(x []float32) int {
	b := 0
	for i, v := range x {
		if v > x[b] {
			b = i
		}
	}
	return b
}

func glyphs(s *render.Scene) []encoder.Glyph {
	var out []encoder.Glyph
	for _, l := range s.Lines {
		for _, g := range l.Glyphs {
			out = append(out, encoder.Glyph{Rune: g.Rune, X: g.X, Y: g.Y, Cap: g.Cap})
		}
	}
	return out
}
