package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

type askFlags struct {
	model     modelFlags
	media     mediaFlags
	answer    answerFlags
	endpoint  endpointFlags
	files     []string
	context   string
	json      bool
	memory    size
	maxTokens int
	seed      int64
}

func newAskCmd() *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "ask {-f PATH... | -c NAME} QUESTION",
		Short: "Answer a question from files or from a stored context",
		Long: `Answer a question from files or from a stored context.

The answer comes with its evidence: the file, the line and the passage. PATH is a
file, a directory, a quoted glob ('src/**/*.go') or - for standard input. Texts
are read as they are; PDF, HTML, Office documents, EPUB, notebooks, mail and
subtitles as text; gzip, tar and zip are opened. Of directories, what .gitignore
names, generated and binary files are skipped. With -f and -c together the files
are read after the stored context, for this question only.

With --model naming open weights (Mixtral, Qwen3, Gemma 4, gpt-oss, Phi-2, MiniCPM …)
these answer, and the flags marked so say how.

With --endpoint the model of another program answers: Gemini's, or one that a server
with Gemini's or OpenAI's API has, such as vLLM, SGLang, Ollama or llama-server. What
its answer quotes is looked for in the files, and only what stands there is shown as
evidence. It gets pictures, recordings and films too, in a form that it takes.

The exit code is 0 if an answer was found, 3 if it is not in the context, 1 on an
error, 2 on a wrong command line, 130 after Ctrl-C.`,
		Example: `  handscroll ask -f src "What is the default port?"
  handscroll ask -f book.txt.gz -f notes "Who opens the gate?"
  handscroll ask -c library --json "Who opens the gate?"
  handscroll ask -m mixtral-8x7b-q4_k_m.gguf -f notes.md "What did we agree on?"
  handscroll ask --endpoint http://127.0.0.1:8000/v1 -f src "What is the default port?"
  handscroll ask --endpoint https://generativelanguage.googleapis.com/v1beta --endpoint-model gemini-2.5-pro -f talk.mp4 "What is promised?"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("ask: no question")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// A shell that expands -f *.go leaves all but the first file here.
			more, question := args[:len(args)-1], args[len(args)-1]
			for _, name := range more {
				if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, "*?[") {
					return usageError{fmt.Errorf("ask: there is no file %q; a question of several words needs quotes around it", name)}
				}
			}
			f.files = append(f.files, more...)
			return f.run(cmd, question)
		},
	}
	f.model.add(cmd)
	f.media.add(cmd)
	f.answer.add(cmd)
	f.endpoint.add(cmd, true)
	cmd.Flags().StringArrayVarP(&f.files, "file", "f", nil, "file, directory, glob or - to read (repeatable)")
	cmd.Flags().StringVarP(&f.context, "context", "c", "", "stored context to ask")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	cmd.Flags().Var(&f.memory, "memory", "memory that the context may take, such as 2GB (default: what is free)")
	cmd.Flags().IntVar(&f.maxTokens, "max-tokens", 512, "longest answer, in tokens")
	cmd.Flags().Int64Var(&f.seed, "seed", 0, "seed of the choice of tokens, echoed in the output; greedy answers do not depend on it")
	return cmd
}

func (f *askFlags) run(cmd *cobra.Command, question string) error {
	switch {
	case strings.TrimSpace(question) == "":
		return usageError{errors.New("ask: the question is empty")}
	case len(f.files) == 0 && f.context == "":
		return usageError{errors.New("ask: name what to ask with -f PATH or -c NAME")}
	case f.maxTokens < 1:
		return usageError{fmt.Errorf("ask: --max-tokens %d", f.maxTokens)}
	}
	if remote, err := f.endpoint.given(cmd); err != nil {
		return err
	} else if remote {
		return f.askEndpoint(cmd, question)
	}
	var parts []handscroll.Part
	if len(f.files) > 0 {
		// Before the model: a mistyped name should be told at once.
		var err error
		if parts, err = f.media.open(cmd, f.files, int64(f.memory)); err != nil {
			return err
		}
	}
	weights, err := f.answer.options(f.memory, f.seed, f.maxTokens)
	if err != nil {
		return err
	}
	dir := ""
	if f.context != "" {
		if dir, err = storedDir(f.context); err != nil {
			return err
		}
	}
	opts := handscroll.ContextOptions{Threads: f.model.threads, MaxMemory: int64(f.memory), MaxAnswer: f.maxTokens}
	stream := !f.json && isTerminal(cmd.OutOrStdout())
	if stream {
		weights.Emit = func(text string) { fmt.Fprint(cmd.OutOrStdout(), shown.Replace(text)) }
	}
	c, model, done, err := f.model.openReading(cmd, dir, opts, weights)
	if err != nil {
		return err
	}
	defer done()
	if dir != "" && len(parts) > 0 {
		c = fork(c)
	}
	if len(parts) > 0 {
		show := newProgress(cmd.ErrOrStderr())
		err := c.Read(cmd.Context(), readable(cmd, c, parts), show.update)
		show.clear()
		if err != nil {
			return err
		}
	}
	a, err := c.Ask(cmd.Context(), question)
	if err != nil {
		return err
	}
	if a.Cut {
		fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: the answer is longer than %d tokens; allow more with --max-tokens\n", f.maxTokens)
	}
	if f.json {
		err = printJSON(cmd, a, modelName(model), f.seed)
	} else {
		err = printAnswer(cmd.OutOrStdout(), a, stream && isWeights(c))
	}
	if err == nil && !a.Found {
		return errNotFound
	}
	return err
}

// openFiles opens what is named and says what it skips.
func openFiles(cmd *cobra.Command, names []string, most int64) ([]handscroll.Part, error) {
	return openMedia(cmd, names, handscroll.FileOptions{MaxBytes: most})
}

// mediaFlags say how films and recordings are read.
type mediaFlags struct{ o handscroll.FileOptions }

func (f *mediaFlags) add(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&f.o.FPS, "fps", 1, "films: frames a second that are looked at")
	cmd.Flags().DurationVar(&f.o.Start, "start", 0, "films and recordings: where to begin, as in 1h2m3s")
	cmd.Flags().DurationVar(&f.o.End, "end", 0, "films and recordings: where to end (default: their end)")
	cmd.Flags().BoolVar(&f.o.KeyFrames, "key-frames", false, "films: look at key frames alone, which decodes many times faster")
}

// open opens what is named; text may have most bytes, 0 for what is free.
func (f *mediaFlags) open(cmd *cobra.Command, names []string, most int64) ([]handscroll.Part, error) {
	switch {
	case !(f.o.FPS > 0 && f.o.FPS <= 60):
		return nil, usageError{fmt.Errorf("--fps %g: want more than 0, at most 60", f.o.FPS)}
	case f.o.Start < 0 || f.o.End < 0 || f.o.End > 0 && f.o.End <= f.o.Start:
		return nil, usageError{fmt.Errorf("--start %s --end %s: want an end after the start", f.o.Start, f.o.End)}
	}
	o := f.o
	o.MaxBytes = most
	return openMedia(cmd, names, o)
}

func openMedia(cmd *cobra.Command, names []string, o handscroll.FileOptions) ([]handscroll.Part, error) {
	var parts []handscroll.Part
	var skipped []handscroll.Skipped
	var err error
	o.Stdin = cmd.InOrStdin()
	done := make(chan struct{})
	go func() {
		defer close(done)
		parts, skipped, err = handscroll.Files(cmd.Context(), names, o)
	}()
	select {
	case <-done:
	case <-cmd.Context().Done():
		// A read of a terminal or a pipe cannot be ended; it is left behind.
		return nil, cmd.Context().Err()
	}
	saySkipped(cmd.ErrOrStderr(), skipped)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("nothing to read in %s", strings.Join(names, " "))
	}
	return parts, nil
}

// saySkipped names skipped files, or counts them by reason when they are many.
func saySkipped(w io.Writer, skipped []handscroll.Skipped) {
	const most = 5
	if len(skipped) <= most {
		for _, s := range skipped {
			fmt.Fprintf(w, "handscroll: skipped %s: %s\n", s.Source, s.Reason)
		}
		return
	}
	counts := map[string]int{}
	var reasons []string
	for _, s := range skipped {
		if counts[s.Reason]++; counts[s.Reason] == 1 {
			reasons = append(reasons, s.Reason)
		}
	}
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d × %s", counts[r], r)
	}
	fmt.Fprintf(w, "handscroll: skipped %d files: %s\n", len(skipped), strings.Join(reasons, ", "))
}

// storedDir returns the directory of a stored context that exists.
func storedDir(name string) (string, error) {
	dir, err := handscroll.ContextDir(name)
	if err != nil {
		return "", usageError{err}
	}
	if !handscroll.HasStoredContext(dir) {
		return "", fmt.Errorf("there is no stored context %q; 'handscroll context ls' lists them, 'handscroll read -c %s PATH...' makes it", name, name)
	}
	return dir, nil
}

// shown keeps text from files and models from commanding the terminal: control
// characters are shown as pictures, those of two bytes as what they stand for.
var shown = func() *strings.Replacer {
	pairs := []string{"\x7f", "␡"}
	for c := rune(0); c < 0x20; c++ {
		if c != '\n' && c != '\t' {
			pairs = append(pairs, string(c), string('␀'+c))
		}
		pairs = append(pairs, string(0x80+c), "␛"+string('@'+c))
	}
	return strings.NewReplacer(pairs...)
}()

// printAnswer prints an answer, or what follows one that was streamed.
func printAnswer(w io.Writer, a *handscroll.Answer, streamed bool) error {
	text := shown.Replace(a.Text)
	if streamed {
		text = ""
	}
	if _, err := fmt.Fprintln(w, text); err != nil {
		return err
	}
	for i, e := range a.Evidence {
		if i == 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		quote := strings.Join(strings.Fields(e.Quote), " ")
		if _, err := fmt.Fprintf(w, "%s: %s\n", shown.Replace(e.Place()), shown.Replace(quote)); err != nil {
			return err
		}
	}
	return nil
}

// answerJSON is what --json prints. Quotes and answers that are not UTF-8 have
// U+FFFD in place of what is not; offsets still count the file's bytes.
type answerJSON struct {
	Answer   string         `json:"answer"`
	Found    bool           `json:"found"`
	Evidence []evidenceJSON `json:"evidence"`
	Usage    usageJSON      `json:"usage"`
	Timings  timingsJSON    `json:"timings"`
	Model    string         `json:"model"`
	Seed     int64          `json:"seed"`
}

type evidenceJSON struct {
	Source string   `json:"source"`
	Line   int      `json:"line"`
	Offset int64    `json:"offset"`
	Quote  string   `json:"quote"`
	Weight float64  `json:"weight"`
	Page   int      `json:"page,omitempty"`
	TimeS  *float64 `json:"time_s,omitempty"` // in a film, recording or subtitle
}

type usageJSON struct {
	PromptTokens int `json:"prompt_tokens"`
	CachedTokens int `json:"cached_tokens"`
	AnswerTokens int `json:"answer_tokens"`
}

type timingsJSON struct {
	ReadS   float64 `json:"read_s"`
	AnswerS float64 `json:"answer_s"`
}

func printJSON(cmd *cobra.Command, a *handscroll.Answer, model string, seed int64) error {
	out := answerJSON{
		Answer: a.Text, Found: a.Found, Evidence: []evidenceJSON{},
		Usage:   usageJSON(a.Usage),
		Timings: timingsJSON{seconds(a.Timings.Read), seconds(a.Timings.Answer)},
		Model:   model, Seed: seed,
	}
	for _, e := range a.Evidence {
		weight := math.Round(float64(e.Weight)*1e4) / 1e4
		j := evidenceJSON{Source: e.Source, Line: e.Line, Offset: e.Offset, Quote: e.Quote, Weight: weight, Page: e.Page}
		if e.Timed {
			at := e.Time.Seconds()
			j.TimeS = &at
		}
		out.Evidence = append(out.Evidence, j)
	}
	return encodeJSON(cmd, out)
}

// modelName names a model and, shortly, its weights.
func modelName(m identified) string {
	return fmt.Sprintf("%s@%.12s", m.Name(), m.Fingerprint())
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e4) / 1e4 }
