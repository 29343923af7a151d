package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/eval/task"
)

// modalityFlags are those of films and recordings.
type modalityFlags struct {
	modality string
	letters  string
	fonts    []string
	clips    []string
	text     []string
}

func (f *modalityFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.modality, "modality", "text", "what is hidden in and asked of: text, video, audio or mixed")
	flags.StringVar(&f.letters, "letters", "1/10-1/5", "video: heights of capitals as parts of the frame's; several ranges are counted apart")
	flags.StringArrayVar(&f.fonts, "fonts", nil, "folder of fonts; those held out from training are used (repeatable; default /usr/share/fonts)")
	flags.StringArrayVar(&f.clips, "clips", nil, "film to take shots of generated films from (repeatable)")
	flags.StringArrayVar(&f.text, "text", nil, "video, mixed: file or directory that half of the secret words are taken from (repeatable; default: the words that the model can hear)")
}

// defaultTimes are the lengths of contexts of each modality.
var defaultTimes = map[string]string{"video": "1m,10m,1h,3h", "audio": "12m,1h,5h,11h,22h", "mixed": "3h", "contest": "1h", "sight": "1h"}

// study is what the flags say to measure in films and recordings; nil if it is text.
func (f *niahFlags) study(cmd *cobra.Command) (eval.Study, error) {
	what := f.media.modality
	switch {
	case f.task == "contest" || f.task == "sight":
		what = f.task
	case what == "text":
		return nil, nil
	case defaultTimes[what] == "" || what == "contest" || what == "sight":
		return nil, usageError{fmt.Errorf("niah: --modality: %q is none of text, video, audio and mixed", what)}
	case f.task != "niah":
		return nil, usageError{fmt.Errorf("niah: --task %s is one of text", f.task)}
	}
	list := defaultTimes[what]
	if cmd.Flags().Changed("lengths") {
		list = f.lengths
	}
	lengths, err := parseTimes(list)
	var grid eval.Grid
	if err == nil {
		grid.Depths, err = parseDepths(f.depths)
	}
	if err == nil && f.trials < 1 {
		err = fmt.Errorf("%d trials", f.trials)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("niah: %w", err)}
	}
	grid.Trials = f.trials
	switch what {
	case "video":
		return f.video(cmd, lengths, grid)
	case "audio":
		a := &task.Audio{Lengths: lengths, Grid: grid}
		a.Speech, err = f.speech(cmd)
		return a, err
	}
	if len(lengths) > 1 {
		return nil, usageError{fmt.Errorf("niah: --lengths: %s takes one length", what)}
	}
	switch what {
	case "mixed":
		return f.mixed(cmd, lengths[0])
	case "contest":
		c := &task.Contest{Length: lengths[0], Contests: f.scenes(cmd, 50)}
		c.Fonts, err = task.LoadFonts(fontFolders(f.media.fonts)...)
		return c, err
	}
	s := &task.Sight{Length: lengths[0], Films: f.scenes(cmd, 10)}
	if s.Fonts, err = task.LoadFonts(fontFolders(f.media.fonts)...); err != nil {
		return nil, err
	}
	s.Clips, err = f.loadClips(cmd)
	return s, err
}

// scenes are the trials where there is no grid of lengths and depths.
func (f *niahFlags) scenes(cmd *cobra.Command, usual int) int {
	if cmd.Flags().Changed("trials") {
		return f.trials
	}
	return usual
}

// parseTimes reads a list such as 90s,10m,3h in whole seconds.
func parseTimes(list string) ([]time.Duration, error) {
	var out []time.Duration
	for s := range strings.SplitSeq(list, ",") {
		d, err := time.ParseDuration(strings.ToLower(strings.TrimSpace(s)))
		if err != nil || d < time.Second || d > 1000*time.Hour || d%time.Second != 0 {
			return nil, fmt.Errorf("--lengths: %q is no length in whole seconds: write 90s, 10m or 3h", s)
		}
		out = append(out, d)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// parseLetters reads a list such as 1/10-1/5,1/20-1/10.
func parseLetters(list string) ([]task.Letters, error) {
	var out []task.Letters
	for s := range strings.SplitSeq(list, ",") {
		lo, hi, ok := strings.Cut(strings.TrimSpace(s), "-")
		a, errA := parseShare(lo)
		b, errB := parseShare(hi)
		if !ok || errA != nil || errB != nil || a > b {
			return nil, fmt.Errorf("--letters: %q is no range of parts of the height, from 1/50 to 1/2: write 1/10-1/5", s)
		}
		out = append(out, task.Letters{Min: a, Max: b})
	}
	return out, nil
}

func parseShare(s string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimPrefix(s, "1/"), 64)
	if err != nil || !strings.HasPrefix(s, "1/") || !(n >= 2 && n <= 50) {
		return 0, errors.New("no share")
	}
	return 1 / n, nil
}

// fontFolders are those named, or where fonts usually are.
func fontFolders(named []string) []string {
	const usual = "/usr/share/fonts"
	if len(named) == 0 {
		if _, err := os.Stat(usual); err == nil {
			return []string{usual}
		}
	}
	return named
}

func (f *niahFlags) video(cmd *cobra.Command, lengths []time.Duration, grid eval.Grid) (*task.Video, error) {
	letters, err := parseLetters(f.media.letters)
	if err != nil {
		return nil, usageError{fmt.Errorf("niah: %w", err)}
	}
	v := &task.Video{Lengths: lengths, Grid: grid, Letters: letters}
	if v.Fonts, err = task.LoadFonts(fontFolders(f.media.fonts)...); err != nil {
		return nil, err
	}
	if v.Words, err = f.words(cmd); err != nil {
		return nil, err
	}
	if len(f.haystack) > 0 {
		parts, err := openFiles(cmd, f.haystack, 0)
		if err != nil {
			return nil, err
		}
		v.Film, err = task.OpenFootage(cmd.Context(), haystackName(f.haystack), parts)
		return v, err
	}
	clips, err := f.loadClips(cmd)
	if err != nil {
		return nil, err
	}
	v.Film, err = task.GenerateFootage(f.seed, int(slices.Max(lengths)/time.Second), v.Fonts, clips)
	return v, err
}

// speech is the recordings of the haystack, or its texts spoken.
func (f *niahFlags) speech(cmd *cobra.Command) (*task.Speech, error) {
	if len(f.haystack) == 0 {
		text, err := f.prose()
		if err != nil {
			return nil, err
		}
		return task.NewSpeech("generated prose", f.seed, []string{text})
	}
	parts, err := openFiles(cmd, f.haystack, 0)
	if err != nil {
		return nil, err
	}
	name := haystackName(f.haystack)
	if slices.ContainsFunc(parts, func(p handscroll.Part) bool { return p.Kind() != handscroll.Text }) {
		return task.OpenRecordings(cmd.Context(), name, parts)
	}
	return task.NewSpeech(name, f.seed, textsOf(parts))
}

// prose is generated where there is no other.
func (f *niahFlags) prose() (string, error) {
	var text strings.Builder
	err := eval.Generate(&text, rand.New(rand.NewPCG(f.seed, 0)), 1<<20)
	return text.String(), err
}

// mixed reads a book and code among the haystack's texts, the installed Go's sources
// and generated prose by default.
func (f *niahFlags) mixed(cmd *cobra.Command, length time.Duration) (*task.Mixed, error) {
	letters, err := parseLetters(f.media.letters)
	if err != nil {
		return nil, usageError{fmt.Errorf("niah: %w", err)}
	}
	if len(letters) > 1 {
		return nil, usageError{errors.New("niah: --letters: mixed takes one range")}
	}
	m := &task.Mixed{Length: length, Letters: letters[0], Trials: f.scenes(cmd, 50)}
	var parts []handscroll.Part
	if len(f.haystack) > 0 {
		if parts, err = openFiles(cmd, f.haystack, 0); err != nil {
			return nil, err
		}
	}
	if m.Fonts, err = task.LoadFonts(fontFolders(f.media.fonts)...); err != nil {
		return nil, err
	}
	clips, err := task.LoadClips(cmd.Context(), parts)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		switch {
		case p.Kind() != handscroll.Text:
		case isCode(p.Source):
			m.Code = append(append(m.Code, p.Text...), '\n')
		default:
			m.Book = append(append(m.Book, p.Text...), '\n')
		}
	}
	if len(m.Book) == 0 {
		text, err := f.prose()
		if err != nil {
			return nil, err
		}
		m.Book = []byte(text)
	}
	if len(m.Code) == 0 {
		if m.Code, err = goCode(cmd.Context()); err != nil {
			return nil, err
		}
	}
	if m.Words, err = f.words(cmd); err != nil {
		return nil, err
	}
	if m.Speech, err = task.NewSpeech("the book", f.seed, []string{string(m.Book)}); err != nil {
		return nil, err
	}
	m.Film, err = task.GenerateFootage(f.seed, int(length/time.Second), m.Fonts, clips)
	return m, err
}

// goCode is the largest tree of the installed Go's library.
func goCode(ctx context.Context) ([]byte, error) {
	src := goSources(ctx)
	if len(src) == 0 {
		return nil, usageError{errors.New("niah: no Go is installed: name programs with --haystack")}
	}
	parts, _, err := handscroll.Files(ctx, []string{filepath.Join(src[0], "net")}, handscroll.FileOptions{MaxBytes: enoughText})
	return []byte(strings.Join(textsOf(parts), "\n")), err
}

// isCode reports whether a file's name ends as those of programs do.
func isCode(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case "", ".txt", ".md", ".html", ".epub", ".pdf", ".docx", ".gz":
		return false
	}
	return true
}

func (f *niahFlags) loadClips(cmd *cobra.Command) ([]*task.Clip, error) {
	if len(f.media.clips) == 0 {
		return nil, nil
	}
	parts, err := openFiles(cmd, f.media.clips, 0)
	if err != nil {
		return nil, err
	}
	return task.LoadClips(cmd.Context(), parts)
}

// commonWords are the most frequent that can be hidden.
const commonWords = 20_000

// enoughText bounds the text that words, sentences and code are taken from, in bytes.
const enoughText = 64 << 20

// words are the most frequent of --text; none without it.
func (f *niahFlags) words(cmd *cobra.Command) ([]string, error) {
	if len(f.media.text) == 0 {
		return nil, nil
	}
	parts, err := openFiles(cmd, f.media.text, enoughText)
	words := task.Frequencies(textsOf(parts))
	return words[:min(commonWords, len(words))], err
}

func textsOf(parts []handscroll.Part) []string {
	var out []string
	for _, p := range parts {
		out = append(out, string(p.Text))
	}
	return out
}

// observe runs a study and prints what it found.
func (f *niahFlags) observe(cmd *cobra.Command, s eval.Study) error {
	model, err := f.model.open()
	if err != nil {
		return errors.Join(err, s.Close())
	}
	senses := eval.NativeSenses(model, handscroll.ContextOptions{Threads: f.model.threads, MaxAnswer: niahMaxAnswer})
	show := newProgress(cmd.ErrOrStderr())
	hay, _ := s.Haystack()
	fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: %s, seed %d, in %s, results in %s\n", s.Name(), f.seed, hay, f.out)
	var last eval.Status
	sum, err := eval.Observe(cmd.Context(), senses, s, f.seed, f.out, func(s eval.Status) {
		if last = s; show.w != nil && time.Since(show.last) >= 100*time.Millisecond {
			show.last = time.Now()
			fmt.Fprintf(show.w, "\r\x1b[K%s", studyLine(s))
		}
	})
	show.clear()
	if errors.Is(err, context.Canceled) && last.Total > 0 && !last.Reading {
		fmt.Fprintf(cmd.ErrOrStderr(), "handscroll: %d of %d questions are done; the same command goes on\n", last.Done, last.Total)
	}
	if err != nil {
		return err
	}
	if f.json {
		return printIndented(cmd.OutOrStdout(), sum)
	}
	return printFindings(cmd.OutOrStdout(), sum, f.out)
}

// studyLine is how far a study is.
func studyLine(s eval.Status) string {
	if !s.Reading {
		return strings.Replace(statusLine(s), "recall", "found", 1)
	}
	line := fmt.Sprintf("reading  %s of %s", eval.Hours(float64(s.Done)), eval.Hours(float64(s.Total)))
	if s.Elapsed > 2*time.Second && s.Done > 0 {
		line += fmt.Sprintf("  %.0f times as fast", float64(s.Done)/s.Elapsed.Seconds())
	}
	return line
}

// printFindings prints what was found and what was exact, by group and length.
func printFindings(w io.Writer, s *eval.Findings, dir string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "question\tlength\tfound\t95 % interval\texact\t95 % interval\tasked\ts/answer")
	row := func(name, length string, v eval.Verdict, seconds string) {
		fmt.Fprintf(t, "%s\t%s\t%.2f %%\t%.2f – %.2f\t%.2f %%\t%.2f – %.2f\t%d\t%s\n", name, length, 100*v.Found.Rate, 100*v.Found.Low, 100*v.Found.High,
			100*v.Exact.Rate, 100*v.Exact.Low, 100*v.Exact.High, v.Found.Trials, seconds)
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		seconds := fmt.Sprintf("%.3f", g.Seconds)
		if len(g.Lengths) > 1 {
			for _, l := range g.Lengths {
				row(g.Name, eval.Hours(l.Length), l.Verdict, "")
			}
			row(g.Name, "all", g.Verdict, seconds)
			continue
		}
		row(g.Name, eval.Hours(g.Lengths[0].Length), g.Verdict, seconds)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range s.Groups {
		if g := &s.Groups[i]; g.Spelled.OK != g.Exact.OK {
			fmt.Fprintf(w, "%s: exact to the letter: %s\n", g.Name, rateText(g.Spelled))
		}
	}
	fmt.Fprintf(w, "preparing took %.1f s\n", s.Preparing)
	if len(s.Depths) > 0 {
		for i := range s.Groups {
			found, exact := s.Groups[i].MapNames()
			fmt.Fprintf(w, "heat maps: %s, %s\n", filepath.Join(dir, found+".png"), filepath.Join(dir, exact+".png"))
		}
	}
	return nil
}
