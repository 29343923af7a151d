package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/convert"
)

// tinyWeights writes a tiny model of random open weights.
func (h *house) tinyWeights() string {
	h.t.Helper()
	path := filepath.Join(h.dir, "tiny.gguf")
	shape := convert.RandomShapes[len(convert.RandomShapes)-1]
	if err := convert.Random(path, shape, "q8_0", 5); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func TestBenchOfWeights(t *testing.T) {
	h := newHouse(t)
	path := h.tinyWeights()
	args := []string{"bench", "-m", path, "-p", "16,24", "-n", "4", "-d", "0,1030", "--thread-list", "1,2", "--cache", "f16,q8_0", "-r", "3", "--seed", "9"}
	var rows []benchRow
	if err := json.Unmarshal([]byte(h.want(exitOK, append(args, "--json"))), &rows); err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, r := range rows {
		tests = append(tests, fmt.Sprintf("%s/%d/%s", r.Test, r.Threads, r.Cache))
		mean := (r.Samples[0] + r.Samples[1] + r.Samples[2]) / 3
		if len(r.Samples) != 3 || math.Abs(r.Mean-mean) > 1e-9*mean || !(r.StdDev >= 0) || !(mean > 0) {
			t.Errorf("%s: samples %v, mean %g ± %g", r.Test, r.Samples, r.Mean, r.StdDev)
		}
		if r.Architecture != "qwen3moe" || r.Type != "Q8_0" || r.Seed != 9 || len(r.Fingerprint) != 64 || r.FileBytes <= r.TokenBytes || r.Parameters <= r.Active || r.Active <= 0 {
			t.Errorf("row %+v", r)
		}
		if want := r.Prompt + r.Gen; want != 16 && want != 24 && want != 4 {
			t.Errorf("%s of %d and %d tokens", r.Test, r.Prompt, r.Gen)
		}
	}
	var want []string
	for _, cache := range []string{"f16", "q8_0"} {
		for _, after := range []string{"", "@d1030"} {
			for threads := 1; threads <= 2; threads++ {
				for _, test := range []string{"pp16", "pp24", "tg4"} {
					want = append(want, fmt.Sprintf("%s%s/%d/%s", test, after, threads, cache))
				}
			}
		}
	}
	if !reflect.DeepEqual(tests, want) {
		t.Errorf("tests %q, want %q", tests, want)
	}
}

func TestBenchOfWeightsFormats(t *testing.T) {
	h := newHouse(t)
	path := h.tinyWeights()
	args := []string{"bench", "-m", path, "-p", "0", "-n", "3,5", "-r", "2", "--output"}
	records, err := csv.NewReader(strings.NewReader(h.want(exitOK, append(args, "csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 3 {
		t.Fatalf("%d records, want 3: %q", len(records), records)
	}
	field := map[string]string{}
	for i, name := range records[0] {
		field[name] = records[2][i]
	}
	for name, want := range map[string]string{"test": "tg5", "n_prompt": "0", "n_gen": "5", "depth": "0", "cache": "f16", "seed": "1", "model": "random weights of shape tiny"} {
		if field[name] != want {
			t.Errorf("%s is %q, want %q", name, field[name], want)
		}
	}
	if n := len(strings.Fields(field["samples"])); n != 2 {
		t.Errorf("%d samples in %q", n, field["samples"])
	}
	// CSV has what JSON has.
	var objects []map[string]any
	if err := json.Unmarshal([]byte(h.want(exitOK, append(args, "json"))), &objects); err != nil {
		t.Fatal(err)
	}
	if len(objects[0]) != len(field) {
		t.Errorf("JSON has %d fields, CSV %d", len(objects[0]), len(field))
	}
	for name := range objects[0] {
		if _, ok := field[name]; !ok {
			t.Errorf("CSV has no %s", name)
		}
	}
	h.want(exitOK, append(args, "md"), "| tg3 | ", "|---|", "qwen3moe", "seed 1")
	h.want(exitOK, append(args, "table"), "tg3 ", " ± ", "qwen3moe", "seed 1", "active")
}

// After an interruption, what was measured is printed.
func TestBenchOfWeightsInterrupted(t *testing.T) {
	h := newHouse(t)
	path := h.tinyWeights()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		ctx, cancel := context.WithCancel(context.Background())
		h.ctx = ctx
		timer := time.AfterFunc(wait, cancel)
		code, out, errs := h.run("bench", "-m", path, "-p", "8", "-n", "0", "-r", "1000000000", "--output", "csv")
		timer.Stop()
		cancel()
		if code != exitInterrupted || !strings.Contains(errs, "interrupted") {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		if strings.Contains(out, ",pp8,") {
			return
		}
		if out != "" || wait > 10*time.Second {
			t.Fatalf("after %v: %q", wait, out)
		}
	}
}

func TestBenchOfWeightsRejects(t *testing.T) {
	h := newHouse(t)
	path := h.tinyWeights()
	for _, args := range [][]string{
		{"--prompt", "x"}, {"--prompt", "-1"}, {"--gen", "5,-2"}, {"--depth", "-1"}, {"--thread-list", "0"}, {"--thread-list", "2000"},
		{"--cache", "q4"}, {"--cache", ""}, {"--output", "xml"}, {"--repeat", "0"}, {"--json", "--output", "csv"},
		{"--lengths", "1k"}, {"--single", "1k"}, {"--threads", "-1"}, {"--gen", "0", "--prompt", "0"},
	} {
		h.want(exitUsage, append([]string{"bench", "-m", path}, args...), args[0])
	}
	// The flags of one kind of model are refused with the other.
	h.want(exitUsage, []string{"bench", "-m", h.model, "--gen", "5"}, "--gen", "open weights")
	h.want(exitUsage, []string{"bench", "--output", "csv"}, "--output", "open weights")
	h.want(exitError, []string{"bench", "-m", filepath.Join(h.dir, "nope.gguf")}, "nope.gguf")
}
