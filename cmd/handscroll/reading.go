package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handscroll/handscroll"
)

// reading is a context of either kind of model.
type reading interface {
	Read(ctx context.Context, parts []handscroll.Part, progress func(handscroll.Progress)) error
	Ask(ctx context.Context, question string) (*handscroll.Answer, error)
	Tokens() int
	Sources() []handscroll.Source
	Close() error
}

// identified is a model of either kind.
type identified interface {
	Name() string
	Fingerprint() string
}

// answerFlags say how open weights answer. The native model is always greedy.
type answerFlags struct {
	sampling   handscroll.Sampling
	schemaFile string
	cache      string
	window     int
}

func (f *answerFlags) add(cmd *cobra.Command) {
	s := &f.sampling
	cmd.Flags().Float64Var(&s.Temperature, "temperature", 0, "open weights: spread of the choice of tokens; 0 takes the likeliest")
	cmd.Flags().IntVar(&s.TopK, "top-k", 0, "open weights: choose among the K likeliest tokens (default: all)")
	cmd.Flags().Float64Var(&s.TopP, "top-p", 0, "open weights: choose among the likeliest that reach this probability (default: all)")
	cmd.Flags().Float64Var(&s.MinP, "min-p", 0, "open weights: choose among those this times as likely as the likeliest (default: all)")
	cmd.Flags().Float64Var(&s.RepeatPenalty, "repeat-penalty", 0, "open weights: makes tokens that were seen less likely, 1.1 a little (default: not)")
	cmd.Flags().StringArrayVar(&s.Stop, "stop", nil, "open weights: text that ends the answer (repeatable)")
	cmd.Flags().StringVar(&f.schemaFile, "schema", "", "open weights: file with a JSON schema that the answer follows")
	cmd.Flags().StringVar(&f.cache, "cache", "f16", "open weights: keys and values as f16, q8_0 or f32")
	cmd.Flags().IntVar(&f.window, "context-size", 0, "open weights: tokens of prompt and answer (default: what the model was trained on)")
}

// options returns what the flags say.
func (f *answerFlags) options(memory size, seed int64, maxTokens int) (handscroll.WeightsOptions, error) {
	o := handscroll.WeightsOptions{Context: f.window, Cache: f.cache, MaxMemory: int64(memory), Sampling: f.sampling}
	o.Seed, o.MaxTokens = uint64(seed), maxTokens
	if f.window < 0 {
		return o, usageError{fmt.Errorf("--context-size %d", f.window)}
	}
	if f.schemaFile != "" {
		schema, err := os.ReadFile(f.schemaFile)
		if err != nil {
			return o, err
		}
		o.Schema = schema
	}
	return o, nil
}

// native reports whether the model is one of the native architecture.
func (f *modelFlags) native() (bool, error) {
	if f.path == "" {
		return true, nil
	}
	return handscroll.IsNative(f.path)
}

// openWeights opens open weights and lays them out, showing how far that is.
func (f *modelFlags) openWeights(cmd *cobra.Command) (*handscroll.Weights, error) {
	if err := f.setThreads(); err != nil {
		return nil, err
	}
	w, err := handscroll.OpenWeights(f.path)
	if err != nil {
		return nil, err
	}
	show := newProgress(cmd.ErrOrStderr())
	err = w.Prepare(int64(f.weights), func(done, total int) {
		show.show(func() string { return fmt.Sprintf("laying out %s %d %%", f.path, 100*done/max(1, total)) })
	})
	show.clear()
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// openReading opens a model and a context of it: the one stored in dir, or an empty
// one in memory if dir is "". What it returns last closes both.
func (f *modelFlags) openReading(cmd *cobra.Command, dir string, o handscroll.ContextOptions, w handscroll.WeightsOptions) (reading, identified, func() error, error) {
	native, err := f.native()
	if err != nil {
		return nil, nil, nil, err
	}
	if native {
		m, err := f.open()
		if err != nil {
			return nil, nil, nil, err
		}
		if dir == "" {
			c := m.NewContext(o)
			return c, m, c.Close, nil
		}
		c, err := m.OpenContext(dir, o)
		if err != nil {
			return nil, nil, nil, err
		}
		return c, m, c.Close, nil
	}
	weights, err := f.openWeights(cmd)
	if err != nil {
		return nil, nil, nil, err
	}
	w.Replace = o.Replace
	c, err := weights.OpenContext(dir, w)
	if err != nil {
		return nil, nil, nil, errors.Join(err, weights.Close())
	}
	return c, weights, func() error { return errors.Join(c.Close(), weights.Close()) }, nil
}

// fork returns a context in memory that begins with what a stored one holds.
func fork(c reading) reading {
	if w, ok := c.(*handscroll.WeightsContext); ok {
		return w.Fork()
	}
	return c.(*handscroll.Context).Fork()
}

func isWeights(c reading) bool {
	_, ok := c.(*handscroll.WeightsContext)
	return ok
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readable leaves out, and says so, the parts that the model of c cannot read: open
// weights read text alone.
func readable(cmd *cobra.Command, c reading, parts []handscroll.Part) []handscroll.Part {
	if !isWeights(c) {
		return parts
	}
	var out []handscroll.Part
	var skipped []handscroll.Skipped
	for _, p := range parts {
		if p.Kind() == handscroll.Text {
			out = append(out, p)
		} else {
			skipped = append(skipped, handscroll.Skipped{Source: p.Source, Reason: fmt.Sprintf("a %s; open weights read text alone", p.Kind())})
		}
	}
	saySkipped(cmd.ErrOrStderr(), skipped)
	return out
}
