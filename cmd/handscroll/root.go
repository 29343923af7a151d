package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

// Exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3   // ask: the answer is not in the context
	exitInterrupted = 130 // as shells have it for Ctrl-C
)

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCmd()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotFound):
		return exitNotFound
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "handscroll: interrupted"+resumeHint(err))
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "handscroll: %v\nRun 'handscroll --help' for usage.\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "handscroll: %v%s\n", err, hint(err))
	return exitError
}

// usageError is a command line that cannot be meant.
type usageError struct{ error }

// errNotFound makes the exit code of an answer that is not in the context.
var errNotFound = errors.New("not found in the context")

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "handscroll",
		Short: "Read a million tokens and answer from them",
		Long: `Handscroll reads long texts (source trees, books, logs) on the CPU and answers
questions about them, showing the passage that the answer stands in.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return cmd.Help()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newAskCmd(),
		newReadCmd(),
		newCountCmd(),
		newTranscribeCmd(),
		newContextCmd(),
		newVersionCmd(),
		newTrainCmd(),
		newNiahCmd(),
		newMeasureCmd(),
		newBenchCmd(),
		newChatCmd(),
		newScoreCmd(),
		newTokenizeCmd(),
		newModelCmd(),
		newServeCmd(),
		newKeysCmd(),
	)
	return root
}

// modelFlags choose the model and what it may use.
type modelFlags struct {
	path    string
	threads int
	weights size
}

func (f *modelFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "model", "m", "", "model file (GGUF), native or open weights; the one in this program by default")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "threads to compute with (default: one a processor)")
	cmd.Flags().Var(&f.weights, "weights-memory", "open weights: memory for them, such as 16GB; experts beyond it stay in the file until they are needed (default: what is free)")
}

func (f *modelFlags) open() (*handscroll.Model, error) {
	if err := f.setThreads(); err != nil {
		return nil, err
	}
	return handscroll.Open(f.path)
}

func (f *modelFlags) setThreads() error {
	if f.threads < 0 {
		return usageError{fmt.Errorf("--threads %d", f.threads)}
	}
	if f.threads > 0 {
		runtime.GOMAXPROCS(f.threads)
	}
	return nil
}

// size is a flag in bytes, such as 512MB, 1.5GiB or 4g.
type size int64

func (s *size) Type() string { return "size" }

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return formatBytes(int64(*s))
}

func (s *size) Set(text string) error {
	digits := strings.TrimRight(text, "kKmMgGtTiIbB ")
	x, err := strconv.ParseFloat(digits, 64)
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	base := 1000.0
	if strings.HasSuffix(unit, "ib") {
		base = 1024
		unit = strings.TrimSuffix(unit, "ib")
	}
	unit = strings.TrimSuffix(unit, "b")
	power := strings.Index(" kmgt", unit)
	if unit == "" {
		power = 0
	}
	if err != nil || !(x > 0) || len(unit) > 1 || power < 0 {
		return fmt.Errorf("%q is no size: write 512MB, 1.5GiB or 4g", text)
	}
	for range power {
		x *= base
	}
	if x < 1 || x > 1<<60 {
		return fmt.Errorf("size %q is out of range", text)
	}
	*s = size(x)
	return nil
}

// hint says what to do about an error, where that is known.
func hint(err error) string {
	var (
		format     *handscroll.FormatError
		model      *handscroll.ModelError
		changed    *handscroll.ChangedError
		unfinished *handscroll.UnfinishedError
		memory     *handscroll.MemoryError
		size       *handscroll.SizeError
		locked     *handscroll.LockedError
	)
	switch {
	case errors.As(err, &format):
		return "\nThe stored context is damaged. Remove it with 'handscroll context rm NAME' and read its files again."
	case errors.As(err, &model):
		return "\nUse that model with --model FILE, or read the files again under another name."
	case errors.As(err, &changed):
		return "\nRead it again in place of the old text with 'handscroll read --replace'."
	case errors.As(err, &unfinished):
		return "\nGo on with the same 'handscroll read -c NAME PATH...'; without PATH it leaves it at the files that were begun."
	case errors.As(err, &memory):
		return "\nStore the context on disk with 'handscroll read -c NAME PATH...', or allow more with --memory."
	case errors.As(err, &size):
		return "\nName fewer files, or allow more with --memory where the command has it."
	case errors.As(err, &locked):
		return "\nWait for that process to end, or end it, and run the command again."
	case diskFull(err):
		return "\nFree some space and run the same command again. What a stored context has so far is kept."
	}
	return hubHint(err)
}

// diskFull reports whether err says so, in either of the ways of Windows too.
func diskFull(err error) bool {
	const errorHandleDiskFull, errorDiskFull = syscall.Errno(39), syscall.Errno(112)
	return errors.Is(err, syscall.ENOSPC) ||
		runtime.GOOS == "windows" && (errors.Is(err, errorHandleDiskFull) || errors.Is(err, errorDiskFull))
}

// interruptedRead is a cancelled reading into a stored context.
type interruptedRead struct {
	name   string
	tokens int
	error
}

func (e *interruptedRead) Unwrap() error { return e.error }

func resumeHint(err error) string {
	var r *interruptedRead
	if errors.As(err, &r) {
		return fmt.Sprintf("; %d tokens are stored in %s, and the same command goes on from there", r.tokens, r.name)
	}
	var p *interruptedPull
	if errors.As(err, &p) {
		return fmt.Sprintf("; %s are here, and the same command goes on from there", formatBytes(p.bytes))
	}
	return ""
}
