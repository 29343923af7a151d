package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

// newShowCmd says what is in a model file before anything of it is loaded.
func newShowCmd() *cobra.Command {
	var context int
	var cache string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Say what is in a model file, and what memory it takes to run",
		Long: `Say what is in a model file (GGUF, whole or the first of its parts), and what
memory it takes to run with a context of so many tokens. Weights are not read.`,
		Example: "  handscroll model show model.gguf --context 131072 --cache q8_0",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if context < 0 || context > 1<<30 {
				return usageError{fmt.Errorf("show: --context %d, want 1 to %d, or 0 for the default", context, 1<<30)}
			}
			if err := checkCache(cache); err != nil {
				return err
			}
			d, err := handscroll.Describe(args[0], context, cache)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(struct {
					*handscroll.Description
					Fits bool `json:"fits"`
				}{d, d.Memory.Fits()})
			}
			return writeDescription(cmd.OutOrStdout(), d)
		},
	}
	cmd.Flags().IntVar(&context, "context", 0, "tokens of context to plan memory for (default: 8192, or less if the model was trained on less)")
	cmd.Flags().StringVar(&cache, "cache", "f16", "open weights: keys and values as f16, q8_0 or f32")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// writeDescription prints a description for people.
func writeDescription(out io.Writer, d *handscroll.Description) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("name", "%s", d.Name)
	row("architecture", "%s", d.Architecture)
	file := formatBytes(d.FileBytes)
	if d.Parts > 1 {
		file += fmt.Sprintf(" in %d parts", d.Parts)
	}
	row("file", "%s", file)
	row("type", "%s", d.Type)
	for _, s := range d.Types {
		row("", "%s: %s in %d tensors", s.Type, formatBytes(s.Bytes), s.Tensors)
	}
	params := formatCount(d.Parameters)
	if d.Active != d.Parameters {
		params += fmt.Sprintf(", %s of them active for a token", formatCount(d.Active))
	}
	row("parameters", "%s", params)
	row("layers", "%d of width %d", d.Layers, d.Width)
	for i, a := range d.Attention {
		name, which := "", ""
		if i == 0 {
			name = "attention"
		}
		if a.Layers < d.Layers {
			which = fmt.Sprintf("%d of the layers: ", a.Layers)
		}
		row(name, "%s%s", which, attentionText(a))
	}
	if d.Experts > 0 {
		row("experts", "%d a layer, %d a token", d.Experts, d.TopK)
	}
	if d.Trained > 0 {
		row("trained on", "%d tokens", d.Trained)
	}
	row("vocabulary", "%d tokens", d.Vocab)
	row("tokenizer", "%s", tokenizerText(d))
	if !d.Native {
		row("chat template", "%s", map[bool]string{true: "yes", false: "no"}[d.ChatTemplate])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	writeMemory(row, d)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(out, warnings(d))
	return err
}

func attentionText(a handscroll.AttentionLayers) string {
	kv := fmt.Sprintf("%d of keys and values", a.KVHeads)
	if a.KVHeads == 0 {
		kv = "keys and values of earlier layers"
	}
	sees := ""
	if a.Window > 0 {
		sees = fmt.Sprintf(", a window of %d tokens", a.Window)
	}
	return fmt.Sprintf("%d heads, %s, of %d dimensions%s", a.Heads, kv, a.HeadDim, sees)
}

func tokenizerText(d *handscroll.Description) string {
	text := d.Tokenizer
	if text == "" {
		text = "none"
	}
	if d.TokenizerError != "" {
		text += "; it cannot be used: " + d.TokenizerError
	}
	return text
}

// writeMemory says what memory the model takes.
func writeMemory(row func(name, format string, args ...any), d *handscroll.Description) {
	m := &d.Memory
	kept := ""
	if d.Cache != "" {
		kept = ", keys and values as " + d.Cache
	}
	row("memory", "with %d tokens of context%s", d.Context, kept)
	if d.Native {
		row("  context", "%s, the text aside", formatBytes(m.Context))
	} else {
		row("  weights laid out", "%s%s", formatBytes(m.Weights), ofExperts(m.Experts))
		row("  keys and values", "%s", formatBytes(m.Context))
		row("  passes", "%s, estimated", formatBytes(m.Scratch))
		row("  in all", "%s", formatBytes(m.Total))
	}
	if m.Limit > 0 {
		row("  may be used", "%s, nine tenths of what is free", formatBytes(m.Limit))
	}
}

func ofExperts(n int64) string {
	if n == 0 {
		return ""
	}
	return ", " + formatBytes(n) + " of them experts"
}

// warnings says what will go wrong, and what to do about it.
func warnings(d *handscroll.Description) string {
	var out []string
	m := &d.Memory
	if !m.Fits() {
		out = append(out, fmt.Sprintf("This does not fit: %s of memory are needed, and %s may be used.", formatBytes(m.Total), formatBytes(m.Limit)))
		switch {
		case m.Experts > 0 && m.Total-m.Experts/2 <= m.Limit:
			out = append(out, "Experts that do not fit are read from the file when a token needs them: it runs, more slowly.")
		case m.Weights+m.Scratch > m.Limit:
			out = append(out, "The weights alone are too large; 'handscroll model quantize' makes them smaller.")
		case d.Native:
			out = append(out, "A context stored with 'handscroll read -c NAME' need not fit.")
		default:
			out = append(out, "A smaller --context takes less, and so does --cache q8_0.")
		}
	}
	if d.Trained > 0 && d.Context > d.Trained {
		out = append(out, fmt.Sprintf("The context is longer than the %d tokens that the model was trained on.", d.Trained))
	}
	if len(out) == 0 {
		return ""
	}
	return "\n" + strings.Join(out, "\n") + "\n"
}
