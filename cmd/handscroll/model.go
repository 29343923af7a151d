package main

import "github.com/spf13/cobra"

func newModelCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Look at, fetch and convert model files"}
	cmd.AddCommand(newRandomCmd())
	return cmd
}
