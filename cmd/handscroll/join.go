package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll/internal/convert"
)

func newJoinCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "join OUT BASE SENSE...",
		Short: "Give a native model the eyes and ears that were trained for it",
		Long: `Write to OUT the native model BASE with the senses of other files, which
"handscroll train" made of recipes/reader.yaml, recipes/scenes.yaml and
recipes/ears.yaml. The text part stays as it is.`,
		Example: "  handscroll model join handscroll.gguf runs/nano/model.gguf runs/reader/model.gguf runs/ears/model.gguf",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 3 {
				return usageError{errors.New("join: name OUT, BASE and at least one SENSE")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return convert.Join(args[0], args[1], args[2:]) },
	}
}
