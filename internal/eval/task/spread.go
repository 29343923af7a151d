package task

import (
	"math/rand/v2"
	"strings"

	"github.com/handscroll/handscroll/internal/eval"
)

// A spot is a place for a needle: a depth in percent and its row of the map.
type spot struct {
	row   int
	depth float64
}

// scenes is the number of contexts at one length for tasks that spread their
// needles: a single needle has a context for each trial of each depth; several
// needles share a context, which then covers all depths, and trials counts
// contexts.
func scenes(g eval.Grid) int {
	if g.Needles == 1 {
		return len(g.Depths) * g.Trials
	}
	return g.Trials
}

// spread returns the spots of scene i. A single needle stands at exactly the
// depth of its row. Several are dealt out over the rows in turn, each at random
// within the band of depths that its row stands for.
func spread(rng *rand.Rand, g eval.Grid, i int) []spot {
	if g.Needles == 1 {
		row := i % len(g.Depths)
		return []spot{{row, g.Depths[row]}}
	}
	spots := make([]spot, g.Needles)
	for k := range spots {
		row := (k + i) % len(g.Depths)
		spots[k] = spot{row, within(rng, g, row)}
	}
	return spots
}

// within is a random depth of a row's band.
func within(rng *rand.Rand, g eval.Grid, row int) float64 {
	from, to := g.Band(row)
	return from + rng.Float64()*(to-from)
}

// pick is a random element.
func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// digits is a random number of exactly n digits.
func digits(rng *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteByte(byte('1' + rng.IntN(9)))
	for range n - 1 {
		b.WriteByte(byte('0' + rng.IntN(10)))
	}
	return b.String()
}

// fill puts pairs of a placeholder and its text into a wording.
func fill(wording string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(wording)
}
