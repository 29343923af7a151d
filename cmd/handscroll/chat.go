package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handscroll/handscroll"
)

type chatFlags struct {
	model     modelFlags
	answer    answerFlags
	system    string
	memory    size
	maxTokens int
	seed      int64
	verbose   bool
}

func newChatCmd() *cobra.Command {
	var f chatFlags
	cmd := &cobra.Command{
		Use:   "chat -m FILE",
		Short: "Talk with open weights",
		Long: `Talk with open weights. Each line is a message; """ begins and ends one of several
lines. Ctrl-C ends an answer, Ctrl-D the conversation; /reset begins anew, /bye
leaves.

Messages can come from a pipe: only the answers are printed then.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.model.add(cmd)
	f.answer.add(cmd)
	cmd.Flags().StringVar(&f.system, "system", "", "how the model is to behave")
	cmd.Flags().Var(&f.memory, "memory", "memory for keys and values, such as 2GB (default: what is free)")
	cmd.Flags().IntVar(&f.maxTokens, "max-tokens", 2048, "longest answer, in tokens")
	cmd.Flags().Int64Var(&f.seed, "seed", 0, "seed of the choice of tokens")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "say how long each answer took")
	return cmd
}

func (f *chatFlags) run(cmd *cobra.Command) error {
	if f.maxTokens < 1 {
		return usageError{fmt.Errorf("chat: --max-tokens %d", f.maxTokens)}
	}
	native, err := f.model.native()
	if err != nil {
		return err
	}
	if native {
		return usageError{errors.New("chat: name open weights with --model FILE; the native model answers from texts: see 'handscroll ask'")}
	}
	o, err := f.answer.options(f.memory, f.seed, f.maxTokens)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	o.Emit = func(text string) { fmt.Fprint(out, shown.Replace(text)) }
	w, err := f.model.openWeights(cmd)
	if err != nil {
		return err
	}
	defer w.Close()
	chat, err := w.NewChat(f.system, o)
	if err != nil {
		return err
	}
	in := newMessages(cmd.InOrStdin(), out)
	for {
		text, err := in.next()
		switch {
		case errors.Is(err, io.EOF) || text == "/bye":
			return nil
		case err != nil:
			return err
		case text == "":
			continue
		case text == "/reset":
			chat.Reset()
			continue
		}
		if err := f.say(cmd, chat, text, in.terminal); err != nil {
			return err
		}
	}
}

// say answers one message. On a terminal Ctrl-C ends the answer only.
func (f *chatFlags) say(cmd *cobra.Command, chat *handscroll.Chat, text string, terminal bool) error {
	ctx := cmd.Context()
	if terminal {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt)
		defer stop()
	}
	begin := time.Now()
	r, err := chat.Say(ctx, text)
	fmt.Fprintln(cmd.OutOrStdout())
	switch {
	case terminal && errors.Is(err, context.Canceled):
		fmt.Fprintln(cmd.ErrOrStderr(), "handscroll: answer ended; the message is forgotten")
		return nil
	case err != nil:
		return err
	case r.Finish != "stop":
		fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: the answer was cut after %d tokens (%s)\n", r.Tokens, r.Finish)
	}
	if f.verbose {
		took := time.Since(begin)
		fmt.Fprintf(cmd.ErrOrStderr(), "%d tokens of %d in %s, %s\n", r.Tokens, chat.Tokens(), took.Round(10*time.Millisecond), rate(r.Tokens, took))
	}
	return nil
}

// messages reads what a user types.
type messages struct {
	in       *bufio.Reader
	out      io.Writer
	terminal bool
}

func newMessages(in io.Reader, out io.Writer) *messages {
	f, ok := in.(*os.File)
	return &messages{bufio.NewReader(in), out, ok && term.IsTerminal(int(f.Fd()))}
}

const quotes = `"""`

// next returns the next message.
func (m *messages) next() (string, error) {
	line, err := m.line("> ")
	if err != nil || !strings.HasPrefix(line, quotes) {
		return line, err
	}
	text := strings.TrimPrefix(line, quotes)
	for !strings.HasSuffix(text, quotes) {
		if line, err = m.line(". "); err != nil {
			return "", err
		}
		text += "\n" + line
	}
	return strings.TrimSpace(strings.TrimSuffix(text, quotes)), nil
}

func (m *messages) line(prompt string) (string, error) {
	if m.terminal {
		fmt.Fprint(m.out, prompt)
	}
	line, err := m.in.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimSpace(line), nil
}
