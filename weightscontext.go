package handscroll

import (
	"context"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/sample"
)

// ContextError: a prompt is longer than a model's context; with both lengths.
type ContextError = engine.ContextError

// Sampling says how the tokens of an answer are chosen. The zero value takes the
// likeliest each time.
type Sampling struct {
	Temperature      float64 // divides the logits; 0 takes the likeliest token
	TopK             int     // keep the K likeliest; 0 keeps all
	TopP             float64 // keep the likeliest that together reach this probability; 0 and 1 keep all
	MinP             float64 // keep those at least this times as likely as the likeliest; 0 keeps all
	RepeatPenalty    float64 // of tokens seen; 0 and 1 leave them
	PresencePenalty  float64
	FrequencyPenalty float64
	Seed             uint64
	MaxTokens        int      // of an answer; 0 is 512
	Stop             []string // texts that end an answer, and are not of it
	Schema           []byte   // JSON schema that the answer must follow, if not nil; empty is any JSON
}

func (s Sampling) engine() (engine.GenerateOptions, error) {
	o := engine.GenerateOptions{
		Options: sample.Options{
			Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP, RepeatPenalty: s.RepeatPenalty,
			PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, Seed: s.Seed,
		},
		MaxTokens: s.MaxTokens, Stop: s.Stop,
	}
	if err := o.Validate(); err != nil {
		return o, err
	}
	if s.Schema != nil {
		var err error
		if o.Schema, err = sample.ParseSchema(s.Schema); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Check reports what is wrong with the options, the stop texts or the schema.
func (s Sampling) Check() error {
	if _, err := sample.NewStops(s.Stop); err != nil {
		return err
	}
	_, err := s.engine()
	return err
}

// WeightsOptions say how open weights read and answer. The zero value is a good
// default.
type WeightsOptions struct {
	Context   int    // tokens of prompt and answer; 0 is what the model was trained on
	Cache     string // how keys and values are kept: f16 (the default), q8_0 or f32
	MaxMemory int64  // bytes for them; 0 is 9/10 of what is free
	Replace   bool   // as in ContextOptions
	Sampling
	Emit func(text string) // called with each piece of an answer, if not nil
}

func (o *WeightsOptions) engine() (s engine.SessionOptions, g engine.GenerateOptions, err error) {
	s = engine.SessionOptions{Context: o.Context, MaxMemory: o.MaxMemory}
	if s.Cache, err = cacheFormat(o.Cache); err != nil {
		return s, g, err
	}
	g, err = o.Sampling.engine()
	return s, g, err
}

// WeightsContext is text that open weights have read: what [Context] is for a model
// of this module's own architecture.
type WeightsContext struct {
	d    *engine.Documents
	o    engine.GenerateOptions
	emit func(string)
}

// NewContext returns an empty context in memory.
func (w *Weights) NewContext(o WeightsOptions) (*WeightsContext, error) { return w.OpenContext("", o) }

// OpenContext opens the context stored in dir, as [Model.OpenContext] does.
func (w *Weights) OpenContext(dir string, o WeightsOptions) (*WeightsContext, error) {
	session, g, err := o.engine()
	if err != nil {
		return nil, err
	}
	d, err := w.w.NewDocuments(dir, engine.DocumentOptions{SessionOptions: session, Replace: o.Replace})
	if err != nil {
		return nil, err
	}
	return &WeightsContext{d, g, o.Emit}, nil
}

// Read appends parts, as [Context.Read] does. A context longer than the model's is a
// [*ContextError].
func (c *WeightsContext) Read(ctx context.Context, parts []Part, progress func(Progress)) error {
	ps := make([]media.Part, len(parts))
	for i, p := range parts {
		ps[i] = p.media()
	}
	return c.d.Read(ctx, ps, func(p engine.Progress) {
		if progress != nil {
			progress(Progress(p))
		}
	})
}

// Ask answers a question from the context. The weights of its evidence are shares
// of what some layers' heads looked at in the texts while answering.
func (c *WeightsContext) Ask(ctx context.Context, question string) (*Answer, error) {
	a, err := c.d.Ask(ctx, question, c.o, c.emit)
	if err != nil {
		return nil, err
	}
	return answerOf(a), nil
}

// Tokens returns how many tokens were read.
func (c *WeightsContext) Tokens() int { return c.d.Tokens() }

// Sources returns the context's parts in order.
func (c *WeightsContext) Sources() []Source { return sourcesOf(c.d.Sources()) }

// Fork returns a context in memory that begins with what c has read. c must stay
// open.
func (c *WeightsContext) Fork() *WeightsContext { return &WeightsContext{c.d.Fork(), c.o, c.emit} }

// Close releases the context.
func (c *WeightsContext) Close() error { return c.d.Close() }
