package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

func newContextCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "List, show and remove stored contexts",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("context: unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	list := &cobra.Command{
		Use: "ls", Short: "List stored contexts", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return listContexts(cmd, asJSON) },
	}
	show := &cobra.Command{
		Use: "show NAME", Short: "Show the parts of a stored context", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return showContext(cmd, args[0], asJSON) },
	}
	for _, c := range []*cobra.Command{list, show} {
		c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	}
	remove := &cobra.Command{
		Use: "rm NAME", Short: "Remove a stored context", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := storedDir(args[0])
			if err != nil {
				return err
			}
			return handscroll.RemoveStored(dir)
		},
	}
	cmd.AddCommand(list, show, remove)
	return cmd
}

// exactly asks for n arguments.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return usageError{fmt.Errorf("%s: %w", cmd.Name(), err)}
		}
		return nil
	}
}

// contextJSON is an element of what ls --json prints.
type contextJSON struct {
	Name      string `json:"name"`
	Dir       string `json:"dir"`
	Model     string `json:"model"`
	Tokens    int64  `json:"tokens"`
	Parts     int    `json:"parts"`
	TextBytes int64  `json:"text_bytes"`
	DiskBytes int64  `json:"disk_bytes"`
	State     string `json:"state"` // complete, unfinished, empty or what is wrong
}

func listContexts(cmd *cobra.Command, asJSON bool) error {
	stored, err := handscroll.StoredContexts()
	if err != nil {
		return err
	}
	list := []contextJSON{}
	for _, s := range stored {
		state := "complete"
		switch {
		case s.Err != nil:
			state = s.Err.Error()
		case !s.Complete:
			state = "unfinished"
		case s.Tokens == 0:
			state = "empty"
		}
		model := fmt.Sprintf("%s@%.12s", s.Model, s.Fingerprint)
		list = append(list, contextJSON{s.Name, s.Dir, model, s.Tokens, s.Parts, s.TextBytes, s.DiskBytes, state})
	}
	if asJSON {
		return encodeJSON(cmd, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "handscroll: there are no stored contexts; 'handscroll read -c NAME PATH...' makes one")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTOKENS\tPARTS\tTEXT\tDISK\tMODEL\tSTATE")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", c.Name, c.Tokens, c.Parts,
			formatBytes(c.TextBytes), formatBytes(c.DiskBytes), c.Model, c.State)
	}
	return w.Flush()
}

// partJSON is an element of what show --json prints.
type partJSON struct {
	Source string `json:"source"`
	Bytes  int64  `json:"bytes"`
	Tokens int    `json:"tokens"`
	SHA256 string `json:"sha256"`
	Read   bool   `json:"read"` // false if reading it was interrupted
}

func showContext(cmd *cobra.Command, name string, asJSON bool) error {
	dir, err := storedDir(name)
	if err != nil {
		return err
	}
	sources, err := handscroll.StoredSources(dir)
	if err != nil {
		return err
	}
	if asJSON {
		parts := []partJSON{}
		for _, s := range sources {
			parts = append(parts, partJSON{s.Name, s.Bytes, s.Tokens, hex.EncodeToString(s.Hash[:]), s.Done})
		}
		return encodeJSON(cmd, parts)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s\n", dir)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TOKENS\tTEXT\tSHA-256\tSOURCE")
	for _, s := range sources {
		note := ""
		if !s.Done {
			note = " (unfinished)"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s%s\n", s.Tokens, formatBytes(s.Bytes), hex.EncodeToString(s.Hash[:6]), shown.Replace(s.Name), note)
	}
	return w.Flush()
}

// encodeJSON prints v in one line.
func encodeJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// formatBytes writes a size with three digits.
func formatBytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	const units = "kMGTPE"
	x, u := float64(n)/1000, 0
	for x >= 999.5 && u < len(units)-1 {
		x /= 1000
		u++
	}
	return fmt.Sprintf("%.3g %cB", x, units[u])
}
