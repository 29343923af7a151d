package encoder

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// ScenesConfig is the shape of the part of the eyes that sees what is not text.
type ScenesConfig struct {
	Channels int           `yaml:"channels"` // of the second convolution
	Layers   int           `yaml:"layers"`
	Layer    nn.SelfConfig `yaml:"layer"`
	Key      int           `yaml:"key_dim"`
}

const (
	// SceneW and SceneH are the size that a frame is brought to, whatever its shape.
	SceneW, SceneH = 160, 96
	// PatchesW and PatchesH are the embeddings that a frame becomes.
	PatchesW, PatchesH = 5, 3
	// Patches is their number.
	Patches = PatchesW * PatchesH
)

// Scenes turn frames into entries of the cache, Patches a frame: a stem of five
// convolutions, then windowed layers over the patches of successive frames.
type Scenes struct {
	Config ScenesConfig
	Layers []*nn.SelfLayer
	convs  []*nn.Conv2D
	norms  []*nn.RMSNorm // of all but the last convolution
	place  *nn.Param     // [Patches, D]
	norm   *nn.RMSNorm
	key    nn.Trainable // [Key, D]
	labels nn.Trainable // [ΣLabels, D]: what stands in a patch, for training
	bias   *nn.Param
	rope   *nn.Rope
}

// Labels are the numbers of classes that a patch is told apart by in training, each
// with 0 for nothing: shape, colour and motion of the object whose middle it holds.
var Labels = []int{9, 9, 8}

func labelCount() (n int) {
	for _, l := range Labels {
		n += l
	}
	return n
}

// NewScenes registers the parameters.
func NewScenes(ps *nn.Params, c ScenesConfig, add func(*nn.Matrix)) *Scenes {
	d, prec := c.Layer.Width, c.Layer.Precision
	e := &Scenes{Config: c, rope: nn.NewRope(d/c.Layer.Heads, 1000)}
	in := 3
	for i, out := range []int{c.Channels / 2, c.Channels, 2 * c.Channels, d, d} {
		k := 3
		if i == 4 {
			k = 2
		}
		e.convs = append(e.convs, nn.NewConv2D(ps, fmt.Sprintf("scenes.conv%d", i+1), in, out, k, k, 2, prec, add))
		if i < 4 {
			e.norms = append(e.norms, nn.NewRMSNorm(ps, fmt.Sprintf("scenes.norm%d", i+1), out))
		}
		in = out
	}
	e.place = ps.Add("scenes.place", nn.ClassVector, nn.Normal(0.3), Patches, d)
	for i := range c.Layers {
		e.Layers = append(e.Layers, nn.NewSelfLayer(ps, fmt.Sprintf("scenes.blk.%d.", i), c.Layer, add))
	}
	e.norm = nn.NewRMSNorm(ps, "scenes.output_norm", d)
	key := nn.NewMatrix(ps.Add("scenes.attn_k.weight", nn.ClassMatrix, nn.FanIn(1, d), c.Key, d), 0, prec)
	add(key)
	e.key = key
	labels := nn.NewMatrix(ps.Add("scenes.labels.weight", nn.ClassMatrix, nn.FanIn(0.3, d), labelCount(), d), 0, prec)
	add(labels)
	e.labels = labels
	e.bias = ps.Add("scenes.labels.bias", nn.ClassVector, nn.Const(0), labelCount())
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
	tokens    nn.Tokens
	Layers    []nn.SelfAct
	h, z, inv []float32
	k, kInv   []float32
}

// Forward makes unit keys [N·Patches, Key] of n successive frames, pix [N, SceneH,
// SceneW, 3].
func (e *Scenes) Forward(s *nn.Scratch, w []float32, pix []byte, n int, act *ScenesAct) (k []float32) {
	d := e.Config.Layer.Width
	x := s.Floats(len(pix))
	pixels(x, pix)
	size := nn.Grid{N: n, H: SceneH, W: SceneW}
	act.sizes, act.maps, act.raw, act.invs = []nn.Grid{size}, [][]float32{x}, nil, nil
	for i, c := range e.convs {
		o := c.Size(size)
		y := s.Floats(o.Cells() * c.Out)
		c.Forward(s, w, y, x, size)
		if i < len(e.norms) {
			z := s.Floats(len(y))
			act.raw, act.invs = append(act.raw, y), append(act.invs, e.norms[i].Forward(s, w, z, y))
			y = z
			nn.ReLU(y)
		}
		act.sizes, act.maps = append(act.sizes, o), append(act.maps, y)
		x, size = y, o
	}
	t := n * Patches
	h := s.Floats(t * d)
	copy(h, x)
	place := e.place.Of(w)
	for i := range n {
		kernel.Add(h[i*len(place):(i+1)*len(place)], place)
	}
	act.tokens = nn.Tokens{T: t, Spans: []nn.Span{{Start: 0, End: t}}}
	e.rope.Prepare(s, &act.tokens)
	act.Layers = make([]nn.SelfAct, len(e.Layers))
	for i, l := range e.Layers {
		l.Forward(s, w, h, &act.tokens, &act.Layers[i])
	}
	act.h, act.z = h, s.Floats(t*d)
	act.inv = e.norm.Forward(s, w, act.z, h)
	kd := e.Config.Key
	k, act.kInv = s.Floats(t*kd), s.Floats(t)
	e.key.Mul(s, k, act.z, t, false)
	for i := range t {
		act.kInv[i] = nn.Normalise(k[i*kd : (i+1)*kd])
	}
	act.k = k
	return k
}

// LabelLogits returns logits [T, ΣLabels] of the patches of a Forward.
func (e *Scenes) LabelLogits(s *nn.Scratch, w []float32, act *ScenesAct) []float32 {
	n := labelCount()
	logits, bias := s.Floats(act.tokens.T*n), e.bias.Of(w)
	for i := range act.tokens.T {
		copy(logits[i*n:(i+1)*n], bias)
	}
	e.labels.Mul(s, logits, act.z, act.tokens.T, true)
	return logits
}

// Backward adds to the parameters' gradients; dk is overwritten. dlogits, that of
// LabelLogits, may be nil.
func (e *Scenes) Backward(s *nn.Scratch, w, g, dk, dlogits []float32, act *ScenesAct) {
	t, d, kd := act.tokens.T, e.Config.Layer.Width, e.Config.Key
	for i := range t {
		nn.NormaliseBackward(dk[i*kd:(i+1)*kd], act.k[i*kd:(i+1)*kd], act.kInv[i])
	}
	dz, dh := s.Floats(t*d), s.Zeros(t*d)
	e.key.MulT(s, dz, dk, t, false)
	e.key.Grad(s, g, dk, act.z, t)
	if dlogits != nil {
		db := e.bias.Of(g)
		for i := 0; i < len(dlogits); i += len(db) {
			kernel.Add(db, dlogits[i:i+len(db)])
		}
		e.labels.MulT(s, dz, dlogits, t, true)
		e.labels.Grad(s, g, dlogits, act.z, t)
	}
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
	}
}
