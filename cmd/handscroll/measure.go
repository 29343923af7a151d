package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/eval/task"
)

type measureFlags struct {
	model     modelFlags
	file      string
	reference string
	texts     []string
	fonts     []string
	samples   int
	seed      uint64
	json      bool
}

func newMeasureCmd() *cobra.Command {
	var f measureFlags
	cmd := &cobra.Command{
		Use:   "measure hearing|reading",
		Short: "Measure how well words are heard and letters are read",
		Long: `Measure how well words are heard and letters are read.

hearing is the word error rate: of sentences spoken in voices held out from
training, or with -f of a recording whose transcript is --reference.
reading is the character error rate in pictures full of text, in fonts held out
from training; words are compared wherever they stand.`,
		Example: `  handscroll measure hearing --samples 500 --text book.txt.gz
  handscroll measure hearing -f talk.flac --reference talk.txt
  handscroll measure reading --samples 500`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "hearing" && args[0] != "reading" {
				return usageError{errors.New("measure: say hearing or reading")}
			}
			if f.samples < 1 {
				return usageError{fmt.Errorf("measure: --samples %d", f.samples)}
			}
			if (f.file == "") != (f.reference == "") {
				return usageError{errors.New("measure: -f and --reference go together")}
			}
			return f.run(cmd, args[0])
		},
	}
	f.model.add(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "", "hearing: recording to be heard")
	flags.StringVar(&f.reference, "reference", "", "hearing: file with the recording's transcript")
	flags.StringArrayVar(&f.texts, "text", nil, "hearing: file or directory that sentences are taken from (repeatable; default: generated prose)")
	flags.StringArrayVar(&f.fonts, "fonts", nil, "reading: folder of fonts; those held out from training are used (repeatable; default /usr/share/fonts)")
	flags.IntVar(&f.samples, "samples", 200, "sentences or pictures")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of every random choice")
	flags.BoolVar(&f.json, "json", false, "print an object instead of a line")
	return cmd
}

func (f *measureFlags) run(cmd *cobra.Command, what string) error {
	m, err := f.model.open()
	if err != nil {
		return err
	}
	senses := eval.NativeSenses(m, handscroll.ContextOptions{Threads: f.model.threads})
	show := newProgress(cmd.ErrOrStderr())
	report := func(done int) {
		show.show(func() string { return fmt.Sprintf("%s  %d of %d", what, done, f.samples) })
	}
	begin := time.Now()
	var e task.Errors
	unit := "words"
	switch {
	case what == "reading":
		unit = "characters"
		e, err = f.reading(cmd.Context(), senses, report)
	case len(m.Words()) == 0:
		err = errors.New("measure: the model has no ears")
	case f.file != "":
		e, err = f.recording(cmd, senses)
	default:
		e, err = f.spoken(cmd, senses, report)
	}
	show.clear()
	if err != nil {
		return err
	}
	if f.json {
		return printIndented(cmd.OutOrStdout(), e)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %.2f %% of %s wrong: %d errors in %d, %d samples, seed %d, %s\n",
		what, 100*e.Rate, unit, e.Edits, e.Length, e.Samples, f.seed, time.Since(begin).Round(time.Second/10))
	return err
}

func (f *measureFlags) reading(ctx context.Context, m eval.Senses, report func(int)) (task.Errors, error) {
	fonts, err := task.LoadFonts(fontFolders(f.fonts)...)
	if err != nil {
		return task.Errors{}, err
	}
	return task.ReadErrors(ctx, m, fonts, f.seed, f.samples, report)
}

func (f *measureFlags) recording(cmd *cobra.Command, m eval.Senses) (e task.Errors, err error) {
	reference, err := os.ReadFile(f.reference)
	if err != nil {
		return e, err
	}
	parts, err := openFiles(cmd, []string{f.file}, 0)
	if err != nil {
		return e, err
	}
	return task.RecordedErrors(cmd.Context(), m, parts[0], string(reference))
}

func (f *measureFlags) spoken(cmd *cobra.Command, m eval.Senses, report func(int)) (e task.Errors, err error) {
	name, texts := "generated prose", []string(nil)
	if len(f.texts) > 0 {
		parts, err := openFiles(cmd, f.texts, enoughText)
		if err != nil {
			return e, err
		}
		name, texts = haystackName(f.texts), textsOf(parts)
	} else {
		var text strings.Builder
		if err := eval.Generate(&text, rand.New(rand.NewPCG(f.seed, 0)), 1<<20); err != nil {
			return e, err
		}
		texts = []string{text.String()}
	}
	s, err := task.NewSpeech(name, f.seed, texts)
	if err != nil {
		return e, err
	}
	return task.SpokenErrors(cmd.Context(), m, s, f.samples, report)
}
