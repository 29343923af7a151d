package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/endpoint"
)

// endpointFlags name a model that another program serves.
type endpointFlags struct {
	url, family string
	o           endpoint.Options
	raw         bool
}

// add adds the flags; media says that files of all kinds can be sent.
func (f *endpointFlags) add(cmd *cobra.Command, media bool) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "endpoint", "", "ask the model at this address, of Gemini's or OpenAI's API, instead of one here")
	flags.StringVar(&f.o.Model, "endpoint-model", "", "endpoint: model that is asked (default: the only one)")
	flags.StringVar(&f.o.Key, "endpoint-key", "", "endpoint: key (default: GOOGLE_API_KEY or GEMINI_API_KEY, OPENAI_API_KEY)")
	flags.StringVar(&f.family, "endpoint-family", "", "endpoint: gemini or openai (default: found out)")
	flags.DurationVar(&f.o.Timeout, "endpoint-timeout", 10*time.Minute, "endpoint: how long it may say nothing, reading included")
	flags.IntVar(&f.o.Retries, "endpoint-retries", 5, "endpoint: how often to ask again while it is busy")
	if media {
		flags.BoolVar(&f.raw, "endpoint-raw", false, "endpoint: send PDF files, recordings and films as they are, instead of their text, sound and frames")
	}
}

// given reports whether an endpoint is named; its other flags mean nothing without.
func (f *endpointFlags) given(cmd *cobra.Command) (bool, error) {
	if f.url != "" {
		return true, nil
	}
	for _, name := range []string{"endpoint", "endpoint-model", "endpoint-key", "endpoint-family", "endpoint-timeout", "endpoint-retries", "endpoint-raw"} {
		if cmd.Flags().Changed(name) {
			return false, usageError{fmt.Errorf("%s: --%s: name an address with --endpoint URL", cmd.Name(), name)}
		}
	}
	return false, nil
}

// open connects, and refuses the flags that are for models here.
func (f *endpointFlags) open(cmd *cobra.Command, local ...string) (*endpoint.Client, error) {
	for _, name := range local {
		if cmd.Flags().Changed(name) {
			return nil, usageError{fmt.Errorf("%s: --%s is for models on this machine, not for --endpoint", cmd.Name(), name)}
		}
	}
	o := f.o
	o.Family = endpoint.Family(f.family)
	if o.Timeout <= 0 {
		return nil, usageError{fmt.Errorf("%s: --endpoint-timeout %s", cmd.Name(), o.Timeout)}
	}
	if o.Retries <= 0 {
		o.Retries = -1
	}
	return endpoint.Open(cmd.Context(), f.url, o)
}

// endpointAnswer bounds answers of endpoints in tokens, where nothing is said: those
// that a model thinks with count too.
const endpointAnswer = 4096

// askEndpoint answers a question by the model of an endpoint.
func (f *askFlags) askEndpoint(cmd *cobra.Command, question string) error {
	local := []string{"cache", "context-size", "threads", "weights-memory"}
	if f.context == "" {
		local = append(local, "model")
	}
	maxTokens := f.maxTokens
	if !cmd.Flags().Changed("max-tokens") {
		maxTokens = endpointAnswer
	}
	sampling, err := f.answer.options(0, f.seed, maxTokens)
	if err != nil {
		return err
	}
	c, err := f.endpoint.open(cmd, local...)
	if err != nil {
		return err
	}
	parts, err := f.endpointParts(cmd)
	if err != nil {
		return err
	}
	show, start := newProgress(cmd.ErrOrStderr()), time.Now()
	p := endpoint.Preparation{
		Family: c.Family(), Handscroll: c.Model().Handscroll, Raw: f.endpoint.raw, Start: f.media.o.Start, End: f.media.o.End,
		Note: func(source, reason string) {
			show.clear()
			fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: %s: %s\n", source, reason)
		},
		Progress: func(source string, at, length time.Duration) {
			show.show(func() string {
				return mediumLine(handscroll.Progress{Source: source, At: at, Length: length, Elapsed: time.Since(start)})
			})
		},
	}
	if cmd.Flags().Changed("fps") {
		p.FPS = f.media.o.FPS
	}
	sent, err := endpoint.Prepare(cmd.Context(), parts, p)
	show.clear()
	if err != nil {
		return err
	}
	instruct := endpoint.Instruct
	if sampling.Schema != nil {
		instruct = endpoint.InstructShort // quotes would not follow the schema
	}
	prepared := time.Since(start)
	x := c.NewContext(sent, instruct)
	stream := !f.json && isTerminal(cmd.OutOrStdout())
	var emit func(string)
	if stream {
		emit = func(text string) { fmt.Fprint(cmd.OutOrStdout(), shown.Replace(text)) }
	}
	a, err := x.Ask(cmd.Context(), question, sampling.Sampling, emit)
	if closing := x.Close(); closing != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: what was uploaded could not be deleted again: %v\n", closing)
	}
	if err != nil {
		return err
	}
	return f.printEndpoint(cmd, c, parts, a, prepared, stream)
}

// printEndpoint prints an answer with what of its quotes stands in the files.
func (f *askFlags) printEndpoint(cmd *cobra.Command, c *endpoint.Client, parts []handscroll.Part, a *endpoint.Answer, prepared time.Duration, streamed bool) error {
	say := func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: "+format+"\n", args...)
	}
	if a.Reason != "" {
		if a.Text == "" {
			return fmt.Errorf("%s gives no answer: %s", c.Name(), shown.Replace(a.Reason))
		}
		say("the answer is not whole: %s", shown.Replace(a.Reason))
	}
	if a.Cut {
		say("the answer is longer than %d tokens; allow more with --max-tokens", a.Usage.AnswerTokens)
	}
	if n := textBytes(parts); a.Usage.PromptTokens > 0 && n > suspicious*a.Usage.PromptTokens {
		say("%s read %d tokens, few for %d bytes of text: it may have cut them off; see that its model's context is long enough", c.Name(), a.Usage.PromptTokens, n)
	}
	cited := endpoint.Cite(parts, a)
	for _, q := range cited.Missing {
		const most = 200
		if r := []rune(q); len(r) > most {
			q = string(r[:most]) + "…"
		}
		say("what the answer quotes stands in none of the files: %s", shown.Replace(strings.Join(strings.Fields(q), " ")))
	}
	out := &handscroll.Answer{
		Text: cited.Text, Found: a.Found, Cut: a.Cut, Evidence: cited.Evidence, Usage: a.Usage,
		Timings: handscroll.Timings{Read: prepared, Answer: a.Took},
	}
	var err error
	if f.json {
		err = printJSON(cmd, out, c.Name(), f.seed)
	} else {
		err = printAnswer(cmd.OutOrStdout(), out, streamed)
	}
	if err == nil && !a.Found {
		return errNotFound
	}
	return err
}

// suspicious is more bytes of text than tokens have on average in any text that
// people write.
const suspicious = 9

func textBytes(parts []handscroll.Part) int {
	n := 0
	for i := range parts {
		n += len(parts[i].Text)
	}
	return n
}

// frameHeight is that of films' frames for endpoints, which look closer than the
// model here does.
const frameHeight = 480

// endpointParts opens what is asked about: stored text first, then files.
func (f *askFlags) endpointParts(cmd *cobra.Command) ([]handscroll.Part, error) {
	var out []handscroll.Part
	if f.context != "" {
		dir, err := storedDir(f.context)
		if err != nil {
			return nil, err
		}
		if out, err = f.storedParts(cmd, dir); err != nil {
			return nil, err
		}
	}
	if len(f.files) == 0 {
		return out, nil
	}
	f.media.o.Height = frameHeight
	parts, err := f.media.open(cmd, f.files, int64(f.memory))
	return slices.Concat(out, parts), err
}

// storedParts are the texts of a stored context, what was read and heard in pictures,
// recordings and films among them.
func (f *askFlags) storedParts(cmd *cobra.Command, dir string) ([]handscroll.Part, error) {
	native, err := f.model.native()
	if err != nil {
		return nil, err
	}
	if !native {
		return nil, usageError{errors.New("ask: a context that open weights have read cannot be sent to --endpoint; name its files with -f")}
	}
	m, err := f.model.open()
	if err != nil {
		return nil, err
	}
	c, err := m.OpenContext(dir, handscroll.ContextOptions{MaxMemory: int64(f.memory)})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stored, err := handscroll.StoredContexts()
	if err != nil {
		return nil, err
	}
	for _, s := range stored {
		if s.Dir == dir && !s.Complete {
			return nil, &handscroll.UnfinishedError{Tokens: c.Tokens()}
		}
	}
	var out []handscroll.Part
	at := 0
	for _, s := range c.Sources() {
		if s.Kind != handscroll.Text.String() {
			fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: %s: a %s, of which a stored context has only the text that was read and heard; name it with -f to send it\n", s.Name, s.Kind)
		}
		out = append(out, handscroll.Part{Source: s.Name, Text: c.Text(at, at+s.Tokens)})
		at += s.Tokens
	}
	return out, nil
}

// scoreEndpoint is score by the model of an endpoint.
func (f *textFlags) scoreEndpoint(cmd *cobra.Command, e *endpointFlags, args []string, asJSON bool) error {
	p, err := f.prompt(cmd, args)
	if err != nil {
		return err
	}
	c, err := e.open(cmd, "model")
	if err != nil {
		return err
	}
	list, perplexity, err := c.Score(cmd.Context(), p, scoreTop)
	if err != nil {
		return err
	}
	out := make([]handscroll.TokenLikelihood, len(list))
	for i, t := range list {
		// Endpoints name tokens by their text alone.
		out[i].Token = handscroll.Token{ID: noID, Text: []byte(t.Text), LogProb: t.LogProb}
		for _, l := range t.Top {
			out[i].Top = append(out[i].Top, handscroll.Token{ID: noID, Text: []byte(l.Text), LogProb: l.LogProb})
		}
	}
	if asJSON {
		return writeScoreJSON(cmd.OutOrStdout(), out, perplexity)
	}
	return writeScore(cmd.OutOrStdout(), out, perplexity)
}

// prompt is what the flags or the arguments say, as it is.
func (f *textFlags) prompt(cmd *cobra.Command, args []string) (endpoint.Prompt, error) {
	if err := f.one(cmd, args); err != nil {
		return endpoint.Prompt{}, err
	}
	switch {
	case f.tokens != "":
		ids, err := parseIDs(f.tokens)
		return endpoint.Prompt{IDs: ids}, err
	case len(args) > 0:
		return endpoint.Prompt{Text: strings.Join(args, " ")}, nil
	}
	text, err := readText(cmd, f.file)
	return endpoint.Prompt{Text: string(text)}, err
}
