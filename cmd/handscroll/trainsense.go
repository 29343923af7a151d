package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handscroll/handscroll/internal/train"
)

// runTrainSense trains eyes or ears.
func runTrainSense(cmd *cobra.Command, path, out string) (err error) {
	ctx := cmd.Context()
	r, err := train.LoadSenseRecipe(path)
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
	t, err := train.OpenSense(ctx, r, out, say)
	if err != nil {
		return err
	}
	say(fmt.Sprintf("%s: %d parameters, seed %d, from step %d of %d", r.Name, t.Size(), r.Seed, t.Step, r.Steps))
	log, err := os.OpenFile(filepath.Join(out, train.LogName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	p := newSenseProgress(r.Steps)
	enc := json.NewEncoder(log)
	var logErr error
	err = t.Run(ctx, func(m *train.SenseMetrics) {
		if logErr == nil {
			logErr = enc.Encode(m)
		}
		if line := p.line(m); line != "" {
			say(line)
		}
	}, func() error { return t.Save(out) })
	if err = errors.Join(err, logErr); err != nil {
		if ctx.Err() != nil {
			say("stopped; the same command goes on from " + filepath.Join(out, train.CheckpointName))
		}
		return err
	}
	if threshold, missed, alarms := t.Calibrate(); threshold > 0 {
		say(fmt.Sprintf("calibrated: threshold %.2f; answers passed over %.2f%%, false alarms %.2f%%", threshold, 100*missed, 100*alarms))
	}
	path = filepath.Join(out, "model.gguf")
	if err := t.SaveModel(path); err != nil {
		return err
	}
	say("the sense is " + path)
	return nil
}

// senseProgress prints a line now and then: means since the last one.
type senseProgress struct {
	steps int
	every time.Duration
	last  time.Time
	mean  map[string][2]float64
	n     int
}

func newSenseProgress(steps int) *senseProgress {
	p := &senseProgress{steps: steps, every: time.Minute, last: time.Now(), mean: map[string][2]float64{}}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		p.every = 5 * time.Second
	}
	return p
}

func (p *senseProgress) line(m *train.SenseMetrics) string {
	for k, v := range m.Mean {
		s := p.mean[k]
		p.mean[k] = [2]float64{s[0] + v, s[1] + 1}
	}
	p.n++
	since := time.Since(p.last)
	if since < p.every && m.Step != p.steps {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "step %d/%d", m.Step, p.steps)
	for _, k := range slices.Sorted(maps.Keys(p.mean)) {
		fmt.Fprintf(&b, "  %s %.4f", k, p.mean[k][0]/p.mean[k][1])
	}
	left := time.Duration(float64(p.steps-m.Step) * since.Seconds() / float64(p.n) * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(&b, "  %.2f s a step  %s left", since.Seconds()/float64(p.n), left)
	p.mean, p.n, p.last = map[string][2]float64{}, 0, time.Now()
	return b.String()
}
