package engine

import (
	"math"
	"slices"
	"testing"
)

var testLabels = [][]string{{"circle", "square", "cross"}, {"red", "blue"}, {"still", "moving left", "growing"}}

func TestWantedLabels(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  []int
		named int
		ok    bool
	}{
		{"When does a red circle appear?", []int{0, 0, -1}, 2, true},
		{"the blue squares, moving left", []int{1, 1, 1}, 3, true},
		{"Does anything blue, an object, move left?", []int{-1, 1, 1}, 2, true},
		{"When does a growing thing appear?", []int{-1, -1, 2}, 1, true},
		{"What colour is the object?", []int{-1, -1, -1}, 0, false},
		{"Who wore a red coat?", []int{-1, 0, -1}, 1, false}, // no shape, nothing of a kind: a matter of text
		{"the encircled one", []int{-1, -1, -1}, 0, false},
		{"The Crosses were seen", []int{2, -1, -1}, 1, true},
		{"", []int{-1, -1, -1}, 0, false},
	} {
		want, named, ok := wantedLabels(c.text, testLabels)
		if !slices.Equal(want, c.want) || named != c.named || ok != c.ok {
			t.Errorf("%q: %v, %d named, %v; want %v, %d, %v", c.text, want, named, ok, c.want, c.named, c.ok)
		}
	}
}

func TestLikely(t *testing.T) {
	lists := [][]string{{"circle", "square"}, {"red", "blue"}}
	logits := func() []float32 {
		l := func(p float64) float32 { return float32(math.Log(p)) }
		return []float32{l(0.1), l(0.6), l(0.3) /* shape */, l(0.25), l(0.25), l(0.5) /* colour */}
	}
	for _, c := range []struct {
		want []int
		p    float64
	}{{[]int{0, 1}, 0.3}, {[]int{1, -1}, 0.3}, {[]int{-1, 0}, 0.25}, {[]int{-1, -1}, 1}} {
		if got := float64(likely(logits(), lists, c.want)); math.Abs(got-c.p) > 1e-3 {
			t.Errorf("%v: %v, want %v", c.want, got, c.p)
		}
	}
}
