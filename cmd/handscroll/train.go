package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handscroll/handscroll/internal/train"
)

func newTrainCmd() *cobra.Command {
	var recipe, out string
	cmd := &cobra.Command{
		Use:   "train -r RECIPE [--out DIR]",
		Short: "Train a native model from a recipe",
		Long: `Train a native model from a recipe: vocabulary, data, weights, all from its seed.

The run's folder holds checkpoint.gguf, from which the same command goes on
after a stop, train.jsonl with a line of metrics a step, curves.png, and at the
end model.gguf, which every command takes as --model. Ctrl-C finishes the step
and saves a checkpoint; a second one ends at once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if recipe == "" {
				return usageError{errors.New("train: name a recipe with -r, for example recipes/nano.yaml")}
			}
			kind, err := train.SenseKind(recipe)
			if err != nil {
				return err
			}
			if kind != "" {
				return runTrainSense(cmd, recipe, out)
			}
			return runTrain(cmd, recipe, out)
		},
	}
	cmd.Flags().StringVarP(&recipe, "recipe", "r", "", "recipe file (YAML)")
	cmd.Flags().StringVar(&out, "out", "", "folder of the run (default runs/NAME of the recipe)")
	return cmd
}

func runTrain(cmd *cobra.Command, path, out string) (err error) {
	ctx := cmd.Context()
	r, err := train.LoadRecipe(path)
	if err != nil {
		return err
	}
	if out == "" {
		out = filepath.Join("runs", r.Name)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	say := func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), s) }
	start := train.Start
	if _, err := os.Stat(filepath.Join(out, train.CheckpointName)); err == nil {
		start = func(r *train.Recipe, log func(string)) (*train.Trainer, error) { return train.Resume(r, out, log) }
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("train: %w", err)
	}
	t, err := start(r, say)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	say(fmt.Sprintf("%s: %d parameters, seed %d, from step %d of %d", r.Name, len(t.Model.Params.Data), r.Seed, t.Step, r.Steps))
	log, err := train.OpenLog(out, t.Step)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	p := newTrainProgress(r.Steps)
	var logErr error
	err = t.Run(ctx, func(m *train.Metrics) {
		if logErr == nil {
			logErr = log.Add(m)
		}
		if line := p.line(m); line != "" {
			say(line)
		}
	}, func() error {
		return errors.Join(t.Save(out), log.Plot(filepath.Join(out, "curves.png"), r.Name))
	})
	if err = errors.Join(err, logErr); err != nil {
		if ctx.Err() != nil {
			say("stopped; the same command goes on from " + filepath.Join(out, train.CheckpointName))
		}
		return err
	}
	c := t.Calibrate()
	say(fmt.Sprintf("calibrated on %d questions: bias of absent %.2f; with an answer yet called absent %.2f%%, absent and called so %.1f%%",
		c.Present+c.Absent, c.Bias, 100*c.FalseAbsent, 100*c.FoundAbsent))
	path = filepath.Join(out, "model.gguf")
	if err := t.SaveModel(path); err != nil {
		return err
	}
	say("the model is " + path)
	return nil
}

// trainProgress prints a line now and then: often on a terminal, rarely in a pipe.
type trainProgress struct {
	steps  int
	every  time.Duration
	last   time.Time
	tokens int
	rate   float64 // steps a second, smoothed
}

func newTrainProgress(steps int) *trainProgress {
	p := &trainProgress{steps: steps, every: time.Minute, last: time.Now()}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.every = 2 * time.Second
	}
	return p
}

func (p *trainProgress) line(m *train.Metrics) string {
	p.tokens += m.Tokens
	if p.rate == 0 {
		p.rate = 1 / m.Seconds
	}
	p.rate += 0.02 * (1/m.Seconds - p.rate)
	since := time.Since(p.last)
	if since < p.every && m.Step != p.steps {
		return ""
	}
	left := time.Duration(float64(p.steps-m.Step) / p.rate * float64(time.Second)).Round(time.Second)
	var load strings.Builder
	for i := 0; i+1 < len(m.Load); i += 2 {
		fmt.Fprintf(&load, " %.2f–%.2f", m.Load[i], m.Load[i+1])
	}
	s := fmt.Sprintf("step %d/%d  %d tokens long  answers %.3f  lm %.3f  pointer %.3f  exact %.1f%%  %.1fk tokens/s  experts%s  %s left",
		m.Step, p.steps, m.Length, m.Answer, m.LM, m.Pointer, 100*m.Exact, float64(p.tokens)/since.Seconds()/1000, load.String(), left)
	p.tokens, p.last = 0, time.Now()
	return s
}
