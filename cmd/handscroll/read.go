package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

type readFlags struct {
	model   modelFlags
	media   mediaFlags
	context string
	replace bool
	cache   string
	window  int
}

func newReadCmd() *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:   "read -c NAME PATH...",
		Short: "Read files into a stored context, to be asked at any time",
		Long: `Read files into a stored context, to be asked at any time.

PATH is as for ask. Files that are stored already and have not changed are not
read again; new ones are added. After an interruption of any kind the same
command goes on where it stopped, and until then the context is not asked;
without PATH a file that was left half read is finished, and no more read. The text is stored as well, so that quotes survive the files.

Contexts are kept under HANDSCROLL_HOME, or in the platform's data directory.`,
		Example: `  handscroll read -c library books/*.txt.gz
  handscroll ask -c library "Who opens the gate?"`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.model.add(cmd)
	f.media.add(cmd)
	cmd.Flags().StringVarP(&f.context, "context", "c", "", "name of the stored context")
	cmd.Flags().StringVar(&f.cache, "cache", "f16", "open weights: keys and values as f16, q8_0 or f32")
	cmd.Flags().IntVar(&f.window, "context-size", 0, "open weights: tokens of prompt and answer (default: what the model was trained on)")
	cmd.Flags().BoolVar(&f.replace, "replace", false, "read files that have changed again, in place of their old text")
	return cmd
}

func (f *readFlags) run(cmd *cobra.Command, names []string) error {
	if f.context == "" {
		return usageError{errors.New("read: name the context with -c NAME")}
	}
	dir, err := handscroll.ContextDir(f.context)
	if err != nil {
		return usageError{err}
	}
	if len(names) == 0 && !handscroll.HasStoredContext(dir) {
		return usageError{errors.New("read: name what to read")}
	}
	var parts []handscroll.Part
	if len(names) > 0 {
		if parts, err = f.media.open(cmd, names, 0); err != nil {
			return err
		}
	}
	opts := handscroll.ContextOptions{Threads: f.model.threads, Replace: f.replace}
	c, _, done, err := f.model.openReading(cmd, dir, opts, handscroll.WeightsOptions{Cache: f.cache, Context: f.window})
	if err != nil {
		return err
	}
	defer done()
	show := newProgress(cmd.ErrOrStderr())
	var last handscroll.Progress
	begin := time.Now()
	err = c.Read(cmd.Context(), readable(cmd, c, parts), func(p handscroll.Progress) {
		last = p
		show.update(p)
	})
	show.clear()
	if errors.Is(err, context.Canceled) {
		return &interruptedRead{f.context, c.Tokens(), err}
	}
	if err != nil {
		return err
	}
	took := time.Since(begin)
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d tokens in %d parts; %d read now", f.context, c.Tokens(), len(c.Sources()), last.Tokens)
	if last.Tokens > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), " in %s, %s", took.Round(10*time.Millisecond), rate(last.Tokens, took))
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}

func rate(tokens int, d time.Duration) string {
	r := float64(tokens) / max(d.Seconds(), 1e-3)
	if r < 1000 {
		return fmt.Sprintf("%.0f tokens/s", r)
	}
	return fmt.Sprintf("%.1fk tokens/s", r/1000)
}
