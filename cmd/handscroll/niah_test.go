package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/eval"
)

// storyFile is prose to hide in.
func storyFile(h *house) string {
	return h.file("story.txt", strings.Repeat("The miller carried the lantern to the old bridge before noon. "+
		"Nobody in the village remembered who had painted the clock tower green.\n", 40))
}

func niahArgs(h *house, story, out string, more ...string) []string {
	return append([]string{"niah", "--model", h.model, "--haystack", story, "--lengths", "200,600",
		"--depths", "0,50,100", "--trials", "2", "--out", filepath.Join(h.dir, out)}, more...)
}

func resultsOf(t *testing.T, dir string) []eval.Result {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []eval.Result
	for line := range strings.Lines(string(data)) {
		var r eval.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		r.Seconds = 0
		out = append(out, r)
	}
	return out
}

func TestNiahMeasuresEveryTask(t *testing.T) {
	h := newHouse(t)
	story := storyFile(h)
	for name, more := range map[string][]string{
		"niah":      {"--template", "mixed", "--needles", "3"},
		"heldout":   nil,
		"lookalike": {"--needles", "4"},
		"absent":    nil,
	} {
		out := h.want(exitOK, niahArgs(h, story, name, append(more, "--task", name, "--lengths", "300", "--trials", "1")...),
			"recall", "95 % interval", "seed 1", "story.txt", "heatmap.png")
		if name == "absent" && !strings.Contains(out, "reported absent") {
			t.Errorf("absent says nothing of absence:\n%s", out)
		}
		if rs := resultsOf(t, filepath.Join(h.dir, name)); len(rs) != 3 && name == "heldout" {
			t.Errorf("%s: %d results, want 3", name, len(rs))
		}
	}
	h.want(exitOK, niahArgs(h, h.file("book.txt", book()), "quote", "--task", "quote", "--lengths", "all", "--trials", "1"), "recall")
}

// book is prose whose sentences all begin differently.
func book() string {
	var b strings.Builder
	if err := eval.Generate(&b, seeded(), 20_000); err != nil {
		panic(err)
	}
	return b.String()
}

// TestNiahDirectAgrees reads every trial from scratch: the same tokens in the
// same places.
func TestNiahDirectAgrees(t *testing.T) {
	h := newHouse(t)
	story := storyFile(h)
	h.want(exitOK, niahArgs(h, story, "spliced"))
	h.want(exitOK, niahArgs(h, story, "direct", "--direct"))
	a, b := resultsOf(t, filepath.Join(h.dir, "spliced")), resultsOf(t, filepath.Join(h.dir, "direct"))
	if len(a) != 12 || len(b) != 12 {
		t.Fatalf("%d and %d results, want 12", len(a), len(b))
	}
	for i := range a {
		if a[i].Tokens != b[i].Tokens || a[i].Needle != b[i].Needle || a[i].Depth != b[i].Depth {
			t.Errorf("result %d:\n%+v\n%+v", i, a[i], b[i])
		}
	}
}

func TestNiahResumesAndRefuses(t *testing.T) {
	h := newHouse(t)
	story := storyFile(h)
	dir := filepath.Join(h.dir, "out")
	h.want(exitOK, niahArgs(h, story, "out", "--json"), `"by_length"`)
	before := resultsOf(t, dir)
	for _, name := range []string{"summary.json", "heatmap.png"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "results.jsonl"), 700); err != nil {
		t.Fatal(err)
	}
	h.want(exitOK, niahArgs(h, story, "out"))
	if after := resultsOf(t, dir); !slices.Equal(before, after) {
		t.Errorf("%d results before, other %d after resuming", len(before), len(after))
	}
	h.want(exitError, niahArgs(h, story, "out", "--seed", "2"), "another run", "seed was 1, is now 2")
}

func TestNiahUsage(t *testing.T) {
	h := newHouse(t)
	story := storyFile(h)
	for text, more := range map[string][]string{
		`"x" is no length`:         {"--lengths", "1k,x"},
		`"1" is no length`:         {"--lengths", "1"},
		`"120" is no percentage`:   {"--depths", "120"},
		`there is no "nonsense"`:   {"--task", "nonsense"},
		`"nonsense" is neither`:    {"--template", "nonsense"},
		"0 trials":                 {"--trials", "0"},
		"named with --haystack":    {"story.txt"},
		`unknown flag: --nonsense`: {"--nonsense"},
	} {
		h.want(exitUsage, niahArgs(h, story, "out", more...), text)
	}
	h.want(exitError, []string{"niah", "--haystack", filepath.Join(h.dir, "missing")}, "missing")
}

func TestNiahOfMediaUsage(t *testing.T) {
	h := newHouse(t)
	story := storyFile(h)
	args := func(more ...string) []string {
		return append([]string{"niah", "--model", h.model, "--text", story, "--fonts", t.TempDir(), "--out", filepath.Join(h.dir, "out")}, more...)
	}
	for text, more := range map[string][]string{
		`"smell" is none of`:       {"--modality", "smell"},
		`"sight" is none of`:       {"--modality", "sight"},
		"quote is one of text":     {"--modality", "audio", "--task", "quote"},
		`"32k" is no length in`:    {"--modality", "video", "--lengths", "32k"},
		`"1.5s" is no length in`:   {"--modality", "video", "--lengths", "1.5s"},
		`"10-5" is no range`:       {"--modality", "video", "--letters", "10-5"},
		`"1/5-1/10" is no range`:   {"--modality", "video", "--letters", "1/5-1/10"},
		"contest takes one length": {"--task", "contest", "--lengths", "1h,2h"},
		"0 trials":                 {"--modality", "video", "--trials", "0"},
	} {
		h.want(exitUsage, args(more...), text)
	}
	h.want(exitError, args("--modality", "video", "--lengths", "2s"), "has no sense for it")
	h.want(exitError, args("--modality", "video", "--lengths", "2s", "--haystack", story), "neither a film nor a picture")
	h.want(exitError, args("--modality", "audio", "--lengths", "2s", "--haystack", story, "--out", filepath.Join(h.dir, "heard")), "no ears")
	h.want(exitUsage, []string{"measure", "smelling"}, "hearing or reading")
	h.want(exitUsage, []string{"measure", "hearing", "-f", story}, "go together")
	h.want(exitError, []string{"measure", "hearing", "--model", h.model}, "no ears")
}

func TestParseTimes(t *testing.T) {
	got, err := parseTimes("3h, 90s,10m,1h30m,600s")
	if want := []time.Duration{90 * time.Second, 10 * time.Minute, 90 * time.Minute, 3 * time.Hour}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestParseLengths(t *testing.T) {
	got, err := parseLengths("1m, 32k,1000,1.5M,all,1k")
	if want := []int{eval.Whole, 1000, 32_000, 1_000_000, 1_500_000}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestStatusLine(t *testing.T) {
	line := statusLine(eval.Status{Done: 60, Total: 100, OK: 57, Fresh: 20, Elapsed: 10 * time.Second})
	for _, want := range []string{"60 %", "recall 95.00 %", "20s left"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
	if s := newProgress(io.Discard); s.w != nil {
		t.Error("progress is shown where there is no terminal")
	}
}
