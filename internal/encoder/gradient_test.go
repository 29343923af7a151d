package encoder

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/nn"
)

// tower is what the gradient checks need of a sense.
type tower struct {
	ps   nn.Params
	ms   []*nn.Matrix
	s    nn.Scratch
	loss func(g []float32) float64 // adds its gradient to g unless that is nil
}

func (w *tower) add(m *nn.Matrix) { w.ms = append(w.ms, m) }

func (w *tower) ready() {
	w.ps.Alloc()
	w.ps.Reset(5)
	Refresh(w.ms, &w.ps, true, 0, 1)
	w.s.Keep = true
}

// check compares the gradient with central differences at some places of every
// parameter. ReLU has kinks: a tenth of the places may disagree.
func (w *tower) check(t *testing.T) {
	t.Helper()
	g := make([]float32, len(w.ps.Data))
	w.s.Reset()
	w.loss(g)
	at := func(i int, h float32) float64 {
		v := w.ps.Data[i]
		w.ps.Data[i] = v + h
		Refresh(w.ms, &w.ps, true, 0, 1)
		w.s.Reset()
		l := w.loss(nil)
		w.ps.Data[i] = v
		return l
	}
	r := rand.New(rand.NewPCG(9, 9))
	bad, n := 0, 0
	for _, p := range w.ps.List {
		if p.Class == nn.ClassState {
			continue
		}
		scale := 0.0
		for _, v := range p.Of(g) {
			scale = max(scale, math.Abs(float64(v)))
		}
		if scale == 0 {
			t.Errorf("%s has no gradient", p.Name)
		}
		for range 4 {
			i := p.Off + r.IntN(p.Len)
			const h = 0.004
			want := (at(i, h) - at(i, -h)) / (2 * h)
			n++
			if d := math.Abs(float64(g[i]) - want); d > 0.05*scale+2e-4 {
				bad++
				t.Logf("%s[%d]: gradient %g, differences %g", p.Name, i-p.Off, g[i], want)
			}
		}
	}
	Refresh(w.ms, &w.ps, true, 0, 1)
	if 10*bad > n {
		t.Errorf("%d of %d places disagree", bad, n)
	}
}

func tinyLayer() nn.SelfConfig {
	return nn.SelfConfig{Width: 32, Heads: 2, Window: 6, Ahead: 3, Taps: 3, Hidden: 16}
}

func TestReaderGradient(t *testing.T) {
	w := &tower{}
	r := NewReader(&w.ps, EyesConfig{Channels: 8, Blocks: 2, Hidden: 8}, nn.F32, w.add)
	w.ready()
	rng := rand.New(rand.NewPCG(1, 2))
	size := nn.Grid{N: 1, H: 16, W: 24}
	pix := make([]byte, size.Cells()*3)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	glyphs := []Glyph{{'a', 7, 8, 9}, {'B', 15, 7, 9}}
	w.loss = func(g []float32) (sum float64) {
		var act ReaderAct
		logits := r.Forward(&w.s, w.ps.Data, pix, size, &act)
		targets, weights := ReaderTargets(glyphs, size.W, size.H, 0)
		for i, l := range nn.Classify(logits, Classes, targets, weights, g != nil) {
			sum += float64(l * weights[i])
		}
		if g != nil {
			r.Backward(&w.s, w.ps.Data, g, logits, &act)
		}
		return sum
	}
	w.check(t)
}

func TestEarsGradient(t *testing.T) {
	w := &tower{}
	e := NewEars(&w.ps, EarsConfig{Stem: 8, Layers: 2, Layer: tinyLayer(), Key: 8, Value: 8, Phones: 5}, w.add)
	ask := newAsker(&w.ps, "ears.", 32, 8, nn.F32, w.add)
	w.ready()
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 12
	x, hidden := make([]float32, n*FramesPerEmbedding*Mels), make([]float32, 7*32)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for i := range hidden {
		hidden[i] = float32(rng.NormFloat64())
	}
	spans := []nn.Span{{Start: 0, End: 4}, {Start: 4, End: 7}}
	targets := []nn.Target{{{2, 4}}, nil}
	phones := make([]int32, 2*n)
	for i := range phones {
		phones[i] = int32(i % 5)
	}
	w.loss = func(g []float32) (sum float64) {
		var act EarsAct
		k, v := e.Forward(&w.s, w.ps.Data, x, 0, &act)
		weights := make([]float32, 2*n)
		for i := range weights {
			weights[i] = 0.1
		}
		logits := e.PhoneLogits(&w.s, w.ps.Data, v)
		for _, l := range nn.Classify(logits, 5, phones, weights, true) {
			sum += 0.1 * float64(l)
		}
		var aa AskerAct
		ask.Forward(&w.s, w.ps.Data, hidden, spans, k, n, &aa)
		grad := g
		if g == nil {
			grad = make([]float32, len(w.ps.Data))
		}
		dk, dv := w.s.Zeros(len(k)), w.s.Zeros(len(v))
		for _, l := range ask.Backward(&w.s, w.ps.Data, grad, dk, k, n, &aa, targets, []float32{1, 1}) {
			sum += float64(l)
		}
		e.PhonesBackward(&w.s, grad, dv, logits, v)
		e.Backward(&w.s, w.ps.Data, grad, dk, dv, &act)
		return sum
	}
	w.check(t)
}

func TestScenesGradient(t *testing.T) {
	w := &tower{}
	c := ScenesConfig{Channels: 8, Blocks: 1, Layers: 1, Layer: tinyLayer(), Value: 8, Labels: [][]string{{"circle", "square"}, {"red"}}}
	e := NewScenes(&w.ps, c, w.add)
	w.ready()
	rng := rand.New(rand.NewPCG(1, 2))
	const frames = 2
	pix := make([]byte, frames*SceneW*SceneH*3)
	for i := range pix {
		pix[i] = byte(i/7) ^ byte(rng.Uint32()&63)
	}
	w.loss = func(g []float32) (sum float64) {
		var act ScenesAct
		v := e.Forward(&w.s, w.ps.Data, pix, frames, &act)
		grad := g
		if g == nil {
			grad = make([]float32, len(w.ps.Data))
		}
		logits := e.LabelLogits(&w.s, w.ps.Data, v)
		for i, c := range logits { // a loss that is the square of the logits
			sum += float64(c * c)
			logits[i] = 2 * c
		}
		dv := w.s.Floats(len(v))
		e.LabelsBackward(&w.s, grad, dv, logits, v)
		e.Backward(&w.s, w.ps.Data, grad, dv, &act)
		return sum
	}
	w.check(t)
}
