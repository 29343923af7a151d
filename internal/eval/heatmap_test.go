package eval

import (
	"bytes"
	"image"
	"image/color"
	_ "image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

// mapOf summarises a run in which each cell was right ok(column, row) times of n.
func mapOf(m Manifest, n int, ok func(column, row int) int) *Summary {
	var results []Result
	for i, length := range m.Lengths {
		for row := range m.Depths {
			for t := range n {
				results = append(results, Result{Length: length, Row: row, OK: t < ok(i, row), Found: true})
			}
		}
	}
	return Summarize(m, results, Reading{})
}

func TestHeatMapColoursTheRightCells(t *testing.T) {
	m := Manifest{Task: "test", Lengths: []int{1000, 32000, 1_000_000}, Depths: []float64{0, 50, 100}}
	missed := func(column, row int) bool { return column == 2 && row == 1 || column == 0 && row == 0 }
	s := mapOf(m, 4, func(column, row int) int {
		if missed(column, row) {
			return 0
		}
		return 4
	})
	dir := t.TempDir()
	if err := WriteHeatMap(dir, s); err != nil {
		t.Fatal(err)
	}
	img := decode(t, filepath.Join(dir, "heatmap.png"))
	h := newHeatMap(s)
	for column := range m.Lengths {
		for row := range m.Depths {
			// A corner of the square, clear of its label.
			r := h.square(column, row)
			got := at(img, h, vg.Point{X: r.Min.X + 6, Y: r.Max.Y - 6})
			want := recallColor(1)
			if missed(column, row) {
				want = recallColor(0)
			}
			if got != want {
				t.Errorf("column %d, row %d is %v, want %v", column, row, got, want)
			}
		}
	}
	if g, r := recallColor(1), recallColor(0); g.G <= g.R || r.R <= r.G {
		t.Errorf("found is %v and missed is %v: not green and red", g, r)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "heatmap.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "32k", "1M", "50 %", "Recall 77.8 %"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("the SVG lacks %q", want)
		}
	}
}

func decode(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// at is the colour of the image at a point of the heat map.
func at(img image.Image, h *heatMap, p vg.Point) color.RGBA {
	const dots = heatMapDPI / 72.
	x, y := int(float64(p.X)*dots), int(float64(h.height-p.Y)*dots)
	return color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
}

func TestHeatMapHoldsLongNamesAndEmptyCells(t *testing.T) {
	m := Manifest{Task: "test", Haystack: strings.Repeat("long name ", 40), Lengths: []int{1000}, Depths: []float64{50}}
	if err := WriteHeatMap(t.TempDir(), Summarize(m, nil, Reading{})); err != nil {
		t.Fatal(err)
	}
}

func TestPercentNeverRoundsUpToAll(t *testing.T) {
	for _, c := range []struct {
		ok, n int
		want  string
	}{{4, 4, "100"}, {0, 4, "0"}, {1, 2, "50"}, {998, 1000, "99.8"}, {99999, 100000, "99.9"}, {9, 10, "90"}} {
		if got := percent(float64(c.ok)/float64(c.n), c.n); got != c.want {
			t.Errorf("%d of %d is %s %%, want %s", c.ok, c.n, got, c.want)
		}
	}
}

// TestHeatMapSample draws a full map to look at: HEATMAP_SAMPLE names where.
func TestHeatMapSample(t *testing.T) {
	dir := os.Getenv("HEATMAP_SAMPLE")
	if dir == "" {
		dir = t.TempDir()
	}
	m := Manifest{Task: "niah/gemini", Model: "handscroll 1f9f3f3a", Haystack: "war-and-peace.txt.gz and 2 more", Seed: 1,
		Lengths: []int{1000, 8000, 32000, 128_000, 512_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000},
		Depths:  []float64{0, 14, 29, 43, 57, 71, 86, 100}}
	rng := rand.New(rand.NewPCG(1, 2))
	s := mapOf(m, 25, func(column, row int) int { return 25 - rng.IntN(1+column*column/3)/(1+rng.IntN(4)) })
	if err := WriteHeatMap(dir, s); err != nil {
		t.Fatal(err)
	}
}
