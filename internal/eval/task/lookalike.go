package task

import (
	"math/rand/v2"
	"strings"

	"github.com/handscroll/handscroll/internal/eval"
)

// Lookalike hides g.Needles needles and as many look-alikes, whose keys differ
// from theirs in one letter, digit or word, together in one context, and asks
// for the needles one by one. Half of the look-alikes have nearly the needle's
// value as well.
type Lookalike struct {
	Wording string // a key of Wordings
}

// Name implements [eval.Task].
func (t Lookalike) Name() string { return "lookalike/" + t.Wording }

// Scenes implements [eval.Task].
func (t Lookalike) Scenes(g eval.Grid) int { return g.Trials }

// Scene implements [eval.Task].
func (t Lookalike) Scene(rng *rand.Rand, g eval.Grid, i int, _ eval.Text) (eval.Scene, error) {
	wordings, err := wordingsOf(t.Wording)
	if err != nil {
		return eval.Scene{}, err
	}
	var s eval.Scene
	seen := make(map[string]bool)
	for k := range g.Needles {
		key, alike := newKeys(rng, seen)
		row := (k + i) % len(g.Depths)
		at := spot{row, within(rng, g, row)}
		w := pick(rng, wordings)
		value, other := digits(rng, 7), digits(rng, 7)
		if k%2 == 0 {
			other = alter(rng, value, '0', 10)
		}
		add(&s, at, w, key, value)
		s.Hide = append(s.Hide, eval.Needle{
			Text:  fill(w.say, "{key}", alike, "{value}", other),
			Depth: 100 * rng.Float64(),
		})
	}
	return s, nil
}

// newKeys draws a key and its look-alike, neither seen before.
func newKeys(rng *rand.Rand, seen map[string]bool) (key, alike string) {
	for {
		key, alike = alikeKeys(rng)
		if key != alike && !seen[key] && !seen[alike] {
			seen[key], seen[alike] = true, true
			return key, alike
		}
	}
}

// alikeKeys draws two keys that differ in one digit, letter or word.
func alikeKeys(rng *rand.Rand) (key, alike string) {
	switch rng.IntN(4) {
	case 0: // one digit
		what, n := pick(rng, numbered), digits(rng, 5)
		return what + " " + n, what + " " + alter(rng, n, '0', 10)
	case 1: // one letter of an invented name
		name := inventedName(rng)
		return name, name[:1] + alter(rng, name[1:], 'a', 26)
	case 2: // one word
		a, b := pick(rng, epithets), pick(rng, epithets)
		thing, other := pick(rng, things), pick(rng, things)
		if rng.IntN(2) == 0 {
			return a + " " + b + " " + thing, a + " " + b + " " + other
		}
		return a + " " + b + " " + thing, a + " " + pick(rng, epithets) + " " + thing
	default: // one character of a code
		letters := strings.ToUpper(inventedName(rng)[:3])
		n := digits(rng, 4)
		if rng.IntN(2) == 0 {
			return letters + "-" + n, letters + "-" + alter(rng, n, '0', 10)
		}
		return letters + "-" + n, alter(rng, letters, 'A', 26) + "-" + n
	}
}

// alter replaces one character of s by another of the n from first on. The
// first digit of a number stays different from 0.
func alter(rng *rand.Rand, s string, first byte, n int) string {
	i := rng.IntN(len(s))
	for {
		c := first + byte(rng.IntN(n))
		if c != s[i] && !(i == 0 && c == '0') {
			return s[:i] + string(c) + s[i+1:]
		}
	}
}

// inventedName is a capitalised name of three syllables.
func inventedName(rng *rand.Rand) string {
	s := pick(rng, onsets) + pick(rng, vowels) + pick(rng, onsets) + pick(rng, vowels) + pick(rng, onsets) + pick(rng, endings)
	return strings.ToUpper(s[:1]) + s[1:]
}

var (
	numbered = strings.Fields("locker berth gate shelf wagon ticket drawer hangar module sensor")
	epithets = strings.Fields(`amber brass crooked drifting eastern feathered gilded humming ivory jagged
		kindly lunar marbled northern ochre painted rusted salted tidal velvet woven`)
	things = strings.Fields(`anvil beacon cabinet dynamo easel furnace gazebo hammock inkwell jetty kiln
		loom mailbox observatory pulley quarry rotunda sundial turbine viaduct workshop`)
	onsets  = strings.Fields("b br d dr f g gr k kl l m n p pr r s st t tr v z")
	vowels  = strings.Fields("a e i o u ai ei au")
	endings = strings.Fields("a an ek el en ia in is o on or um us")
)
