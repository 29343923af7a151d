package render

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/handscroll/handscroll/internal/media"
)

// Attempt is one player's turn: the judges' cards appear at second At and stay
// for For seconds.
type Attempt struct {
	Cards
	At, For int
}

// Contest is the film of a slam dunk contest: attempts, the judges' cards after
// each, then the standings.
type Contest struct {
	*Film
	Attempts []Attempt
	Perfect  Attempt // the only one of 50 points
}

// NewContest makes a contest of about one attempt in 24 to 45 seconds, by 8 to 16
// players.
func NewContest(seed uint64, seconds int, opts FilmOptions) (*Contest, error) {
	if seconds < 60 {
		return nil, fmt.Errorf("render: a contest of %d seconds; it takes 60", seconds)
	}
	f, err := newFilm(seed, seconds, opts)
	if err != nil {
		return nil, err
	}
	c := &Contest{Film: f}
	rng := f.rng(stepPlan, 0)
	players := names(rng, 8+rng.IntN(9), opts.HeldOut)
	c.turns(rng, players)
	perfect := rng.IntN(len(c.Attempts))
	c.Attempts[perfect].Scores = [5]int{10, 10, 10, 10, 10}
	c.Perfect = c.Attempts[perfect]
	best, free := map[string]int{}, 0 // nothing is on from second free on
	for i, a := range c.Attempts {
		if a.At-4 >= free && chance(rng, 0.4) {
			caption := Overlay{fmt.Sprintf("%s\nAttempt %d", a.Player, i+1), between(rng, 0.05, 0.08) * float32(f.opts.H)}
			f.events = append(f.events, Event{a.At - 4, 3, caption})
		}
		best[a.Player] = max(best[a.Player], a.Total())
		f.events = append(f.events, Event{a.At, a.For, a.Cards})
		end := seconds
		if i+1 < len(c.Attempts) {
			end = c.Attempts[i+1].At
		}
		free = a.At + a.For
		if n := min(end-free, 3+rng.IntN(3)); n >= 2 && chance(rng, 0.85) {
			f.events = append(f.events, Event{free, n, standings(best)})
			free += n
		}
	}
	f.sort()
	return c, nil
}

// names invents the names of players, all different.
func names(rng *rand.Rand, n int, heldOut bool) []string {
	var list []string
	for len(list) < n {
		if name := Name(rng, heldOut); !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// turns plans the attempts and the shots around them.
func (c *Contest) turns(rng *rand.Rand, players []string) {
	f := c.Film
	mean := 24 + rng.IntN(22)
	court := true
	for at, turn := 0, 0; at < f.seconds; turn++ {
		end := at + mean*3/4 + rng.IntN(mean/2+1)
		if end+15 > f.seconds {
			end = f.seconds
		}
		show := 4 + rng.IntN(3)
		cards := end - show - 3 - rng.IntN(5)
		if turn%len(players) == 0 {
			rng.Shuffle(len(players), func(i, j int) { players[i], players[j] = players[j], players[i] })
		}
		c.Attempts = append(c.Attempts, Attempt{NewCards(rng, players[turn%len(players)]), cards, show})
		for at < end {
			s := shot{at: at, n: 3 + rng.IntN(6), court: court || chance(rng, 0.7), worn: chance(rng, 0.3)}
			if at+s.n > cards && at < cards {
				s.n = cards - at // a cut to the judges
			}
			s.n = min(s.n, end-at)
			court = at+s.n != cards
			f.shots = append(f.shots, s)
			at += s.n
		}
	}
}

// standings are the best scores of the best eight players.
func standings(best map[string]int) Table {
	t := Table{Title: "STANDINGS", Head: []string{"Player", "Best"}}
	var list []string
	for name := range best {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b string) int {
		if best[a] != best[b] {
			return best[b] - best[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range list[:min(8, len(list))] {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("%d %s", i+1, name), strconv.Itoa(best[name])})
	}
	return t
}

// courtFloor draws a hall: the crowd, the floor with its lines, and the basket.
func (p *Painter) courtFloor(rng *rand.Rand, img *media.Image) {
	w, h := float32(img.W), float32(img.H)
	p.foliage(rng, img) // people far away
	if chance(rng, 0.7) {
		curve(img, 1, between(rng, 0.3, 0.7), 0)
	}
	horizon := h * between(rng, 0.35, 0.55)
	wood := rgb{uint8(170 + rng.IntN(60)), uint8(115 + rng.IntN(50)), uint8(60 + rng.IntN(50))}
	dark := wood
	mix(dark[:], black, 70)
	lut := ramp(nil, dark, wood)
	for y := int(horizon) + 1; y < img.H; y++ {
		k := lut[int(255*(float32(y)-horizon)/(h-horizon))]
		fill(img, rect{0, y, img.W, y + 1}, k, 256)
	}
	line := white
	if chance(rng, 0.3) {
		line = randomRGB(rng)
	}
	cx := w * between(rng, 0.3, 0.7)
	far, near := w*0.12, w*between(rng, 0.22, 0.32)
	paintArea := randomRGB(rng)
	key := rect{int(cx - far), int(horizon), int(cx + far), int(h * 0.85)}
	fill(img, key, paintArea, 150)
	p.stroke(img, cx-far, horizon, cx-near, h, 1.6, line, 256)
	p.stroke(img, cx+far, horizon, cx+near, h, 1.6, line, 256)
	p.stroke(img, 0, horizon+2, w, horizon+2, 2, line, 256)
	// The basket hangs before the crowd.
	bw, bh := w*0.13, h*0.13
	by := horizon - bh - h*between(rng, 0.05, 0.15)
	p.stroke(img, cx, by+bh/2, cx, horizon, 3, rgb{60, 60, 66}, 256)
	fill(img, rect{int(cx - bw/2), int(by), int(cx + bw/2), int(by + bh)}, rgb{225, 228, 232}, 230)
	fill(img, rect{int(cx - bw/6), int(by + bh*0.4), int(cx + bw/6), int(by + bh*0.42 + 1)}, rgb{210, 60, 30}, 256)
	p.stroke(img, cx-bw/5, by+bh*0.95, cx+bw/5, by+bh*0.95, 3, rgb{230, 90, 20}, 256)
}

// play draws players and a ball as they are after some seconds of a shot.
func play(p *Painter, rng *rand.Rand, img *media.Image, after int) {
	w, h := float32(img.W), float32(img.H)
	team := [2]rgb{randomRGB(rng), randomRGB(rng)}
	t := float32(after)
	for range 1 + rng.IntN(5) {
		x, y := between(rng, 0.05, 0.95)*w+t*between(rng, -0.06, 0.06)*w, between(rng, 0.6, 0.95)*h
		stride := between(rng, -1, 1) + t*between(rng, 0.5, 2)
		p.figure(img, x, y, h*between(rng, 0.2, 0.34), stride-float32(int(stride)), team[rng.IntN(2)], skin(rng))
	}
	// The ball bounces: a parabola with a period of its own.
	phase := between(rng, 0, 1) + t*between(rng, 0.3, 0.9)
	phase -= float32(int(phase))
	x, y := between(rng, 0.2, 0.8)*w+t*between(rng, -0.09, 0.09)*w, h*(0.9-2.4*phase*(1-phase)*between(rng, 0.5, 1.1))
	r := h * between(rng, 0.025, 0.04)
	ellipse(img, x, y, r, r, rgb{214, 112, 40}, 256)
	p.stroke(img, x-r, y, x+r, y, 1, rgb{90, 40, 14}, 256)
}

func skin(rng *rand.Rand) rgb {
	c := rgb{236, 196, 164}
	mix(c[:], rgb{70, 42, 28}, rng.IntN(257))
	return c
}

// figure draws a player whose feet are at (x, y); stride in (−1, 1) says how the
// limbs swing.
func (p *Painter) figure(img *media.Image, x, y, size, stride float32, shirt, body rgb) {
	hip, shoulder := y-size*0.45, y-size*0.8
	limb := size * 0.09
	d := stride * size * 0.22
	shorts := shirt
	mix(shorts[:], black, 80)
	p.stroke(img, x, hip, x+d, y, limb, body, 256)
	p.stroke(img, x, hip, x-d, y, limb, body, 256)
	p.stroke(img, x, shoulder, x+d*1.2, shoulder+size*0.2-d, limb*0.8, body, 256)
	p.stroke(img, x, shoulder, x-d*1.2, shoulder-size*0.2+d, limb*0.8, body, 256)
	p.stroke(img, x, hip-size*0.02, x, hip+size*0.12, size*0.2, shorts, 256)
	p.stroke(img, x, shoulder-size*0.03, x, hip, size*0.2, shirt, 256)
	ellipse(img, x, shoulder-size*0.12, size*0.075, size*0.09, body, 256)
}
