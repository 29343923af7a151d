package model

import (
	"fmt"
	"strings"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Native is the model: its shape, its tokenizer and its weights.
type Native struct {
	Config      Config
	Tokens      *tokenizer.BPE
	Fingerprint string // SHA-256 in hexadecimal of what entries follow from; empty unless loaded
	Params      nn.Params
	// AbsentBias is added to the log-odds of <|absent|> when an answer begins. It
	// is calibrated after training.
	AbsentBias float32
	// Lexical is the prior of answers; it is tuned after training.
	Lexical Lexical
	// Senses are its eyes and ears, as far as it has some.
	Senses encoder.Senses
	// RestAhead leaves the entry layer out of Train, as before it joins a run.
	RestAhead bool

	embed    *nn.Embedding
	layers   []*nn.SelfLayer
	normKV   *nn.RMSNorm
	kv       *nn.KeyValue
	cross    []*crossLayer
	normOut  *nn.RMSNorm
	pointer  *nn.Pointer
	ahead    *entryLayer // nil without one
	rope     *nn.Rope
	matrices []*nn.Matrix
	moes     []*nn.MoE
}

// crossLayer is one layer of the cross-decoder.
type crossLayer struct {
	normAttn, normFF *nn.RMSNorm
	attn             *nn.Cross
	ff               nn.FeedForward
}

// RouterLoss weighs the routers' auxiliary losses during training.
type RouterLoss struct {
	Balance float32 `yaml:"balance"`
	Z       float32 `yaml:"z"`
}

// New makes a model with zero weights; call Params.Reset and Refresh, or load.
func New(c Config, tok *tokenizer.BPE, loss RouterLoss) (*Native, error) {
	m, err := declare(c, tok, loss)
	if err != nil {
		return nil, err
	}
	m.alloc()
	return m, nil
}

// declare lays out the layers and names their parameters, without memory for
// them: a file's configuration is believed only when its tensors agree.
func declare(c Config, tok *tokenizer.BPE, loss RouterLoss) (*Native, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if tok != nil && tok.Size() != c.Vocab {
		return nil, fmt.Errorf("model: the vocabulary has %d pieces, the configuration says %d", tok.Size(), c.Vocab)
	}
	m := &Native{Config: c, Tokens: tok}
	ps, d := &m.Params, c.Width
	add := func(x *nn.Matrix) { m.matrices = append(m.matrices, x) }
	m.embed = nn.NewEmbedding(ps, "token_embd", c.Vocab, d)
	for i := range c.SelfLayers {
		m.layers = append(m.layers, nn.NewSelfLayer(ps, fmt.Sprintf("blk.%d.", i), m.layer(loss), add))
		m.sparse(m.layers[i].FF)
	}
	m.normKV = nn.NewRMSNorm(ps, "attn_kv_norm", d)
	m.kv = nn.NewKeyValue(ps, d, c.KeyDim, c.ValueDim, c.Lookahead, c.Precision, add)
	for i := range c.CrossLayers {
		b := fmt.Sprintf("cross.%d.", i)
		m.cross = append(m.cross, &crossLayer{
			normAttn: nn.NewRMSNorm(ps, b+"attn_norm", d),
			attn:     nn.NewCross(ps, b+"attn", d, c.CrossHeads, c.KeyDim, c.ValueDim, c.Precision, add),
			normFF:   nn.NewRMSNorm(ps, b+"ffn_norm", d),
			ff:       m.sparse(nn.NewFeedForward(ps, b+"ffn", m.layer(loss), add)),
		})
	}
	m.normOut = nn.NewRMSNorm(ps, "output_norm", d)
	m.pointer = nn.NewPointer(ps, d, c.Vocab, c.Precision, add)
	if c.Ahead > 0 {
		// It starts as the identity: it may join a model in training.
		l := &entryLayer{norm: nn.NewRMSNorm(ps, "entry.attn_norm", d)}
		l.attn = nn.NewWindow(ps, "entry.attn", d, c.Heads, 1, 0, c.Precision, add)
		l.attn.Ahead = c.Ahead
		m.ahead = l
	}
	return m, nil
}

func (c *Config) rope() *nn.Rope { return nn.NewRope(c.Width/c.Heads, c.RopeBase) }

func (m *Native) alloc() {
	m.rope = m.Config.rope()
	m.Params.Alloc()
}

// Refresh packs the weights for products after they changed; train also packs
// those of backward. part of parts lets several goroutines share the work.
func (m *Native) Refresh(train bool, part, parts int) {
	for i, x := range m.matrices {
		if i%parts == part {
			x.Refresh(m.Params.Data, train)
		}
	}
}

// layer is the shape of a layer of the self-decoder.
func (m *Native) layer(loss RouterLoss) nn.SelfConfig {
	c := &m.Config
	return nn.SelfConfig{
		Width: c.Width, Heads: c.Heads, Window: c.Window, Taps: c.Taps, Experts: c.Experts, TopK: c.TopK, Hidden: c.Hidden,
		Balance: loss.Balance, Z: loss.Z, Precision: c.Precision,
	}
}

// sparse remembers the experts of a feed-forward that has some.
func (m *Native) sparse(f nn.FeedForward) nn.FeedForward {
	if f.MoE != nil {
		m.moes = append(m.moes, f.MoE)
	}
	return f
}

// selfDecoder runs ids through the self-decoder: x [T, D].
func (m *Native) selfDecoder(s *nn.Scratch, ids []int32, t *nn.Tokens, acts []nn.SelfAct) []float32 {
	w := m.Params.Data
	x := s.Floats(t.T * m.Config.Width)
	m.embed.Forward(w, x, ids)
	m.rope.Prepare(s, t)
	for i, l := range m.layers {
		mark := s.Mark()
		l.Forward(s, w, x, t, &acts[i])
		if !s.Keep {
			s.Release(mark)
		}
	}
	return x
}

// entryLayer is attention to the tokens that follow, for cache entries alone:
// what a causal layer cannot know when it passes a value. Rows never see it.
type entryLayer struct {
	norm *nn.RMSNorm
	attn *nn.Window
}

// AheadFrom lets the entry layer's parameters rest until a step.
func (m *Native) AheadFrom(step int) {
	for _, p := range m.Params.List {
		if strings.HasPrefix(p.Name, "entry.") {
			p.From = step
		}
	}
}

type entryAct struct {
	x, norm, normInv []float32 // of the entry layer
	attn             nn.WindowAct
	rests            bool
	z, inv           []float32
	kv               nn.KeyValueAct
}

// entries makes cache entries k [T, DK] and v [T, DV] of x [T, D].
func (m *Native) entries(s *nn.Scratch, x []float32, t *nn.Tokens, act *entryAct) (k, v []float32) {
	w := m.Params.Data
	k, v = s.Floats(t.T*m.Config.KeyDim), s.Floats(t.T*m.Config.ValueDim)
	act.x, act.z = x, s.Floats(len(x))
	if act.rests = m.ahead == nil || m.RestAhead; !act.rests {
		act.x, act.norm = s.Floats(len(x)), s.Floats(len(x))
		copy(act.x, x)
		act.normInv = m.ahead.norm.Forward(s, w, act.norm, x)
		m.ahead.attn.Forward(s, act.x, act.norm, t, &act.attn)
	}
	act.inv = m.normKV.Forward(s, w, act.z, act.x)
	m.kv.Forward(s, k, v, act.z, t, &act.kv)
	return k, v
}

// entriesBackward adds to dx [T, D]; dk is overwritten.
func (m *Native) entriesBackward(s *nn.Scratch, g, dx, dk, dv, x []float32, t *nn.Tokens, act *entryAct) {
	w := m.Params.Data
	mark := s.Mark()
	dz, dy := s.Zeros(len(x)), dx
	if !act.rests {
		dy = s.Zeros(len(x))
	}
	m.kv.Backward(s, g, dz, dk, dv, t, &act.kv)
	m.normKV.Backward(w, g, dy, dz, act.x, act.inv)
	if !act.rests {
		clear(dz)
		m.ahead.attn.Backward(s, g, dz, dy, act.norm, t, &act.attn)
		m.ahead.norm.Backward(w, g, dx, dz, x, act.normInv)
		kernel.Add(dx, dy)
	}
	s.Release(mark)
}
