package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/hub"
)

type pullFlags struct {
	endpoint  string
	revision  string
	to        string
	tokenFile string
}

func newPullCmd() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull OWNER/NAME[:FILE|:QUANTISATION]",
		Short: "Fetch a model from a hub, or go on fetching it",
		Long: `Fetch a model from a Hugging Face-style hub, or go on fetching it.

What follows the colon is a file's name or a part of one model's name, such as
Q4_K_M; a model that is split into files comes whole. Without it a repository's
only GGUF model is fetched. Where there are several, they are listed.

After an interruption of any kind the same command goes on where it stopped.
A file gets its name when all of it has the checksum that the hub gives; a file
that is there already with that checksum is kept, another one is replaced.

Models are kept in folders by repository under HANDSCROLL_HOME, or in the
platform's data directory. The path of each is printed, with size and SHA-256;
of a split model the first is what --model takes. A token for private and gated
repositories is read from --token-file or HF_TOKEN.`,
		Example: `  handscroll model pull OWNER/NAME
  handscroll model pull OWNER/NAME:Q4_K_M --to models`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "address of the hub (default: HF_ENDPOINT, or "+hub.DefaultEndpoint+")")
	cmd.Flags().StringVar(&f.revision, "revision", "main", "branch, tag or commit")
	cmd.Flags().StringVar(&f.to, "to", "", "folder, or file if it has the model's extension")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with a token (default: the one in HF_TOKEN)")
	return cmd
}

func (f *pullFlags) run(cmd *cobra.Command, name string) error {
	token, err := f.token()
	if err != nil {
		return err
	}
	client, err := hub.NewClient(cmp.Or(f.endpoint, os.Getenv("HF_ENDPOINT"), hub.DefaultEndpoint), token)
	if err != nil {
		return usageError{err}
	}
	repo, selector, _ := strings.Cut(name, ":")
	list, err := client.List(cmd.Context(), repo, f.revision)
	if err != nil {
		return err
	}
	files, err := list.Select(selector)
	if err != nil {
		return err
	}
	targets, err := f.targets(repo, files)
	if err != nil {
		return err
	}
	show := newProgress(cmd.ErrOrStderr())
	var last hub.Progress
	results, err := client.Pull(cmd.Context(), list, targets, func(p hub.Progress) {
		last = p
		if p.Waiting != nil {
			show.last = time.Time{} // the next line is some time away
		}
		show.show(func() string { return pullLine(p) })
	})
	show.clear()
	if errors.Is(err, context.Canceled) {
		return &interruptedPull{last.Bytes, err}
	}
	if err != nil {
		return err
	}
	for _, r := range results {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\tsha256:%s\n", r.Path, formatBytes(r.Size), r.SHA256)
	}
	return nil
}

// maxToken bounds a token's file: it may be the wrong one.
const maxToken = 4096

func (f *pullFlags) token() (string, error) {
	if f.tokenFile == "" {
		return strings.TrimSpace(os.Getenv("HF_TOKEN")), nil
	}
	file, err := os.Open(f.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(data) > maxToken {
		return "", fmt.Errorf("--token-file: %s holds no token", f.tokenFile)
	}
	return token, nil
}

// targets says where files go: by repository into the folder of models, else
// into --to, or to it.
func (f *pullFlags) targets(repo string, files hub.Choice) ([]hub.Target, error) {
	var out []hub.Target
	for _, file := range files {
		local, err := f.local(repo, file.Path, len(files) == 1)
		if err != nil {
			return nil, err
		}
		out = append(out, hub.Target{File: file, Local: local})
	}
	return out, nil
}

func (f *pullFlags) local(repo, name string, only bool) (string, error) {
	dir, below := f.to, path.Base(name)
	if f.to == "" {
		home, err := handscroll.ModelDir()
		if err != nil {
			return "", err
		}
		dir, below = home, repo+"/"+name
	} else if fi, err := os.Stat(f.to); only && path.Ext(name) != "" && strings.EqualFold(filepath.Ext(f.to), path.Ext(name)) && (err != nil || !fi.IsDir()) {
		return f.to, nil
	}
	below, err := filepath.Localize(below)
	if err != nil {
		return "", fmt.Errorf("%q cannot be a file's name here; name the file with --to", name)
	}
	return filepath.Join(dir, below), nil
}

// pullLine says how far, how fast and how long still.
func pullLine(p hub.Progress) string {
	doing := "fetching"
	if p.Checking {
		doing = "checking"
	}
	line := fmt.Sprintf("%s %3.0f %% of %s", doing, 100*float64(p.Bytes)/float64(max(p.Total, 1)), formatBytes(p.Total))
	if p.Waiting != nil {
		return line + "  waiting to try again"
	}
	if p.Checking || p.Elapsed < 2*time.Second || p.Fetched == 0 {
		return line
	}
	perSecond := float64(p.Fetched) / p.Elapsed.Seconds()
	left := time.Duration(float64(p.Total-p.Bytes) / perSecond * float64(time.Second))
	return fmt.Sprintf("%s  %s/s  %s left", line, formatBytes(int64(perSecond)), left.Round(time.Second))
}

// interruptedPull is a cancelled pull.
type interruptedPull struct {
	bytes int64
	error
}

func (e *interruptedPull) Unwrap() error { return e.error }

// hubHint says what to do about an error of a hub, where that is known.
func hubHint(err error) string {
	var (
		choice *hub.SelectError
		status *hub.StatusError
		space  *hub.SpaceError
		locked *hub.LockedError
	)
	switch {
	case errors.As(err, &choice):
		var list strings.Builder
		for _, c := range choice.Choices {
			fmt.Fprintf(&list, "\n  %s  %s", shown.Replace(c.Name()), formatBytes(c.Size()))
			if len(c) > 1 {
				fmt.Fprintf(&list, " in %d files", len(c))
			}
		}
		if list.Len() == 0 {
			return ""
		}
		return fmt.Sprintf("\nName one of them: handscroll model pull %s:NAME%s", choice.Repo, list.String())
	case errors.As(err, &status) && status.Code == 401:
		return "\nThere is no such repository, or it needs a token: give one with --token-file or HF_TOKEN."
	case errors.As(err, &status) && status.Code == 403:
		return "\nThe token gives no access: its owner may have to accept the repository's terms on its page."
	case errors.As(err, &status) && status.Code == 404:
		return "\nLook at the repository's name, --revision and --endpoint."
	case errors.As(err, &space):
		return "\nFree some space, or name a folder on another disk with --to."
	case errors.As(err, &locked):
		return "\nWait for that process to end, or end it, and run the command again."
	}
	return ""
}
