package model

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/nn"
)

// Config is the native model's shape, as stored in GGUF metadata.
type Config struct {
	Vocab       int          `yaml:"vocab"`
	Width       int          `yaml:"width"`        // D of every layer
	SelfLayers  int          `yaml:"self_layers"`  // windowed layers
	CrossLayers int          `yaml:"cross_layers"` // global layers
	Heads       int          `yaml:"heads"`        // of windowed attention
	Window      int          `yaml:"window"`       // tokens, itself included
	Taps        int          `yaml:"taps"`         // of the causal convolution
	Experts     int          `yaml:"experts"`      // 0: a dense feed-forward
	TopK        int          `yaml:"top_k"`        // experts a token
	Hidden      int          `yaml:"hidden"`       // of an expert (or of the dense feed-forward)
	CrossHeads  int          `yaml:"cross_heads"`
	KeyDim      int          `yaml:"key_dim"`
	ValueDim    int          `yaml:"value_dim"`
	Lookahead   int          `yaml:"lookahead"` // tokens a key looks ahead
	Ahead       int          `yaml:"ahead"`     // tokens the entry layer looks ahead, 0 for no such layer
	RopeBase    float64      `yaml:"rope_base"`
	Precision   nn.Precision `yaml:"-"` // of matrix products; not part of the file
}

// Validate checks the whole configuration once.
func (c *Config) Validate() error {
	type bound struct {
		name     string
		v, lo, h int
	}
	for _, b := range []bound{
		{"vocab", c.Vocab, 272, 1 << 20}, {"width", c.Width, 16, 8192},
		{"self_layers", c.SelfLayers, 1, 64}, {"cross_layers", c.CrossLayers, 1, 16},
		{"heads", c.Heads, 1, 256}, {"window", c.Window, 1, 4096}, {"taps", c.Taps, 1, 16},
		{"experts", c.Experts, 0, 256}, {"top_k", c.TopK, 0, 64}, {"hidden", c.Hidden, 1, 1 << 16},
		{"cross_heads", c.CrossHeads, 1, 64}, {"key_dim", c.KeyDim, 4, 1024},
		{"value_dim", c.ValueDim, 4, 1024}, {"lookahead", c.Lookahead, 1, 1024},
		{"ahead", c.Ahead, 0, 1024},
	} {
		if b.v < b.lo || b.v > b.h {
			return fmt.Errorf("model: %s is %d, want %d to %d", b.name, b.v, b.lo, b.h)
		}
	}
	switch {
	case c.Width%(2*c.Heads) != 0:
		return fmt.Errorf("model: width %d is not an even multiple of %d heads", c.Width, c.Heads)
	case c.Experts > 0 && (c.TopK < 1 || c.TopK > c.Experts):
		return fmt.Errorf("model: top_k is %d of %d experts", c.TopK, c.Experts)
	case c.KeyDim%4 != 0:
		return fmt.Errorf("model: key_dim %d is not a multiple of 4", c.KeyDim)
	case !(c.RopeBase > 1 && c.RopeBase <= 1e9): // NaN too
		return fmt.Errorf("model: rope_base is %g, want more than 1, at most 1e9", c.RopeBase)
	}
	return nil
}

// Lead is how many tokens before a chunk its entries depend on: what each
// layer's convolution and window reach back, and the key's shift by one;
// rounded up to whole blocks.
func (c *Config) Lead() int {
	reach := c.SelfLayers*(c.Window-1+c.Taps-1) + 1
	return (reach + nn.Block - 1) / nn.Block * nn.Block
}

// Reach is how many tokens after its own an entry depends on.
func (c *Config) Reach() int { return c.Lookahead + c.Ahead }
