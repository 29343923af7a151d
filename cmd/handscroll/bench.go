package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
)

type benchFlags struct {
	model   modelFlags
	weights weightsBenchFlags
	lengths string
	single  string
	repeat  int
	seed    uint64
	json    bool
}

// benchReport is what bench prints with --json.
type benchReport struct {
	Model     string        `json:"model"`
	OS        string        `json:"os"`
	Arch      string        `json:"arch"`
	Go        string        `json:"go"`
	Seed      uint64        `json:"seed"`
	Reading   []benchRead   `json:"reading"`
	Answering []benchAnswer `json:"answering"`
	Memory    benchMemory   `json:"memory"`
}

// benchRead is one reading of generated prose.
type benchRead struct {
	Threads       int     `json:"threads"`
	Tokens        int     `json:"tokens"`
	Seconds       float64 `json:"seconds"`
	TokensPerS    float64 `json:"tokens_per_s"`
	ResidentBytes int64   `json:"resident_bytes"` // afterwards
}

// benchAnswer is the time from a question to the end of its answer.
type benchAnswer struct {
	ContextTokens int     `json:"context_tokens"`
	AnswerTokens  int     `json:"answer_tokens"`
	Seconds       float64 `json:"seconds"` // median
	Slowest       float64 `json:"slowest_seconds"`
	Right         bool    `json:"right"` // a speed without a right answer is worth little
}

type benchMemory struct {
	BytesPerToken int   `json:"bytes_per_token"` // of context, text aside
	ResidentBytes int64 `json:"resident_bytes"`  // with the longest context
	PeakBytes     int64 `json:"peak_bytes"`      // 0: the system does not say
}

func newBenchCmd() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed and memory",
		Long: `Measure how fast the model reads, on one thread and on all, how long an answer
takes by the length of the context, and the memory that takes. The input is
generated prose; nothing is downloaded or written.

With open weights it measures how many tokens a second are read at once (pp512 is
512 of them) and answered with one by one (tg128), alone or after others that are
in the context (pp512@d16384). These tokens are random. Each test runs once to warm
up, then --repeat times.`,
		Example: `  handscroll bench
  handscroll bench -m model.gguf -p 512,4096 -n 128 -d 0,16384 --thread-list 1,2
  handscroll bench -m model.gguf --cache f16,q8_0 --output csv > bench.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.model.add(cmd)
	f.weights.add(cmd)
	cmd.Flags().StringVar(&f.lengths, "lengths", "1k,32k,1m", "native model: context lengths to ask at, in tokens")
	cmd.Flags().StringVar(&f.single, "single", "100k", "native model: tokens to read on one thread")
	cmd.Flags().IntVarP(&f.repeat, "repeat", "r", 5, "answers timed at each length; open weights: runs of each test")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "seed of the prose, or of the random tokens")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	native, err := f.model.native()
	if err != nil {
		return err
	}
	foreign, kind := weightsBenchNames, "open weights"
	if !native {
		foreign, kind = []string{"lengths", "single"}, "the native model"
	}
	for _, name := range foreign {
		if cmd.Flags().Changed(name) {
			return usageError{fmt.Errorf("bench: --%s is for %s", name, kind)}
		}
	}
	if !native {
		return f.runWeights(cmd)
	}
	lengths, err := parseLengths(f.lengths)
	if err != nil {
		return usageError{fmt.Errorf("bench: %w", err)}
	}
	single, err := parseLengths(f.single)
	if err != nil || len(single) != 1 || single[0] == eval.Whole || lengths[0] == eval.Whole || f.repeat < 1 {
		return usageError{fmt.Errorf("bench: --lengths %s --single %s --repeat %d", f.lengths, f.single, f.repeat)}
	}
	model, err := f.model.open()
	if err != nil {
		return err
	}
	b := bencher{model: model, seed: f.seed, show: newProgress(cmd.ErrOrStderr())}
	defer b.show.clear()
	threads := runtime.GOMAXPROCS(0)
	report := benchReport{Model: modelName(model), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Seed: f.seed}
	if threads > 1 {
		runtime.GOMAXPROCS(1)
		c, r, err := b.read(cmd.Context(), single[0])
		runtime.GOMAXPROCS(threads)
		if err != nil {
			return err
		}
		report.Reading = append(report.Reading, r)
		if err := c.Close(); err != nil {
			return err
		}
		// What this context took is not the next one's.
		debug.FreeOSMemory()
	}
	c, r, err := b.read(cmd.Context(), slices.Max(lengths))
	if err != nil {
		return err
	}
	defer c.Close()
	report.Reading = append(report.Reading, r)
	for _, n := range lengths {
		a, err := b.ask(cmd.Context(), c, n, f.repeat)
		if err != nil {
			return err
		}
		report.Answering = append(report.Answering, a)
	}
	b.show.clear()
	report.Memory.BytesPerToken = model.EntryBytes()
	report.Memory.ResidentBytes, report.Memory.PeakBytes = residentMemory()
	if f.json {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return printBench(cmd.OutOrStdout(), report)
}

type bencher struct {
	model *handscroll.Model
	seed  uint64
	show  *progress
}

// read reads prose until the context holds n tokens, in parts of about a
// quarter million.
func (b *bencher) read(ctx context.Context, n int) (*handscroll.Context, benchRead, error) {
	c := b.model.NewContext(handscroll.ContextOptions{})
	rng := rand.New(rand.NewPCG(b.seed, 0))
	var spent time.Duration
	for i := 0; c.Tokens() < n; i++ {
		var text bytes.Buffer
		// Four bytes a token is little for prose, so that the last part is short.
		if err := eval.Generate(&text, rng, min(4*(n-c.Tokens()), 1<<20)+64); err != nil {
			return nil, benchRead{}, err
		}
		begin := time.Now()
		part := handscroll.Part{Source: fmt.Sprintf("prose %d", i+1), Text: text.Bytes()}
		if err := c.Read(ctx, []handscroll.Part{part}, b.show.update); err != nil {
			return nil, benchRead{}, err
		}
		spent += time.Since(begin)
	}
	resident, _ := residentMemory()
	return c, benchRead{Threads: runtime.GOMAXPROCS(0), Tokens: c.Tokens(), Seconds: seconds(spent),
		TokensPerS: float64(c.Tokens()) / spent.Seconds(), ResidentBytes: resident}, nil
}

// The needle that bench asks for.
const (
	benchNeedle   = " The special magic Lisbon number is: 4815162."
	benchQuestion = "What is the special magic Lisbon number?"
	benchExpected = "4815162"
)

// ask times answers over the first n tokens of c.
func (b *bencher) ask(ctx context.Context, c *handscroll.Context, n, repeat int) (benchAnswer, error) {
	s, err := c.Splice(ctx, n, handscroll.Insert{At: c.Boundary(n / 2), Text: benchNeedle})
	if err != nil {
		return benchAnswer{}, err
	}
	out := benchAnswer{ContextTokens: s.Tokens(), Right: true}
	var times []float64
	for range repeat {
		a, err := s.Ask(ctx, benchQuestion)
		if err != nil {
			return out, err
		}
		times = append(times, seconds(a.Timings.Answer))
		out.AnswerTokens = a.Usage.AnswerTokens
		out.Right = out.Right && strings.Contains(a.Text, benchExpected)
	}
	slices.Sort(times)
	out.Seconds, out.Slowest = times[len(times)/2], times[len(times)-1]
	return out, nil
}

// residentMemory is the process's memory now and at most so far, in bytes.
// Where the system does not tell it is what the Go runtime has, and no peak.
func residentMemory() (now, peak int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.Sys), 0
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kB, err := strconv.ParseInt(fields[1], 10, 64)
		switch {
		case err != nil:
		case fields[0] == "VmRSS:":
			now = kB << 10
		case fields[0] == "VmHWM:":
			peak = kB << 10
		}
	}
	return now, peak
}

func printBench(w io.Writer, r benchReport) error {
	fmt.Fprintf(w, "%s on %s/%s, %s, seed %d\n\n", r.Model, r.OS, r.Arch, r.Go, r.Seed)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "reading\tthreads\ttokens\tseconds\ttokens/s\t")
	for _, x := range r.Reading {
		fmt.Fprintf(t, "\t%d\t%d\t%.2f\t%.0f\t\n", x.Threads, x.Tokens, x.Seconds, x.TokensPerS)
	}
	fmt.Fprintln(t, "\t\t\t\t\t\nanswering\tcontext\tanswer\tseconds\tslowest\tright")
	for _, x := range r.Answering {
		right := "no"
		if x.Right {
			right = "yes"
		}
		fmt.Fprintf(t, "\t%d\t%d\t%.3f\t%.3f\t%s\t\n", x.ContextTokens, x.AnswerTokens, x.Seconds, x.Slowest, right)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	peak := ""
	if r.Memory.PeakBytes > 0 {
		peak = ", at most " + formatBytes(r.Memory.PeakBytes)
	}
	_, err := fmt.Fprintf(w, "\nmemory: %d bytes a token of context; %s resident%s\n",
		r.Memory.BytesPerToken, formatBytes(r.Memory.ResidentBytes), peak)
	return err
}
