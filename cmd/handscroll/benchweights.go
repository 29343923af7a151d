package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
)

// weightsBenchFlags say what is measured of open weights: every combination.
type weightsBenchFlags struct {
	prompt, gen, depth, threads []int
	cache                       []string
	output                      string
}

// weightsBenchNames are the flags that only open weights have.
var weightsBenchNames = []string{"prompt", "gen", "depth", "thread-list", "cache", "output"}

func (f *weightsBenchFlags) add(cmd *cobra.Command) {
	cmd.Flags().IntSliceVarP(&f.prompt, "prompt", "p", []int{512}, "open weights: tokens to read at once; 0 for none")
	cmd.Flags().IntSliceVarP(&f.gen, "gen", "n", []int{128}, "open weights: tokens to answer with; 0 for none")
	cmd.Flags().IntSliceVarP(&f.depth, "depth", "d", []int{0}, "open weights: tokens that are in the context before")
	cmd.Flags().IntSliceVar(&f.threads, "thread-list", nil, "open weights: numbers of threads to compute with (default: that of --threads)")
	cmd.Flags().StringSliceVar(&f.cache, "cache", []string{"f16"}, "open weights: keys and values as f16, q8_0 or f32")
	cmd.Flags().StringVar(&f.output, "output", "table", "open weights: table, csv, json or md")
}

// check completes the flags and refuses what cannot be meant.
func (f *benchFlags) check() error {
	w := &f.weights
	if f.json {
		if w.output != "json" && w.output != "table" {
			return usageError{fmt.Errorf("bench: --json and --output %s", w.output)}
		}
		w.output = "json"
	}
	if benchWriters[w.output] == nil {
		return usageError{fmt.Errorf("bench: --output %q, want table, csv, json or md", w.output)}
	}
	if f.repeat < 1 {
		return usageError{fmt.Errorf("bench: --repeat %d, want 1 or more", f.repeat)}
	}
	if len(w.threads) == 0 {
		w.threads = []int{runtime.GOMAXPROCS(0)}
	}
	for _, list := range []struct {
		name        string
		values      []int
		least, most int
	}{
		{"prompt", w.prompt, 0, 1 << 24}, {"gen", w.gen, 0, 1 << 24}, {"depth", w.depth, 0, 1 << 28}, {"thread-list", w.threads, 1, 1024},
	} {
		for _, v := range list.values {
			if v < list.least || v > list.most {
				return usageError{fmt.Errorf("bench: --%s has %d, want %d to %d", list.name, v, list.least, list.most)}
			}
		}
	}
	if slices.Max(append(w.prompt, 0)) == 0 && slices.Max(append(w.gen, 0)) == 0 {
		return usageError{fmt.Errorf("bench: --prompt and --gen leave nothing to measure")}
	}
	if len(w.cache) == 0 {
		w.cache = []string{""} // refused
	}
	for _, c := range w.cache {
		if err := checkCache(c); err != nil {
			return err
		}
	}
	return nil
}

// checkCache refuses a --cache that is none.
func checkCache(name string) error {
	if !slices.Contains([]string{"f16", "q8_0", "f32"}, name) {
		return usageError{fmt.Errorf("--cache %q, want f16, q8_0 or f32", name)}
	}
	return nil
}

// benchRow is what was measured of one test; JSON and CSV have all of it.
type benchRow struct {
	Model        string    `json:"model"`
	Fingerprint  string    `json:"fingerprint"`
	Architecture string    `json:"architecture"`
	Type         string    `json:"type"`
	FileBytes    int64     `json:"file_bytes"`
	Parameters   int64     `json:"parameters"`
	Active       int64     `json:"active_parameters"`
	TokenBytes   int64     `json:"bytes_per_token"` // of weights in the file that an answer's token reads
	Threads      int       `json:"threads"`
	Cache        string    `json:"cache"`
	Test         string    `json:"test"`
	Prompt       int       `json:"n_prompt"`
	Gen          int       `json:"n_gen"`
	Depth        int       `json:"depth"`
	Samples      []float64 `json:"samples"` // tokens/s
	Mean         float64   `json:"mean"`
	StdDev       float64   `json:"stddev"`
	Seed         uint64    `json:"seed"`
	Go           string    `json:"go"`
	OS           string    `json:"os"`
	Arch         string    `json:"arch"`
	CPUs         int       `json:"cpus"`
}

// add takes a test's next sample.
func (r *benchRow) add(tokensPerS float64) {
	r.Samples = append(r.Samples, tokensPerS)
	sum, squares := 0.0, 0.0
	for _, x := range r.Samples {
		sum += x
	}
	n := float64(len(r.Samples))
	r.Mean = sum / n
	for _, x := range r.Samples {
		squares += (x - r.Mean) * (x - r.Mean)
	}
	r.StdDev = math.Sqrt(squares / max(1, n-1))
}

// runWeights measures open weights. What was measured is printed, also if the rest
// fails or is interrupted.
func (f *benchFlags) runWeights(cmd *cobra.Command) error {
	if err := f.model.setThreads(); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	d, err := handscroll.Describe(f.model.path, 0, "")
	if err != nil {
		return err
	}
	w, err := f.model.openWeights(cmd)
	if err != nil {
		return err
	}
	defer w.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	b := weightsBencher{f: f, w: w, show: newProgress(cmd.ErrOrStderr()), row: benchRow{
		Model: w.Name(), Fingerprint: w.Fingerprint(), Architecture: d.Architecture, Type: d.Type, FileBytes: d.FileBytes,
		Parameters: d.Parameters, Active: d.Active, TokenBytes: d.TokenBytes,
		Seed: f.seed, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
	}}
	err = b.run(cmd.Context())
	b.show.clear()
	if len(b.rows) == 0 {
		return err
	}
	if failed := benchWriters[f.weights.output](cmd.OutOrStdout(), b.rows); err == nil {
		err = failed
	}
	return err
}

// weightsBencher runs the tests.
type weightsBencher struct {
	f    *benchFlags
	w    *handscroll.Weights
	show *progress
	row  benchRow // what all rows have
	rows []benchRow
}

func (b *weightsBencher) run(ctx context.Context) error {
	w := &b.f.weights
	most := slices.Max(slices.Concat(w.prompt, w.gen))
	for _, cache := range w.cache {
		for _, depth := range w.depth {
			debug.FreeOSMemory()             // what the context before took is not this one's
			b.threads(slices.Max(w.threads)) // what is read does not depend on them
			bench, err := b.w.NewBench(ctx, handscroll.BenchOptions{Depth: depth, Most: most, Cache: cache, Seed: b.f.seed}, func(done, total int) {
				b.show.show(func() string { return fmt.Sprintf("reading %d of %d tokens before", done, total) })
			})
			if err != nil {
				return err
			}
			for _, threads := range w.threads {
				b.threads(threads)
				row := b.row
				row.Threads, row.Cache, row.Depth = threads, cache, depth
				if err := b.tests(ctx, bench, row); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (b *weightsBencher) threads(n int) {
	runtime.GOMAXPROCS(n)
	b.w.SetThreads(n)
}

// tests runs all tests after one context.
func (b *weightsBencher) tests(ctx context.Context, bench *handscroll.Bench, row benchRow) error {
	after := ""
	if row.Depth > 0 {
		after = fmt.Sprintf("@d%d", row.Depth)
	}
	for _, n := range b.f.weights.prompt {
		r := row
		r.Test, r.Prompt = fmt.Sprintf("pp%d%s", n, after), n
		if err := b.test(ctx, r, n, bench.Prompt); err != nil {
			return err
		}
	}
	for _, n := range b.f.weights.gen {
		r := row
		r.Test, r.Gen = fmt.Sprintf("tg%d%s", n, after), n
		if err := b.test(ctx, r, n, bench.Generate); err != nil {
			return err
		}
	}
	return nil
}

// test runs one test of n tokens, the first time uncounted.
func (b *weightsBencher) test(ctx context.Context, row benchRow, n int, run func(context.Context, int) (time.Duration, error)) error {
	if n == 0 {
		return nil
	}
	defer func() {
		if len(row.Samples) > 0 {
			b.rows = append(b.rows, row)
		}
	}()
	for i := range b.f.repeat + 1 {
		b.show.show(func() string {
			return fmt.Sprintf("%s  %d threads  %s  run %d of %d", row.Test, row.Threads, row.Cache, i, b.f.repeat)
		})
		took, err := run(ctx, n)
		if err != nil {
			return err
		}
		if i > 0 {
			row.add(float64(n) / took.Seconds())
		}
	}
	return nil
}

// benchWriters print rows, of which there is at least one.
var benchWriters = map[string]func(io.Writer, []benchRow) error{
	"table": writeBenchTable, "csv": writeBenchCSV, "json": writeBenchJSON, "md": writeBenchMarkdown,
}

// title says what was measured, and on what.
func (r *benchRow) title() string {
	params := formatCount(r.Parameters) + " parameters"
	if r.Active != r.Parameters {
		params += ", " + formatCount(r.Active) + " of them active"
	}
	return fmt.Sprintf("%s@%.12s: %s, %s, %s, %s; %s/%s, %d CPUs, %s, seed %d", r.Model, r.Fingerprint, r.Architecture, r.Type,
		formatBytes(r.FileBytes), params, r.OS, r.Arch, r.CPUs, r.Go, r.Seed)
}

func (r *benchRow) speed() string { return fmt.Sprintf("%.2f ± %.2f", r.Mean, r.StdDev) }

func writeBenchTable(w io.Writer, rows []benchRow) error {
	fmt.Fprintf(w, "%s\n\n", rows[0].title())
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "test\tthreads\tcache\ttokens/s\t")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t\n", r.Test, r.Threads, r.Cache, r.speed())
	}
	return t.Flush()
}

func writeBenchMarkdown(w io.Writer, rows []benchRow) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n| test | threads | cache | tokens/s |\n|---|---:|---|---:|\n", rows[0].title())
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", r.Test, r.Threads, r.Cache, r.speed())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeBenchJSON(w io.Writer, rows []benchRow) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(rows)
}

// writeBenchCSV writes the fields that JSON has, under the same names; samples have
// spaces between them.
func writeBenchCSV(w io.Writer, rows []benchRow) error {
	out := csv.NewWriter(w)
	typ := reflect.TypeFor[benchRow]()
	record := make([]string, typ.NumField())
	for i := range record {
		record[i] = typ.Field(i).Tag.Get("json")
	}
	if err := out.Write(record); err != nil {
		return err
	}
	for _, r := range rows {
		for i := range record {
			record[i] = fmt.Sprint(reflect.ValueOf(r).Field(i))
			if typ.Field(i).Type.Kind() == reflect.Slice {
				record[i] = strings.Trim(record[i], "[]")
			}
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// formatCount is a number of parameters in words.
func formatCount(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.3g billion", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.3g million", float64(n)/1e6)
	}
	return fmt.Sprint(n)
}
