package main

import (
	"encoding/hex"
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
	cmd.AddCommand(
		&cobra.Command{
			Use: "ls", Short: "List stored contexts", Args: exactly(0),
			RunE: func(cmd *cobra.Command, _ []string) error { return listContexts(cmd) },
		},
		&cobra.Command{
			Use: "show NAME", Short: "Show the parts of a stored context", Args: exactly(1),
			RunE: func(cmd *cobra.Command, args []string) error { return showContext(cmd, args[0]) },
		},
		&cobra.Command{
			Use: "rm NAME", Short: "Remove a stored context", Args: exactly(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				dir, err := storedDir(args[0])
				if err != nil {
					return err
				}
				return handscroll.RemoveStored(dir)
			},
		},
	)
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

func listContexts(cmd *cobra.Command) error {
	list, err := handscroll.StoredContexts()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	if len(list) > 0 {
		fmt.Fprintln(w, "NAME\tTOKENS\tPARTS\tTEXT\tDISK\tMODEL\tSTATE")
	}
	for _, s := range list {
		state := "complete"
		switch {
		case s.Err != nil:
			state = s.Err.Error()
		case !s.Complete:
			state = "unfinished"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s@%.12s\t%s\n", s.Name, s.Tokens, s.Parts,
			formatBytes(s.TextBytes), formatBytes(s.DiskBytes), s.Model, s.Fingerprint, state)
	}
	return w.Flush()
}

func showContext(cmd *cobra.Command, name string) error {
	dir, err := storedDir(name)
	if err != nil {
		return err
	}
	sources, err := handscroll.StoredSources(dir)
	if err != nil {
		return err
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
		fmt.Fprintf(w, "%d\t%s\t%s\t%s%s\n", s.Tokens, formatBytes(s.Bytes), hex.EncodeToString(s.Hash[:6]), s.Name, note)
	}
	return w.Flush()
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
