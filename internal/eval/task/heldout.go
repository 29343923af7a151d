package task

import (
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/eval"
)

// HeldOut hides values of twenty-odd kinds under keys of ten, in wordings made
// for measuring alone: how well the ability carries over to what no training
// list holds.
type HeldOut struct{}

// Name implements [eval.Task].
func (HeldOut) Name() string { return "heldout" }

// Scenes implements [eval.Task].
func (HeldOut) Scenes(g eval.Grid) int { return scenes(g) }

// Scene implements [eval.Task].
func (HeldOut) Scene(rng *rand.Rand, g eval.Grid, i int, _ eval.Text) (eval.Scene, error) {
	var s eval.Scene
	seen := make(map[string]bool)
	for _, at := range spread(rng, g, i) {
		key := pick(rng, heldOutKeys)(rng)
		for seen[key] {
			key = pick(rng, heldOutKeys)(rng)
		}
		seen[key] = true
		kind := pick(rng, heldOutValues)
		w := pick(rng, heldOutWordings)
		w = Wording{fill(w.say, "{kind}", kind.noun), fill(w.ask, "{kind}", kind.noun)}
		add(&s, at, w, key, kind.value(rng))
	}
	return s, nil
}
