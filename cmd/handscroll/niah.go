package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/eval/task"
)

type niahFlags struct {
	model    modelFlags
	endpoint endpointFlags
	media    modalityFlags
	task     string
	template string
	lengths  string
	depths   string
	trials   int
	needles  int
	haystack []string
	seed     uint64
	out      string
	direct   bool
	json     bool
}

func newNiahCmd() *cobra.Command {
	var f niahFlags
	cmd := &cobra.Command{
		Use:   "niah",
		Short: "Measure what is found: needles in a haystack",
		Long: `Measure what is found: hide needles at chosen depths of a haystack, ask for
them, and draw the recall as a heat map.

The haystack is read once, repeated as often as the longest context asks for;
each trial is its first tokens with the needle set in at a sentence or line end
near the wanted depth. An answer is right if it contains the expected string.

Tasks:
  niah       a number under the name of a city; --template gemini is the wording
             of the Gemini 1.5 report, mixed draws from a dozen. With --needles K
             K needles share a context and are asked for one by one
  heldout    wordings, keys and kinds of value that no training list holds
  lookalike  K needles among K whose keys differ in a letter, digit or word
  absent     two questions a context: one has an answer there, one has not
  quote      a sentence of the haystack, to be continued from its first six words

With --modality the haystack is a film, a recording or a mix, --lengths are times,
and found (the second that is named is right) and exact (the answer is right) are
counted apart:
  video      one frame that shows The secret word is "…" at 1 frame/s; --haystack
             names films to be repeated, else a film is generated, of --clips too
  audio      a spoken "the secret keyword is …" among the sentences of --haystack,
             spoken, or its recordings, repeated; homophones are right
  mixed      a film with speech, a book and code in one context, a needle in each;
             --haystack names films, texts and programs
and with --task:
  contest    generated slam dunk contests: who scored the perfect 50, and when
  sight      shapes in a generated film: when one appears, and which of two does
Fonts and voices are held out from training, and so are keywords, players and the
half of secret words that is invented. Speech needs espeak-ng.

The directory of --out gets run.json, results.jsonl (a line a question),
summary.json (recall with 95 % Wilson intervals), heatmap.png and heatmap.svg.
After an interruption the same command goes on.

With --endpoint the model of another program is measured, over text: every question
sends its context. Lengths then are in its tokens, as estimated from samples that it
counts, and the seconds of an answer include reading.

Without --haystack the sources of the installed Go are read, or, where there is
no Go, generated prose.`,
		Example: `  handscroll niah --lengths 1k,32k,1m --trials 10
  handscroll niah --lengths all --task quote --haystack book.txt.gz --out quote
  handscroll niah --lengths 1m --task lookalike --needles 100 --trials 3 --out alike
  handscroll niah --modality video --lengths 1m,10m,1h,3h --trials 16 --out video
  handscroll niah --modality audio --haystack book.txt.gz --trials 13 --out audio
  handscroll niah --task contest --trials 50 --out contest
  handscroll niah --endpoint http://127.0.0.1:8000/v1 --lengths 4k,32k,128k --out vllm`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("niah: %q: files are named with --haystack", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.model.add(cmd)
	f.endpoint.add(cmd, false)
	f.media.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.task, "task", "niah", "niah, heldout, lookalike, absent or quote; contest or sight")
	flags.StringVar(&f.template, "template", "gemini", "wording of niah and lookalike: gemini or mixed")
	flags.StringVar(&f.lengths, "lengths", "1k,32k,128k", "context lengths in tokens (k a thousand, m a million), or all: the haystack once; of films and recordings times such as 10m,3h")
	flags.StringVar(&f.depths, "depths", "0,14,29,43,57,71,86,100", "depths of the needle in percent")
	flags.IntVar(&f.trials, "trials", 5, "trials of each length and depth; contexts of each length where needles share one")
	flags.IntVar(&f.needles, "needles", 0, "needles in one context (default 1; lookalike 100)")
	flags.StringArrayVar(&f.haystack, "haystack", nil, "file, directory, glob or archive to hide in (repeatable)")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of every random choice")
	flags.StringVar(&f.out, "out", "niah", "directory for the results")
	flags.BoolVar(&f.direct, "direct", false, "read every context from scratch, to check that it makes no difference")
	flags.BoolVar(&f.json, "json", false, "print summary.json instead of a table")
	return cmd
}

// niahMaxAnswer is longer, in tokens, than any answer that is expected. It ends
// answers that wander.
const niahMaxAnswer = 256

func (f *niahFlags) run(cmd *cobra.Command) error {
	away, err := f.endpoint.given(cmd)
	switch {
	case err != nil:
		return err
	case away && (f.media.modality != "text" || f.task == "contest" || f.task == "sight"):
		return usageError{errors.New("niah: --endpoint: models elsewhere are measured over text alone so far; leave out --modality, and take a --task of text")}
	case away && f.direct:
		return usageError{errors.New("niah: --endpoint reads every context from scratch in any case; leave out --direct")}
	}
	study, err := f.study(cmd)
	if err != nil {
		return err
	}
	if study != nil {
		return f.observe(cmd, study)
	}
	c, err := f.config()
	if err != nil {
		return usageError{fmt.Errorf("niah: %w", err)}
	}
	if c.Haystack, err = f.openHaystack(cmd, c.Lengths); err != nil {
		return err
	}
	if c.Model, err = f.open(cmd, away); err != nil {
		return err
	}
	show := newProgress(cmd.ErrOrStderr())
	fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: %s, seed %d, in %s, results in %s\n", c.Task.Name(), f.seed, c.Haystack.Name, f.out)
	var last eval.Status
	c.Report = func(s eval.Status) {
		last = s
		showStatus(show, s)
	}
	sum, err := eval.Run(cmd.Context(), c)
	show.clear()
	if errors.Is(err, context.Canceled) && last.Total > 0 && !last.Reading {
		fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: %d of %d questions are done; the same command goes on\n", last.Done, last.Total)
	}
	if err != nil {
		return err
	}
	if f.json {
		return printIndented(cmd.OutOrStdout(), sum)
	}
	return printSummary(cmd.OutOrStdout(), sum, f.out, away)
}

// open opens the model that is measured.
func (f *niahFlags) open(cmd *cobra.Command, away bool) (eval.Model, error) {
	if away {
		c, err := f.endpoint.open(cmd, "model", "threads", "weights-memory")
		if err != nil {
			return nil, err
		}
		return eval.Remote(c, endpointAnswer), nil
	}
	model, err := f.model.open()
	if err != nil {
		return nil, err
	}
	return eval.Native(model, handscroll.ContextOptions{Threads: f.model.threads, MaxAnswer: niahMaxAnswer}), nil
}

func printIndented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// config is what the flags say, but for the model and the haystack.
func (f *niahFlags) config() (eval.Config, error) {
	c := eval.Config{Seed: f.seed, Dir: f.out, Direct: f.direct}
	var err error
	if c.Lengths, err = parseLengths(f.lengths); err != nil {
		return c, err
	}
	if c.Grid.Depths, err = parseDepths(f.depths); err != nil {
		return c, err
	}
	if task.Wordings[f.template] == nil {
		return c, fmt.Errorf("--template: %q is neither gemini nor mixed", f.template)
	}
	needles := 1
	switch f.task {
	case "niah":
		c.Task = task.NIAH{Wording: f.template}
	case "heldout":
		c.Task = task.HeldOut{}
	case "lookalike":
		c.Task, needles = task.Lookalike{Wording: f.template}, 100
	case "absent":
		c.Task = task.Absent{}
	case "quote":
		c.Task = &task.Quote{}
	default:
		return c, fmt.Errorf("--task: there is no %q; there are niah, heldout, lookalike, absent and quote, and contest and sight", f.task)
	}
	if f.needles != 0 {
		needles = f.needles
	}
	c.Grid.Trials, c.Grid.Needles = f.trials, needles
	if f.trials < 1 || needles < 1 {
		return c, fmt.Errorf("%d trials of %d needles", f.trials, needles)
	}
	return c, nil
}

// parseDepths reads a list of percentages.
func parseDepths(list string) ([]float64, error) {
	var out []float64
	for s := range strings.SplitSeq(list, ",") {
		d, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), "%"), 64)
		if err != nil || !(d >= 0 && d <= 100) {
			return nil, fmt.Errorf("--depths: %q is no percentage", s)
		}
		out = append(out, d)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// parseLengths reads a list such as 1k,32k,1.5m,all.
func parseLengths(list string) ([]int, error) {
	var out []int
	for s := range strings.SplitSeq(list, ",") {
		s = strings.ToLower(strings.TrimSpace(s))
		if s == "all" {
			out = append(out, eval.Whole)
			continue
		}
		number, unit := s, 1.0
		if n, ok := strings.CutSuffix(s, "k"); ok {
			number, unit = n, 1e3
		} else if n, ok := strings.CutSuffix(s, "m"); ok {
			number, unit = n, 1e6
		}
		n, err := strconv.ParseFloat(number, 64)
		// Eight tokens are about a needle; the upper bound keeps the product an int.
		if err != nil || !(n*unit >= 8 && n*unit <= 1e12) {
			return nil, fmt.Errorf("--lengths: %q is no length: write 1000, 32k, 1.5m or all", s)
		}
		out = append(out, int(n*unit))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// bytesPerToken is more than the text of a token is long on average, whatever
// the haystack: text beyond it is not needed.
const bytesPerToken = 8

// openHaystack opens what the flags name, as far as the lengths need it.
func (f *niahFlags) openHaystack(cmd *cobra.Command, lengths []int) (*eval.Haystack, error) {
	enough := bytesPerToken * slices.Max(lengths)
	names, name := f.haystack, haystackName(f.haystack)
	if len(names) == 0 {
		names, name = goSources(cmd.Context()), "the Go sources"
	}
	if len(names) == 0 {
		var text bytes.Buffer
		n := min(max(enough, 1<<20), 8<<20)
		if err := eval.Generate(&text, rand.New(rand.NewPCG(f.seed, 0)), n); err != nil {
			return nil, err
		}
		return eval.NewHaystack("generated prose", []eval.Part{{Source: "prose", Text: text.Bytes()}})
	}
	files, err := openFiles(cmd, names, 0)
	if err != nil {
		return nil, err
	}
	var parts []eval.Part
	for size := 0; len(files) > 0 && (size < enough || slices.Contains(lengths, eval.Whole)); files = files[1:] {
		parts = append(parts, eval.Part{Source: files[0].Source, Text: files[0].Text})
		size += len(files[0].Text)
	}
	return eval.NewHaystack(name, parts)
}

// goSources is the folder of the installed Go's sources, nothing without Go.
func goSources(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil
	}
	return []string{filepath.Join(strings.TrimSpace(string(out)), "src")}
}

// haystackName is the base name of the first file and how many there are more.
func haystackName(names []string) string {
	if len(names) == 0 {
		return ""
	}
	name := filepath.Base(names[0])
	if n := len(names) - 1; n > 0 {
		name += fmt.Sprintf(" and %d more", n)
	}
	return name
}

// showStatus writes how far a run is, how well it goes and how long still.
func showStatus(show *progress, s eval.Status) {
	if show.w == nil || time.Since(show.last) < 100*time.Millisecond {
		return
	}
	show.last = time.Now()
	fmt.Fprintf(show.w, "\r\x1b[K%s", statusLine(s))
}

func statusLine(s eval.Status) string {
	part := float64(s.Done) / float64(max(s.Total, 1))
	fresh, left := s.Done, ""
	line := fmt.Sprintf("asking %3.0f %%  %d of %d  recall %.2f %%", 100*part, s.Done, s.Total, 100*float64(s.OK)/float64(max(s.Done, 1)))
	if s.Reading {
		line = fmt.Sprintf("reading %3.0f %%  %s of %s tokens  %s", 100*part, eval.Tokens(s.Done), eval.Tokens(s.Total), rate(s.Done, s.Elapsed))
	} else {
		fresh = s.Fresh
	}
	if s.Elapsed > 2*time.Second && fresh > 0 && s.Done < s.Total {
		d := time.Duration(float64(s.Elapsed) * float64(s.Total-s.Done) / float64(fresh))
		left = "  " + d.Round(time.Second).String() + " left"
	}
	return line + left
}

// printSummary prints recall by length, and beneath it what else was counted. Where the
// model is away, reading is part of every answer.
func printSummary(w io.Writer, s *eval.Summary, dir string, away bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "tokens\trecall\t95 % interval\tright\tasked\ts/answer\t")
	row := func(name string, r eval.Rate, seconds string) {
		fmt.Fprintf(t, "%s\t%.2f %%\t%.2f – %.2f\t%d\t%d\t%s\t\n", name, 100*r.Rate, 100*r.Low, 100*r.High, r.OK, r.Trials, seconds)
	}
	for _, l := range s.Lengths {
		row(eval.Tokens(l.Length), l.Rate, fmt.Sprintf("%.3f", l.Seconds))
	}
	if len(s.Lengths) > 1 {
		row("all", s.Recall, "")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nanswer exactly the expected string: %s; evidence shows it: %s\n", rateText(s.Strict), rateText(s.Grounded))
	if a := s.Absence; a != nil {
		fmt.Fprintf(w, "absent answers reported absent: %s; present ones called absent: %s\n", rateText(a.Reported), rateText(a.Denied))
	}
	if away {
		fmt.Fprintf(w, "a haystack of about %d tokens, sent with every question\n", s.Reading.Tokens)
	} else {
		fmt.Fprintf(w, "read %d tokens in %.1f s, %s\n", s.Reading.Tokens, s.Reading.Seconds,
			rate(s.Reading.Tokens, time.Duration(s.Reading.Seconds*float64(time.Second))))
	}
	_, err := fmt.Fprintf(w, "heat map: %s\n", filepath.Join(dir, "heatmap.png"))
	return err
}

func rateText(r eval.Rate) string {
	return fmt.Sprintf("%.2f %% (%d of %d)", 100*r.Rate, r.OK, r.Trials)
}
