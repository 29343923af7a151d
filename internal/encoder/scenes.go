package encoder

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// ScenesConfig is the shape of the part of the eyes that sees what is not text.
type ScenesConfig struct {
	Channels int           `yaml:"channels"` // of the grid's features
	Blocks   int           `yaml:"blocks"`   // over the grid
	Layers   int           `yaml:"layers"`   // over patches
	Layer    nn.SelfConfig `yaml:"layer"`
	Value    int           `yaml:"value_dim"`
	// Labels are the names that a patch is told apart by: a list each of shapes,
	// colours and motions.
	Labels [][]string `yaml:"-"`
}

const (
	// SceneW and SceneH are the size that a frame is brought to, whatever its shape.
	SceneW, SceneH = 160, 96
	// PatchesW and PatchesH are the embeddings that a frame becomes.
	PatchesW, PatchesH = 5, 3
	// Patches is their number.
	Patches = PatchesW * PatchesH
	// patchCells are the cells of 8 × 8 pixels along a side of a patch.
	patchCells = 4
)

// Scenes turn frames into entries of the cache, Patches a frame: three convolutions
// make a grid of 20 × 12 cells, blocks over it follow as in the [Reader], a fourth
// makes patches of 4 × 4 cells; then windowed layers over the patches of successive frames. What
// stands in a patch can be read off its value (LabelLogits), as phones are off those
// of the [Ears].
type Scenes struct {
	Config ScenesConfig
	Layers []*nn.SelfLayer
	convs  []*nn.Conv2D
	blocks gridBlocks    // after the third
	norms  []*nn.RMSNorm // before the second, third and fourth
	place  *nn.Param     // [Patches, D]
	norm   *nn.RMSNorm
	value  nn.Trainable // [Value, D]
	labels nn.Trainable // [Classes, Value]
	bias   *nn.Param    // [Classes]
	rope   *nn.Rope
}

// Classes is the number of logits of a patch: for each list of labels one for
// nothing, then one a label.
func (c *ScenesConfig) Classes() (n int) {
	for _, l := range c.Labels {
		n += 1 + len(l)
	}
	return n
}

// NewScenes registers the parameters.
func NewScenes(ps *nn.Params, c ScenesConfig, add func(*nn.Matrix)) *Scenes {
	d, prec := c.Layer.Width, c.Layer.Precision
	e := &Scenes{Config: c, rope: nn.NewRope(d/c.Layer.Heads, 1000)}
	in, steps := 3, []int{2, 2, 2, patchCells}
	for i, out := range []int{c.Channels / 4, c.Channels / 2, c.Channels, d} {
		k := max(3, steps[i])
		e.convs = append(e.convs, nn.NewConv2D(ps, fmt.Sprintf("scenes.conv%d", i+1), in, out, k, k, steps[i], prec, add))
		if i < 3 {
			e.norms = append(e.norms, nn.NewRMSNorm(ps, fmt.Sprintf("scenes.norm%d", i+1), out))
		}
		in = out
	}
	e.blocks = newGridBlocks(ps, "scenes.grid.", c.Blocks, c.Channels, 3*c.Channels/2, prec, add)
	e.place = ps.Add("scenes.place", nn.ClassVector, nn.Normal(0.3), Patches, d)
	for i := range c.Layers {
		e.Layers = append(e.Layers, nn.NewSelfLayer(ps, fmt.Sprintf("scenes.blk.%d.", i), c.Layer, add))
	}
	e.norm = nn.NewRMSNorm(ps, "scenes.output_norm", d)
	matrix := func(name string, out, in int, gain float64) nn.Trainable {
		m := nn.NewMatrix(ps.Add(name, nn.ClassMatrix, nn.FanIn(gain, in), out, in), 0, prec)
		add(m)
		return m
	}
	e.value = matrix("scenes.attn_v.weight", c.Value, d, 1)
	e.labels = matrix("scenes.labels.weight", c.Classes(), c.Value, 0.3)
	e.bias = ps.Add("scenes.labels.bias", nn.ClassVector, nn.Const(0), c.Classes())
	return e
}

// Lead is how many frames before a chunk its entries depend on; Lookahead how
// many after it.
func (e *Scenes) Lead() int {
	c := &e.Config.Layer
	return (e.Config.Layers*(c.Window-1+c.Taps-1) + Patches - 1) / Patches
}

// Lookahead is how many frames after a chunk its entries depend on.
func (e *Scenes) Lookahead() int {
	return (e.Config.Layers*e.Config.Layer.Ahead + Patches - 1) / Patches
}

// ScenesAct is what Backward needs of Forward.
type ScenesAct struct {
	sizes     []nn.Grid
	maps      [][]float32 // the input of each convolution, and the last one's output
	raw, invs [][]float32 // what the norms take, and their factors
	blocks    []gridAct
	tokens    nn.Tokens
	Layers    []nn.SelfAct
	h, z, inv []float32
}

// Forward makes values [N·Patches, Value] of n successive frames, pix [N, SceneH,
// SceneW, 3]. The key of an entry is its value at unit length.
func (e *Scenes) Forward(s *nn.Scratch, w []float32, pix []byte, n int, act *ScenesAct) (v []float32) {
	d := e.Config.Layer.Width
	t := n * Patches
	h := s.Floats(t * d)
	step := n
	if !s.Keep {
		step = 8 // frames, whose maps stay in the cache
	}
	for i := 0; i < n; i += step {
		m, mark := min(step, n-i), s.Mark()
		copy(h[i*Patches*d:], e.stem(s, w, pix[i*SceneW*SceneH*3:(i+m)*SceneW*SceneH*3], m, act))
		if !s.Keep {
			s.Release(mark)
		}
	}
	place := e.place.Of(w)
	for i := range n {
		kernel.Add(h[i*len(place):(i+1)*len(place)], place)
	}
	act.tokens = nn.Tokens{T: t, Spans: []nn.Span{{Start: 0, End: t}}}
	e.rope.Prepare(s, &act.tokens)
	act.Layers = forwardLayers(s, w, h, e.Layers, &act.tokens)
	act.h, act.z = h, s.Floats(t*d)
	act.inv = e.norm.Forward(s, w, act.z, h)
	v = s.Floats(t * e.Config.Value)
	e.value.Mul(s, v, act.z, t, false)
	return v
}

// stem makes embeddings [N·Patches, D] of n frames.
func (e *Scenes) stem(s *nn.Scratch, w []float32, pix []byte, n int, act *ScenesAct) []float32 {
	x := s.Floats(len(pix))
	pixels(x, pix)
	size := nn.Grid{N: n, H: SceneH, W: SceneW}
	act.sizes, act.maps, act.raw, act.invs = []nn.Grid{size}, [][]float32{x}, nil, nil
	for i, c := range e.convs {
		o := c.Size(size)
		y := s.Floats(o.Cells() * c.Out)
		c.Forward(s, w, y, x, size)
		if i == 2 {
			y = e.blocks.forward(s, w, y, o, &act.blocks)
		}
		if i < len(e.norms) {
			z := s.Floats(len(y))
			act.raw, act.invs = append(act.raw, y), append(act.invs, e.norms[i].Forward(s, w, z, y))
			y = z
			nn.ReLU(y)
		}
		act.sizes, act.maps = append(act.sizes, o), append(act.maps, y)
		x, size = y, o
	}
	return x
}

// LabelLogits returns logits [T, Classes] of values v [T, Value].
func (e *Scenes) LabelLogits(s *nn.Scratch, w, v []float32) []float32 {
	t, n := len(v)/e.Config.Value, e.Config.Classes()
	logits, bias := s.Floats(t*n), e.bias.Of(w)
	for i := range t {
		copy(logits[i*n:(i+1)*n], bias)
	}
	e.labels.Mul(s, logits, v, t, true)
	return logits
}

// LabelsBackward writes dv and adds to the parameters' gradients, given that of the
// logits.
func (e *Scenes) LabelsBackward(s *nn.Scratch, g, dv, dlogits, v []float32) {
	t, db := len(v)/e.Config.Value, e.bias.Of(g)
	for i := 0; i < len(dlogits); i += len(db) {
		kernel.Add(db, dlogits[i:i+len(db)])
	}
	e.labels.MulT(s, dv, dlogits, t, false)
	e.labels.Grad(s, g, dlogits, v, t)
}

// Backward adds to the parameters' gradients, given that of the values.
func (e *Scenes) Backward(s *nn.Scratch, w, g, dv []float32, act *ScenesAct) {
	t, d := act.tokens.T, e.Config.Layer.Width
	dz, dh := s.Floats(t*d), s.Zeros(t*d)
	e.value.MulT(s, dz, dv, t, false)
	e.value.Grad(s, g, dv, act.z, t)
	e.norm.Backward(w, g, dh, dz, act.h, act.inv)
	for i := len(e.Layers) - 1; i >= 0; i-- {
		e.Layers[i].Backward(s, w, g, dh, &act.tokens, &act.Layers[i])
	}
	dplace := e.place.Of(g)
	for i := 0; i < len(dh); i += len(dplace) {
		kernel.Add(dplace, dh[i:i+len(dplace)])
	}
	dy := dh
	for i := len(e.convs) - 1; i >= 0; i-- {
		var dx []float32
		if i > 0 {
			dx = s.Zeros(len(act.maps[i]))
		}
		e.convs[i].Backward(s, g, dx, dy, act.maps[i], act.sizes[i])
		if i == 0 {
			break
		}
		nn.ReLUBackward(dx, act.maps[i])
		dy = s.Zeros(len(dx))
		e.norms[i-1].Backward(w, g, dy, dx, act.raw[i-1], act.invs[i-1])
		if i == 3 {
			e.blocks.backward(s, w, g, dy, act.sizes[3], act.blocks)
		}
	}
}
