package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

func newTranscribeCmd() *cobra.Command {
	var model modelFlags
	var media mediaFlags
	cmd := &cobra.Command{
		Use:   "transcribe PATH...",
		Short: "Print the text that the model reads and hears in files",
		Long: `Print the text that the model reads in pictures and films and hears in recordings,
a line for each frame or utterance with its time, and that of documents as they
are read. It is what questions are answered from, besides what is seen and heard
without words.`,
		Example: "  handscroll transcribe talk.flac",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("transcribe: name at least one file")}
			}
			native, err := model.native()
			if err != nil {
				return err
			}
			if !native {
				return usageError{errors.New("transcribe: the model of --model is open weights, which read text alone")}
			}
			m, err := model.open()
			if err != nil {
				return err
			}
			parts, err := media.open(cmd, args, 0)
			if err != nil {
				return err
			}
			show := newProgress(cmd.ErrOrStderr())
			for _, p := range parts {
				c := m.NewContext(handscroll.ContextOptions{Threads: model.threads})
				err := c.Read(cmd.Context(), []handscroll.Part{p}, show.update)
				show.clear()
				if err != nil {
					return errors.Join(err, c.Close())
				}
				_, err = cmd.OutOrStdout().Write(c.Text(0, c.Tokens()))
				if err = errors.Join(err, c.Close()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	model.add(cmd)
	media.add(cmd)
	return cmd
}
