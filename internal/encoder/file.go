package encoder

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Reading is the part of the eyes that reads text in pictures.
type Reading struct {
	Config   EyesConfig
	Params   nn.Params
	Reader   *Reader
	Matrices []*nn.Matrix
}

// NewReading declares a reader; its parameters have no memory yet.
func NewReading(c EyesConfig, prec nn.Precision) (*Reading, error) {
	if err := firstError(
		within("reader.channels", c.Channels, 8, 1024), within("reader.block_count", c.Blocks, 1, 9),
		within("reader.feed_forward_length", c.Hidden, 8, 4096),
	); err != nil {
		return nil, err
	}
	v := &Reading{Config: c}
	v.Reader = NewReader(&v.Params, c, prec, func(m *nn.Matrix) { v.Matrices = append(v.Matrices, m) })
	return v, nil
}

// Seeing is the part of the eyes that sees scenes.
type Seeing struct {
	Config   ScenesConfig
	Params   nn.Params
	Scenes   *Scenes
	Matrices []*nn.Matrix
}

// NewSeeing declares it; its parameters have no memory yet.
func NewSeeing(c ScenesConfig, prec nn.Precision) (*Seeing, error) {
	v := &Seeing{Config: c}
	c.Layer.Precision = prec
	if err := firstError(
		within("scenes.channels", c.Channels, 8, 512), multiple("scenes.channels", c.Channels, 4),
		within("scenes.grid_block_count", c.Blocks, 0, 16), within("scenes.block_count", c.Layers, 0, 16),
		within("scenes.value_length", c.Value, 4, 1024), layerError("scenes", &c.Layer), within("scenes.labels", c.Classes(), 2, 4096),
	); err != nil {
		return nil, err
	}
	v.Scenes = NewScenes(&v.Params, c, func(m *nn.Matrix) { v.Matrices = append(v.Matrices, m) })
	return v, nil
}

// HearingConfig is the shape of all that hears.
type HearingConfig struct {
	Width int        `yaml:"width"` // of the text model's rows
	Ears  EarsConfig `yaml:"ears"`
}

// Hearing is the ears, what asks for what they heard, and the words they know.
type Hearing struct {
	Config   HearingConfig
	Params   nn.Params
	Ears     *Ears
	Ask      *Asker
	Lexicon  *speech.Lexicon // nil before training has made it
	Prior    []float32       // share of each phone, nil before
	Matrices []*nn.Matrix
	// Threshold is the mass off the sink from which something counts as heard.
	Threshold float32
}

// NewHearing declares ears; their parameters have no memory yet.
func NewHearing(c HearingConfig, prec nn.Precision) (*Hearing, error) {
	h := &Hearing{Config: c, Threshold: 0.5}
	c.Ears.Layer.Precision = prec
	if err := firstError(
		within("ears.stem", c.Ears.Stem, 8, 2048), within("ears.layers", c.Ears.Layers, 1, 64),
		within("ears.key_dim", c.Ears.Key, 4, 1024), within("ears.value_dim", c.Ears.Value, 4, 1024),
		within("ears.phones", c.Ears.Phones, 2, 255), layerError("ears", &c.Ears.Layer),
		within("width", c.Width, 32, 8192), multiple("width", c.Width, 32),
	); err != nil {
		return nil, err
	}
	add := func(m *nn.Matrix) { h.Matrices = append(h.Matrices, m) }
	h.Ears = NewEars(&h.Params, c.Ears, add)
	h.Ask = newAsker(&h.Params, "ears.", c.Width, c.Ears.Key, prec, add)
	return h, nil
}

// Refresh packs matrices for products; see nn.Matrix. part of parts lets several
// goroutines share the work.
func Refresh(ms []*nn.Matrix, ps *nn.Params, train bool, part, parts int) {
	for i, m := range ms {
		if i%parts == part {
			m.Refresh(ps.Data, train)
		}
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func within(name string, v, lo, hi int) error {
	if v < lo || v > hi {
		return fmt.Errorf("encoder: %s is %d, want %d to %d", name, v, lo, hi)
	}
	return nil
}

func multiple(name string, v, of int) error {
	if v%of != 0 {
		return fmt.Errorf("encoder: %s is %d, want a multiple of %d", name, v, of)
	}
	return nil
}

func layerError(name string, c *nn.SelfConfig) error {
	err := firstError(
		within(name+".embedding_length", c.Width, 16, 4096), within(name+".head_count", c.Heads, 1, 256),
		within(name+".sliding_window", c.Window, 1, 4096), within(name+".ahead", c.Ahead, 0, 1024),
		within(name+".taps", c.Taps, 1, 16), within(name+".expert_count", c.Experts, 0, 256),
		within(name+".feed_forward_length", c.Hidden, 1, 1<<16),
	)
	switch {
	case err != nil:
		return err
	case c.Width%(2*c.Heads) != 0:
		return fmt.Errorf("encoder: %s.embedding_length %d is not an even multiple of %d heads", name, c.Width, c.Heads)
	case c.Experts > 0 && (c.TopK < 1 || c.TopK > c.Experts):
		return fmt.Errorf("encoder: %s.expert_used_count is %d of %d experts", name, c.TopK, c.Experts)
	}
	return nil
}

// field ties a hyper-parameter to its metadata key.
type field struct {
	key string
	v   *int
}

func layerFields(prefix string, c *nn.SelfConfig) []field {
	return []field{
		{prefix + "embedding_length", &c.Width}, {prefix + "head_count", &c.Heads}, {prefix + "sliding_window", &c.Window},
		{prefix + "ahead", &c.Ahead}, {prefix + "taps", &c.Taps}, {prefix + "expert_count", &c.Experts},
		{prefix + "expert_used_count", &c.TopK}, {prefix + "feed_forward_length", &c.Hidden},
	}
}

const (
	readerPrefix  = "handscroll.reader."
	scenesPrefix  = "handscroll.scenes."
	hearingPrefix = "handscroll.hearing."
	// lexiconTensor holds the words that are known and how they sound, as bytes.
	lexiconTensor = "ears.lexicon"
	priorTensor   = "ears.phones.share"
)

func (c *EyesConfig) fields() []field {
	const p = readerPrefix
	return []field{{p + "channels", &c.Channels}, {p + "block_count", &c.Blocks}, {p + "feed_forward_length", &c.Hidden}}
}

func (c *ScenesConfig) fields() []field {
	const p = scenesPrefix
	return append([]field{
		{p + "channels", &c.Channels}, {p + "grid_block_count", &c.Blocks}, {p + "block_count", &c.Layers}, {p + "value_length", &c.Value},
	}, layerFields(p+"layer.", &c.Layer)...)
}

// labelKinds are the lists of labels, by the last part of their key.
var labelKinds = []string{"shapes", "colours", "motions"}

func (c *HearingConfig) fields() []field {
	const p = hearingPrefix
	e := &c.Ears
	return append([]field{
		{p + "width", &c.Width}, {p + "stem", &e.Stem}, {p + "block_count", &e.Layers}, {p + "key_length", &e.Key},
		{p + "value_length", &e.Value}, {p + "phones", &e.Phones},
	}, layerFields(p+"layer.", &e.Layer)...)
}

// Write adds the reader to a file.
func (v *Reading) Write(w *gguf.Writer, dtype tensor.DType) {
	writeFields(w, v.Config.fields())
	v.Params.Write(w, dtype, nil)
}

// Write adds the eyes for scenes to a file.
func (v *Seeing) Write(w *gguf.Writer, dtype tensor.DType) {
	writeFields(w, v.Config.fields())
	for i, l := range v.Config.Labels {
		w.Set(scenesPrefix+labelKinds[i], l)
	}
	v.Params.Write(w, dtype, nil)
}

// Write adds the ears to a file.
func (h *Hearing) Write(w *gguf.Writer, dtype tensor.DType) error {
	writeFields(w, h.Config.fields())
	w.Set(hearingPrefix+"threshold", h.Threshold)
	h.Params.Write(w, dtype, nil)
	if h.Lexicon == nil {
		return nil
	}
	b, err := h.Lexicon.Encode()
	if err != nil {
		return err
	}
	w.Add(lexiconTensor, tensor.I8, []int{len(b)}, b)
	w.Add(priorTensor, tensor.F32, []int{len(h.Prior)}, tensor.F32Bytes(h.Prior))
	return nil
}

func writeFields(w *gguf.Writer, fs []field) {
	for _, f := range fs {
		w.Set(f.key, uint32(*f.v))
	}
}

func readFields(f *gguf.File, fs []field) error {
	for _, x := range fs {
		v, err := f.Meta.Uint32(x.key)
		if err != nil {
			return err
		}
		if v > 1<<30 {
			return fmt.Errorf("encoder: %s is %d", x.key, v)
		}
		*x.v = int(v)
	}
	return nil
}

// Senses are what a model has beside text; those it lacks are nil.
type Senses struct {
	Reading *Reading
	Seeing  *Seeing
	Hearing *Hearing
}

// LoadSenses reads the senses that a file has.
func LoadSenses(f *gguf.File) (s Senses, err error) {
	has := func(key string) bool {
		_, e := f.Meta.Uint32(key)
		return err == nil && e == nil
	}
	if has(readerPrefix + "channels") {
		s.Reading, err = LoadReading(f, nn.BF16, false)
	}
	if has(scenesPrefix + "channels") {
		s.Seeing, err = LoadSeeing(f, nn.BF16, false)
	}
	if has(hearingPrefix + "width") {
		s.Hearing, err = LoadHearing(f, nn.BF16, false)
	}
	return s, err
}

// Params are the parameters of all senses, in order.
func (s *Senses) Params() []*nn.Params {
	var out []*nn.Params
	if s.Reading != nil {
		out = append(out, &s.Reading.Params)
	}
	if s.Seeing != nil {
		out = append(out, &s.Seeing.Params)
	}
	if s.Hearing != nil {
		out = append(out, &s.Hearing.Params)
	}
	return out
}

// Write adds the senses to a file.
func (s *Senses) Write(w *gguf.Writer, dtype tensor.DType) error {
	if s.Reading != nil {
		s.Reading.Write(w, dtype)
	}
	if s.Seeing != nil {
		s.Seeing.Write(w, dtype)
	}
	if s.Hearing != nil {
		return s.Hearing.Write(w, dtype)
	}
	return nil
}

// LoadReading reads a reader for use, or with train for training.
func LoadReading(f *gguf.File, prec nn.Precision, train bool) (*Reading, error) {
	var c EyesConfig
	if err := readFields(f, c.fields()); err != nil {
		return nil, err
	}
	v, err := NewReading(c, prec)
	if err != nil {
		return nil, err
	}
	if err := v.Params.Load(f); err != nil {
		return nil, err
	}
	Refresh(v.Matrices, &v.Params, train, 0, 1)
	if train || !kernel.FastInt8() {
		return v, nil
	}
	return v, v.Reader.round(v.Params.Data)
}

// LoadSeeing reads eyes for scenes for use, or with train for training.
func LoadSeeing(f *gguf.File, prec nn.Precision, train bool) (*Seeing, error) {
	var c ScenesConfig
	if err := readFields(f, c.fields()); err != nil {
		return nil, err
	}
	for _, kind := range labelKinds {
		l, err := f.Meta.Strings(scenesPrefix + kind)
		if err != nil {
			return nil, err
		}
		c.Labels = append(c.Labels, l)
	}
	v, err := NewSeeing(c, prec)
	if err != nil {
		return nil, err
	}
	if err := v.Params.Load(f); err != nil {
		return nil, err
	}
	Refresh(v.Matrices, &v.Params, train, 0, 1)
	return v, nil
}

// loadWords reads the lexicon and the phones' shares.
func (h *Hearing) loadWords(f *gguf.File) error {
	t, err := f.Tensor(lexiconTensor)
	if err != nil {
		return err
	}
	if h.Lexicon, err = speech.ParseLexicon(t.Data); err != nil {
		return fmt.Errorf("encoder: tensor %q: %w", lexiconTensor, err)
	}
	if h.Config.Ears.Phones != len(speech.Inventory) {
		return fmt.Errorf("encoder: %d phones, this program knows %d", h.Config.Ears.Phones, len(speech.Inventory))
	}
	h.Prior = make([]float32, h.Config.Ears.Phones)
	return nn.LoadTensor(f, priorTensor, h.Prior)
}

// LoadHearing reads ears for use, or with train for training.
func LoadHearing(f *gguf.File, prec nn.Precision, train bool) (*Hearing, error) {
	var c HearingConfig
	if err := readFields(f, c.fields()); err != nil {
		return nil, err
	}
	h, err := NewHearing(c, prec)
	if err != nil {
		return nil, err
	}
	if h.Threshold, err = f.Meta.Float32(hearingPrefix + "threshold"); err != nil {
		return nil, err
	}
	if err := h.Params.Load(f); err != nil {
		return nil, err
	}
	if err := h.loadWords(f); err != nil && !train {
		return nil, err
	}
	Refresh(h.Matrices, &h.Params, train, 0, 1)
	return h, nil
}
