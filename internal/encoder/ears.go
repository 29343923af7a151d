package encoder

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// EarsConfig is the shape of the ears.
type EarsConfig struct {
	Stem   int           `yaml:"stem"` // channels at 50 frames a second
	Layers int           `yaml:"layers"`
	Layer  nn.SelfConfig `yaml:"layer"`
	Key    int           `yaml:"key_dim"`
	Value  int           `yaml:"value_dim"`
	Phones int           `yaml:"phones"` // of the inventory, the pause included
}

// Ears turn log-mel frames into entries of the cache, 25 a second.
type Ears struct {
	Config EarsConfig
	Layers []*nn.SelfLayer
	conv1  *nn.Conv2D
	conv2  *nn.Conv2D
	norm   *nn.RMSNorm
	key    nn.Trainable // [Key, D]
	value  nn.Trainable // [Value, D]
	phones nn.Trainable // [2·Phones, Value]
	bias   *nn.Param    // [2·Phones]
	rope   *nn.Rope
}

// EmbeddingRate is the number of embeddings a second of sound.
const EmbeddingRate = 100 / FramesPerEmbedding

// NewEars registers the parameters of ears.
func NewEars(ps *nn.Params, c EarsConfig, add func(*nn.Matrix)) *Ears {
	d, prec := c.Layer.Width, c.Layer.Precision
	e := &Ears{Config: c, rope: nn.NewRope(d/c.Layer.Heads, 1000)}
	e.conv1 = nn.NewConv2D(ps, "ears.conv1", Mels, c.Stem, 1, 5, 2, prec, add)
	e.conv2 = nn.NewConv2D(ps, "ears.conv2", c.Stem, d, 1, 5, 2, prec, add)
	for i := range c.Layers {
		e.Layers = append(e.Layers, nn.NewSelfLayer(ps, fmt.Sprintf("ears.blk.%d.", i), c.Layer, add))
	}
	e.norm = nn.NewRMSNorm(ps, "ears.output_norm", d)
	matrix := func(name string, out, in int) nn.Trainable {
		m := nn.NewMatrix(ps.Add(name, nn.ClassMatrix, nn.FanIn(1, in), out, in), 0, prec)
		add(m)
		return m
	}
	e.key = matrix("ears.attn_k.weight", c.Key, d)
	e.value = matrix("ears.attn_v.weight", c.Value, d)
	e.phones = matrix("ears.phones.weight", 2*c.Phones, c.Value)
	e.bias = ps.Add("ears.phones.bias", nn.ClassVector, nn.Const(0), 2*c.Phones)
	return e
}

// Lead is how many embeddings before a chunk its entries depend on, in whole
// blocks; Lookahead how many after it.
func (e *Ears) Lead() int {
	c := &e.Config.Layer
	return (e.Config.Layers*(c.Window-1+c.Taps-1) + 2 + nn.Block - 1) / nn.Block * nn.Block
}

// Lookahead is how many embeddings after a chunk its entries depend on.
func (e *Ears) Lookahead() int { return e.Config.Layers*e.Config.Layer.Ahead + 2 }

// EarsAct is what Backward needs of Forward.
type EarsAct struct {
	size, size1 nn.Grid
	tokens      nn.Tokens
	x, y1, y2   []float32
	Layers      []nn.SelfAct
	h, z, inv   []float32
	k, kInv, v  []float32
}

// Scale turns frames into what the stem takes.
func Scale(x []float32, frames []uint8) {
	for i, v := range frames {
		x[i] = (float32(v) - 110) / 50
	}
}

// Forward makes unit keys k [T, Key] and values v [T, Value] of T·4 scaled frames
// x [T·4, Mels]. The first embedding stands at position pos, a multiple of
// nn.Block, of its sound.
func (e *Ears) Forward(s *nn.Scratch, w, x []float32, pos int, act *EarsAct) (k, v []float32) {
	d := e.Config.Layer.Width
	act.size = nn.Grid{N: 1, H: 1, W: len(x) / Mels}
	act.size1 = e.conv1.Size(act.size)
	t := e.conv2.Size(act.size1).W
	act.x = x
	act.y1 = s.Floats(act.size1.W * e.Config.Stem)
	e.conv1.Forward(s, w, act.y1, x, act.size)
	nn.ReLU(act.y1)
	h := s.Floats(t * d)
	e.conv2.Forward(s, w, h, act.y1, act.size1)
	act.tokens = nn.Tokens{T: t, Spans: []nn.Span{{Start: 0, End: t, Pos: pos}}}
	e.rope.Prepare(s, &act.tokens)
	act.Layers = forwardLayers(s, w, h, e.Layers, &act.tokens)
	act.h, act.z = h, s.Floats(t*d)
	act.inv = e.norm.Forward(s, w, act.z, h)
	k, v = s.Floats(t*e.Config.Key), s.Floats(t*e.Config.Value)
	e.key.Mul(s, k, act.z, t, false)
	act.kInv = s.Floats(t)
	for i := range t {
		act.kInv[i] = nn.Normalise(k[i*e.Config.Key : (i+1)*e.Config.Key])
	}
	e.value.Mul(s, v, act.z, t, false)
	act.k, act.v = k, v
	return k, v
}

// forwardLayers runs layers over h [T, D], in place, and returns what backward needs
// of it if s.Keep is set.
func forwardLayers(s *nn.Scratch, w, h []float32, layers []*nn.SelfLayer, t *nn.Tokens) []nn.SelfAct {
	acts := make([]nn.SelfAct, len(layers))
	for i, l := range layers {
		mark := s.Mark()
		l.Forward(s, w, h, t, &acts[i])
		if !s.Keep {
			s.Release(mark)
		}
	}
	return acts
}

// Backward adds to the parameters' gradients; dk is overwritten.
func (e *Ears) Backward(s *nn.Scratch, w, g, dk, dv []float32, act *EarsAct) {
	t, d, kd := act.tokens.T, e.Config.Layer.Width, e.Config.Key
	for i := range t {
		nn.NormaliseBackward(dk[i*kd:(i+1)*kd], act.k[i*kd:(i+1)*kd], act.kInv[i])
	}
	dz, dh := s.Floats(t*d), s.Zeros(t*d)
	e.key.MulT(s, dz, dk, t, false)
	e.key.Grad(s, g, dk, act.z, t)
	e.value.MulT(s, dz, dv, t, true)
	e.value.Grad(s, g, dv, act.z, t)
	e.norm.Backward(w, g, dh, dz, act.h, act.inv)
	for i := len(e.Layers) - 1; i >= 0; i-- {
		e.Layers[i].Backward(s, w, g, dh, &act.tokens, &act.Layers[i])
	}
	d1 := s.Zeros(len(act.y1))
	e.conv2.Backward(s, g, d1, dh, act.y1, act.size1)
	nn.ReLUBackward(d1, act.y1)
	e.conv1.Backward(s, g, nil, d1, act.x, act.size)
}

// PhoneLogits returns logits [2·T, Phones] of values v [T, Value]: two phones an
// embedding, one for each 20 ms.
func (e *Ears) PhoneLogits(s *nn.Scratch, w, v []float32) []float32 {
	t, n := len(v)/e.Config.Value, 2*e.Config.Phones
	logits, bias := s.Floats(t*n), e.bias.Of(w)
	for i := range t {
		copy(logits[i*n:(i+1)*n], bias)
	}
	e.phones.Mul(s, logits, v, t, true)
	return logits
}

// PhonesBackward adds to dv and the parameters' gradients, given that of the
// logits.
func (e *Ears) PhonesBackward(s *nn.Scratch, g, dv, dlogits, v []float32) {
	t, n := len(v)/e.Config.Value, 2*e.Config.Phones
	db := e.bias.Of(g)
	for i := range t {
		kernel.Add(db, dlogits[i*n:(i+1)*n])
	}
	e.phones.MulT(s, dv, dlogits, t, true)
	e.phones.Grad(s, g, dlogits, v, t)
}
