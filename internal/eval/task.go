package eval

import "math/rand/v2"

// A Task is one benchmark: what is hidden in the haystack and what is asked.
type Task interface {
	// Name is the benchmark's name on the command line and in run.json.
	Name() string
	// Scenes is the number of contexts made at each length.
	Scenes(g Grid) int
	// Scene makes context i of those. It is a function of its arguments alone.
	Scene(rng *rand.Rand, g Grid, i int, hay Text) (Scene, error)
}

// A Grid says how much is measured at each length.
type Grid struct {
	Depths  []float64 // rows of the heat map, percent of the context
	Trials  int       // trials of each cell
	Needles int       // needles in one context
}

// Band returns the depths in percent that belong to a row: from halfway to the
// row above to halfway to the row below.
func (g Grid) Band(row int) (from, to float64) {
	from, to = 0, 100
	if row > 0 {
		from = (g.Depths[row-1] + g.Depths[row]) / 2
	}
	if row+1 < len(g.Depths) {
		to = (g.Depths[row] + g.Depths[row+1]) / 2
	}
	return from, to
}

// Row returns the row whose band holds depth.
func (g Grid) Row(depth float64) int {
	for row := range g.Depths {
		if _, to := g.Band(row); depth < to {
			return row
		}
	}
	return len(g.Depths) - 1
}

// Text is the haystack as a task sees it: the first Length tokens.
type Text struct {
	Length int
	Bytes  func() ([]byte, error)
}

// A Scene is one context and the questions asked of it.
type Scene struct {
	Hide []Needle
	Ask  []Probe
}

// A Needle is a text to be hidden at a depth, in percent of the context.
type Needle struct {
	Text  string
	Depth float64
}

// A Probe is one question with the answer that counts as right.
type Probe struct {
	Row      int     // row of the heat map
	Depth    float64 // where the answer stands, percent
	Needle   string  // the text that holds the answer, empty if none does
	Question string
	Expected string
	// Absent: the context does not hold the answer, and saying so is right.
	Absent bool
	// Wrapped: the expected text may be broken over lines differently, so that
	// a run of white space equals any other.
	Wrapped bool
}
