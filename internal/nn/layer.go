package nn

// FeedForward is a dense or a sparse feed-forward, with one of the two set.
type FeedForward struct {
	Dense *Gated
	MoE   *MoE
}

// FeedForwardAct is what Backward needs of Forward.
type FeedForwardAct struct {
	Dense GatedAct
	MoE   MoEAct
}

// Forward adds the feed-forward of x [T, D] to y.
func (f FeedForward) Forward(s *Scratch, w, y, x []float32, t int, act *FeedForwardAct) {
	if f.MoE != nil {
		f.MoE.Forward(s, w, y, x, t, &act.MoE)
		return
	}
	f.Dense.Forward(s, y, x, t, &act.Dense, true)
}

// Backward adds to dx and to the weights' gradients.
func (f FeedForward) Backward(s *Scratch, g, dx, dy, x []float32, t int, act *FeedForwardAct) {
	if f.MoE != nil {
		f.MoE.Backward(s, g, dx, dy, x, &act.MoE)
		return
	}
	f.Dense.Backward(s, g, dx, dy, x, t, &act.Dense, true)
}

// SelfLayer is a layer of a self-decoder: convolution, windowed attention and
// feed-forward, each on the normalised sum of those before.
type SelfLayer struct {
	NormConv, NormAttn, NormFF *RMSNorm
	Conv                       *Conv
	Attn                       *Window
	FF                         FeedForward
}

// SelfAct is what Backward needs of Forward: the input of each of the three
// residual steps and its normalised form.
type SelfAct struct {
	in, norm, inv [3][]float32
	attn          WindowAct
	FF            FeedForwardAct
}

// SelfConfig is the shape of a layer.
type SelfConfig struct {
	Width     int       `yaml:"width"`
	Heads     int       `yaml:"heads"`
	Window    int       `yaml:"window"`  // tokens that attention reaches back, itself included
	Ahead     int       `yaml:"ahead"`   // and ahead
	Taps      int       `yaml:"taps"`    // of the convolution
	Experts   int       `yaml:"experts"` // 0: a dense feed-forward
	TopK      int       `yaml:"top_k"`
	Hidden    int       `yaml:"hidden"` // of an expert, or of the dense feed-forward
	Balance   float32   `yaml:"-"`      // weights of the router's losses
	Z         float32   `yaml:"-"`
	Precision Precision `yaml:"-"`
}

// NewFeedForward registers a feed-forward.
func NewFeedForward(ps *Params, name string, c SelfConfig, add func(*Matrix)) FeedForward {
	if c.Experts == 0 {
		return FeedForward{Dense: NewGated(ps, name, c.Width, c.Hidden, c.Precision, add)}
	}
	router := TopK{K: c.TopK, Balance: c.Balance, ZLoss: c.Z}
	return FeedForward{MoE: NewMoE(ps, name, c.Width, c.Hidden, c.Experts, router, c.Precision, add)}
}

// NewSelfLayer registers a layer; names begin with prefix.
func NewSelfLayer(ps *Params, prefix string, c SelfConfig, add func(*Matrix)) *SelfLayer {
	l := &SelfLayer{
		NormConv: NewRMSNorm(ps, prefix+"conv_norm", c.Width),
		Conv:     NewConv(ps, prefix+"conv", c.Width, c.Taps),
		NormAttn: NewRMSNorm(ps, prefix+"attn_norm", c.Width),
		Attn:     NewWindow(ps, prefix+"attn", c.Width, c.Heads, c.Window, 0.3, c.Precision, add),
		NormFF:   NewRMSNorm(ps, prefix+"ffn_norm", c.Width),
		FF:       NewFeedForward(ps, prefix+"ffn", c, add),
	}
	l.Attn.Ahead = c.Ahead
	return l
}

// Forward applies the layer to x [T, D] in place.
func (l *SelfLayer) Forward(s *Scratch, w, x []float32, t *Tokens, act *SelfAct) {
	step := func(i int, norm *RMSNorm) []float32 {
		act.in[i] = x
		if s.Keep {
			act.in[i] = s.Floats(len(x))
			copy(act.in[i], x)
		}
		act.norm[i] = s.Floats(len(x))
		act.inv[i] = norm.Forward(s, w, act.norm[i], x)
		return act.norm[i]
	}
	l.Conv.Forward(w, x, step(0, l.NormConv), t)
	l.Attn.Forward(s, x, step(1, l.NormAttn), t, &act.attn)
	l.FF.Forward(s, w, x, step(2, l.NormFF), t.T, &act.FF)
}

// Backward turns dx, the gradient of the layer's output, into that of its
// input, in place.
func (l *SelfLayer) Backward(s *Scratch, w, g, dx []float32, t *Tokens, act *SelfAct) {
	step := func(i int, norm *RMSNorm, back func(dn, dy, n []float32)) {
		mark := s.Mark()
		dn := s.Zeros(len(dx))
		back(dn, dx, act.norm[i])
		norm.Backward(w, g, dx, dn, act.in[i], act.inv[i])
		s.Release(mark)
	}
	step(2, l.NormFF, func(dn, dy, n []float32) { l.FF.Backward(s, g, dn, dy, n, t.T, &act.FF) })
	step(1, l.NormAttn, func(dn, dy, n []float32) { l.Attn.Backward(s, g, dn, dy, n, t, &act.attn) })
	step(0, l.NormConv, func(dn, dy, n []float32) { l.Conv.Backward(w, g, dn, dy, n, t) })
}
