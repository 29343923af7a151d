package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll/internal/convert"
)

// newRandomCmd writes models of noise, to measure engines with.
func newRandomCmd() *cobra.Command {
	var shape, typ string
	var seed uint64
	var names []string
	for _, s := range convert.RandomShapes {
		names = append(names, s.Name)
	}
	cmd := &cobra.Command{
		Use:    "random FILE",
		Short:  "Write a model of random weights, to measure speed with",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, s := range convert.RandomShapes {
				if s.Name == shape {
					fmt.Fprintf(cmd.ErrOrStderr(), "seed %d\n", seed)
					return convert.Random(args[0], s, typ, seed)
				}
			}
			return usageError{fmt.Errorf("--shape %q, want one of %s", shape, strings.Join(names, ", "))}
		},
	}
	cmd.Flags().StringVar(&shape, "shape", "a", "which shape: "+strings.Join(names, ", "))
	cmd.Flags().StringVar(&typ, "type", "q4_k_m", "type of the matrices: q8_0, q4_k_m, q6_k, mxfp4 or f16")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the weights")
	return cmd
}
