package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

// scoreTop is how many likely tokens score reports after each.
const scoreTop = 5

// textFlags name a text or ids.
type textFlags struct {
	file   string
	tokens string
}

func (f *textFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "file with the text, - for standard input")
}

// ids returns the tokens that the flags or the arguments say.
func (f *textFlags) ids(cmd *cobra.Command, v *handscroll.Vocabulary, args []string, control bool) ([]int32, error) {
	if err := f.one(cmd, args); err != nil {
		return nil, err
	}
	switch {
	case f.tokens != "":
		return parseIDs(f.tokens)
	case len(args) > 0:
		return v.Tokenize([]byte(strings.Join(args, " ")), control)
	}
	text, err := readText(cmd, f.file)
	if err != nil {
		return nil, err
	}
	return v.Tokenize(text, control)
}

// one checks that there is one text.
func (f *textFlags) one(cmd *cobra.Command, args []string) error {
	given := 0
	for _, is := range []bool{f.tokens != "", f.file != "", len(args) > 0} {
		if is {
			given++
		}
	}
	if given != 1 {
		return usageError{fmt.Errorf("%s: want one of a text, --file and --tokens", cmd.Name())}
	}
	return nil
}

func readText(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(path)
}

func parseIDs(list string) ([]int32, error) {
	var ids []int32
	for s := range strings.SplitSeq(list, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
		if err != nil {
			return nil, usageError{fmt.Errorf("--tokens: %q is no token id: write 1,2,3", s)}
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// weightsFlag is the file of a command that works on open weights.
func weightsFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "model", "m", "", "model file of open weights (GGUF)")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if *path == "" {
			return usageError{fmt.Errorf("%s: name a model with --model FILE", cmd.Name())}
		}
		return nil
	}
}

func newScoreCmd() *cobra.Command {
	var f textFlags
	var e endpointFlags
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "score (-m MODEL | --endpoint URL) (TEXT | -f FILE | --tokens 1,2,3)",
		Short: "Say how likely a model takes each token of a text to be",
		Long: `Say how likely a model takes each token of a text to be, and what it expects after it.

--endpoint asks a server of OpenAI's API whose completions repeat the prompt with
its log-probabilities (echo with logprobs), as those of vLLM and SGLang do.`,
		Example: `  handscroll score -m model.gguf -f notes.md
  handscroll score -m model.gguf --tokens 1,2,3 --json
  handscroll score --endpoint http://127.0.0.1:8000/v1 -f notes.md`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if remote, err := e.given(cmd); err != nil {
				return err
			} else if remote {
				return f.scoreEndpoint(cmd, &e, args, asJSON)
			}
			w, err := handscroll.OpenWeights(path)
			if err != nil {
				return err
			}
			defer w.Close()
			ids, err := f.ids(cmd, &w.Vocabulary, args, false)
			if err != nil {
				return err
			}
			list, perplexity, err := w.Score(cmd.Context(), ids, scoreTop)
			if err != nil {
				return err
			}
			if asJSON {
				return writeScoreJSON(cmd.OutOrStdout(), list, perplexity)
			}
			return writeScore(cmd.OutOrStdout(), list, perplexity)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.tokens, "tokens", "", "token ids, separated by commas")
	weightsFlag(cmd, &path)
	local := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if e.url != "" {
			return nil
		}
		return local(cmd, args)
	}
	e.add(cmd, false)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// noID is the id of a token that is known by its text alone.
const noID = -1

type tokenJSON struct {
	ID      *int32      `json:"id,omitempty"` // an endpoint's have none
	Text    string      `json:"text"`
	LogProb *float64    `json:"logprob"` // natural; null for the first
	Top     []tokenJSON `json:"top,omitempty"`
}

func writeScoreJSON(out io.Writer, list []handscroll.TokenLikelihood, perplexity float64) error {
	doc := struct {
		Tokens     []tokenJSON `json:"tokens"`
		Perplexity float64     `json:"perplexity"`
	}{Perplexity: perplexity}
	for i, l := range list {
		t := tokenJSON{ID: idJSON(l.ID), Text: string(l.Text)}
		if i > 0 {
			t.LogProb = &l.LogProb
		}
		for _, c := range l.Top {
			t.Top = append(t.Top, tokenJSON{ID: idJSON(c.ID), Text: string(c.Text), LogProb: &c.LogProb})
		}
		doc.Tokens = append(doc.Tokens, t)
	}
	return json.NewEncoder(out).Encode(doc)
}

func idJSON(id int32) *int32 {
	if id == noID {
		return nil
	}
	return &id
}

// idText is an id with a space behind it, nothing for none.
func idText(id int32) string {
	if id == noID {
		return ""
	}
	return fmt.Sprintf("%d ", id)
}

func writeScore(out io.Writer, list []handscroll.TokenLikelihood, perplexity float64) error {
	tab := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "id\ttoken\tlog p\tlikeliest next")
	for i, l := range list {
		lp := "–"
		if i > 0 {
			lp = fmt.Sprintf("%.3f", l.LogProb)
		}
		var next []string
		for _, c := range l.Top {
			next = append(next, fmt.Sprintf("%s%q %.2f", idText(c.ID), c.Text, c.LogProb))
		}
		fmt.Fprintf(tab, "%s\t%q\t%s\t%s\n", strings.TrimSpace(idText(l.ID)), l.Text, lp, strings.Join(next, ", "))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "perplexity %.4f over %d tokens\n", perplexity, len(list))
	return err
}

func newTokenizeCmd() *cobra.Command {
	var f textFlags
	var path string
	var asJSON, control bool
	cmd := &cobra.Command{
		Use:   "tokenize -m MODEL (TEXT | -f FILE)",
		Short: "Show the tokens of a text",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := handscroll.OpenVocabulary(path)
			if err != nil {
				return err
			}
			ids, err := f.ids(cmd, v, args, control)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"tokens": ids, "count": len(ids)})
			}
			for _, id := range ids {
				fmt.Fprintf(cmd.OutOrStdout(), "%d\t%q\n", id, v.TokenText(id))
			}
			return nil
		},
	}
	f.add(cmd)
	weightsFlag(cmd, &path)
	cmd.Flags().BoolVar(&control, "special", false, "parse control tokens out of the text")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
