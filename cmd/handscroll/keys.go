package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server"
)

// dataFlag chooses the directory of a server's contexts, files and keys.
type dataFlag struct{ dir string }

func (f *dataFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "data", "", "directory for the server's contexts, files and keys (default: server, below HANDSCROLL_HOME or the platform's data directory)")
}

func (f *dataFlag) path() (string, error) {
	if f.dir != "" {
		return f.dir, nil
	}
	models, err := handscroll.ModelDir()
	return filepath.Join(filepath.Dir(models), "server"), err
}

func (f *dataFlag) keys() (*server.Keys, error) {
	dir, err := f.path()
	if err != nil {
		return nil, err
	}
	return server.OpenKeys(filepath.Join(dir, "keys.json"))
}

func newKeysCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and remove API keys of the server",
		Long: `Make, list and remove API keys of the server.

A server that others can reach must have keys. On loopback they are optional; as
soon as there is one, every request needs one. A server that runs takes changes
over at once. Only a hash of a key is kept: what was lost is made again.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("keys: unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var data dataFlag
	var limits server.KeyLimits
	add := &cobra.Command{
		Use: "add NAME", Short: "Make a key and print it, once", Args: exactly(1),
		Example: `  handscroll keys add ann --requests-per-minute 60 --concurrent 4 --tokens-per-day 5000000`,
		RunE:    func(cmd *cobra.Command, args []string) error { return addKey(cmd, &data, args[0], limits) },
	}
	add.Flags().IntVar(&limits.RequestsPerMinute, "requests-per-minute", 0, "requests it may send a minute (default: any number)")
	add.Flags().IntVar(&limits.Concurrent, "concurrent", 0, "requests it may have running (default: any number)")
	add.Flags().Int64Var(&limits.TokensPerDay, "tokens-per-day", 0, "tokens it may have read and answered a day, in UTC (default: any number)")
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List keys and their limits", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return listKeys(cmd, &data, asJSON) },
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	remove := &cobra.Command{
		Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove a key", Args: exactly(1),
		Long: `Remove a key. It stops working at once. Files and contexts that were its own
cannot be reached any more, and are deleted when they expire.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := data.keys()
			if err != nil {
				return err
			}
			return keys.Remove(args[0])
		},
	}
	for _, c := range []*cobra.Command{add, list, remove} {
		data.add(c)
	}
	cmd.AddCommand(add, list, remove)
	return cmd
}

func addKey(cmd *cobra.Command, data *dataFlag, name string, limits server.KeyLimits) error {
	keys, err := data.keys()
	if err != nil {
		return err
	}
	secret, err := keys.Add(name, limits)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "handscroll: this is the key; it is not kept and cannot be shown again")
	fmt.Fprintln(cmd.OutOrStdout(), secret)
	return nil
}

func listKeys(cmd *cobra.Command, data *dataFlag, asJSON bool) error {
	keys, err := data.keys()
	if err != nil {
		return err
	}
	list := keys.List()
	if asJSON {
		return encodeJSON(cmd, append([]server.Key{}, list...))
	}
	if len(list) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "handscroll: there are no keys; 'handscroll keys add NAME' makes one")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tCREATED\tREQUESTS/MINUTE\tCONCURRENT\tTOKENS/DAY")
	for _, k := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Name, k.Created.Format("2006-01-02 15:04"),
			limitText(int64(k.RequestsPerMinute)), limitText(int64(k.Concurrent)), limitText(k.TokensPerDay))
	}
	return w.Flush()
}

func limitText(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
