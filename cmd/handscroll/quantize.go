package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll/internal/convert"
)

func newQuantizeCmd() *cobra.Command {
	var typ string
	var o convert.Options
	cmd := &cobra.Command{
		Use:   "quantize IN OUT --type q4_k_m|q6_k|q8_0",
		Short: "Write a model of open weights with fewer bits a weight",
		Long: `Write a model of open weights (GGUF, whole or the first of its parts) with fewer
bits a weight.

q8_0 is next to lossless, q6_k nearly so at three quarters of its size; q4_k_m is
half of it, with more bits for the tensors where they tell most. Norms, routers
and other small tensors stay as they are, and so do all metadata.`,
		Example: "  handscroll model quantize model-f16.gguf model-q4.gguf --type q4_k_m",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if typ == "" {
				return usageError{errors.New("quantize: say what to with --type q4_k_m, q6_k or q8_0")}
			}
			if o.Type, err = convert.ParseType(typ); err != nil {
				return usageError{err}
			}
			show, begin := newProgress(cmd.ErrOrStderr()), time.Now()
			o.Progress = func(done, total int64) { show.share("quantising", done, total, time.Since(begin)) }
			r, err := convert.Quantize(cmd.Context(), args[0], args[1], o)
			show.clear()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, from %s; %.2f bits a weight\n", args[1], formatBytes(r.After), formatBytes(r.Before), r.Bits)
			return err
		},
	}
	cmd.Flags().StringVar(&typ, "type", "", "q4_k_m, q6_k or q8_0")
	cmd.Flags().BoolVar(&o.Requantize, "requantize", false, "take tensors that are quantised already, which loses more")
	cmd.Flags().BoolVar(&o.Force, "force", false, "replace OUT if it is there")
	return cmd
}
