package render

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Design is something to draw over a scene, for one second or several: t counts
// them from 0. With the same generator, what does not move stays where it is.
type Design interface {
	Draw(p *Painter, rng *rand.Rand, s *Scene, t int)
}

// Overlay is a text anywhere in the frame, readable whatever is behind it.
type Overlay struct {
	Text string
	Cap  float32 // height of capitals in pixels; less if the text would not fit
}

// Board is the state of a game.
type Board struct {
	Home, Away           string
	HomeScore, AwayScore int
	Clock, Period        string
}

// Cards are what five judges show for an attempt.
type Cards struct {
	Player string
	Scores [5]int
}

// Chart is a bar for every label, of which there is one at least.
type Chart struct {
	Title  string
	Labels []string
	Values []int
}

// Table is rows of cells under a head.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
}

// Sign is a board with a text on it, as in a street.
type Sign struct{ Text string }

// Slide is a page of a talk.
type Slide struct {
	Title   string
	Bullets []string
}

// Total is the sum of the scores.
func (c Cards) Total() int {
	sum := 0
	for _, v := range c.Scores {
		sum += v
	}
	return sum
}

// box is a part of a frame.
type box struct{ x0, y0, x1, y1 float32 }

func (b box) rect() rect { return rect{int(b.x0), int(b.y0), int(b.x1), int(b.y1)} }

// theme is the look of one design.
type theme struct {
	st             style
	back, ink, bar rgb
	inkOnBar       rgb
	opacity        int
	upper          bool
}

func (p *Painter) theme(rng *rand.Rand) theme {
	t := theme{st: style{face: p.face(rng), leading: 1.8, opacity: 256}, opacity: 256, upper: chance(rng, 0.35)}
	if p.opts.Reshape {
		t.st.form = randomForm(rng)
	}
	if chance(rng, 0.3) {
		t.opacity = 180 + rng.IntN(76)
	}
	t.back = calmRGB(rng)
	if chance(rng, 0.5) {
		mix(t.back[:], black, 150)
	} else {
		mix(t.back[:], white, 140)
	}
	t.ink = p.contrast(rng, t.back)
	t.bar = randomRGB(rng)
	t.inkOnBar = p.contrast(rng, t.bar)
	return t
}

// contrast draws a colour that stands out from another.
func (p *Painter) contrast(rng *rand.Rand, on rgb) rgb {
	for range 20 {
		c := inkColour(rng)
		if d := c.luma() - on.luma(); d > 95 || d < -95 {
			return c
		}
	}
	if on.luma() < 128 {
		return white
	}
	return black
}

// put sets one line in a box, as large as size and the box allow. Align is −1 for
// left, 0 for the middle and 1 for right.
func (p *Painter) put(s *Scene, t *theme, c rgb, text string, b box, size, align float32) {
	st := t.st
	st.colour = c
	if t.upper || st.face.noLower {
		text = strings.ToUpper(text)
	}
	st.cap = 1
	w := measure(text, &st)
	st.cap = min(size, (b.x1-b.x0)/w, (b.y1-b.y0)/1.5)
	w *= st.cap
	x := b.x0 + (b.x1-b.x0-w)*(align+1)/2
	base := (b.y0+b.y1)/2 + st.cap/2
	p.line(s, text, &st, turn{cos: 1}, x, base, w)
}

func (p *Painter) panel(s *Scene, t *theme, b box) {
	fill(s.Image, b.rect(), t.back, t.opacity)
}

// Draw puts the text in one place for as long as it is shown.
func (o Overlay) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	w, h := float32(s.Image.W), float32(s.Image.H)
	st := p.randomStyle(rng, o.Cap)
	st.opacity = 230 + rng.IntN(27)
	for range 8 { // the text is to look as it was given
		if !st.face.noLower {
			break
		}
		st.face = p.face(rng)
	}
	width := min(w*between(rng, 0.55, 0.95), w-8)
	var b block
	for b = wrap(o.Text, st, width); (b.w > w-8 || b.h > h-6) && st.cap > 1; b = wrap(o.Text, st, w-8) {
		st.cap *= 0.93
		st.spacing, st.angle = min(st.spacing, 0.05), 0
	}
	x, y := 4+(w-b.w-8)*rng.Float32(), 3+(h-b.h-6)*rng.Float32()
	b.style.pickColour(rng, s.Image, b.frame(x, y), plainly)
	p.draw(s, &b, x, y)
}

// NewBoard invents a state of a game.
func NewBoard(rng *rand.Rand) Board {
	i := rng.IntN(len(teams))
	j := (i + 1 + rng.IntN(len(teams)-1)) % len(teams)
	most := pick(rng, []int{8, 60, 140})
	return Board{
		Home: teams[i], Away: teams[j], HomeScore: rng.IntN(most), AwayScore: rng.IntN(most),
		Clock:  fmt.Sprintf("%02d:%02d", rng.IntN(60), rng.IntN(60)),
		Period: pick(rng, []string{"1st", "2nd", "3rd", "4th", "Q1", "Q2", "Q3", "Q4", "1H", "2H", "OT"}),
	}
}

// Draw puts the board over the whole frame or into a corner.
func (b Board) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	t := p.theme(rng)
	t.upper = false
	w, h := float32(s.Image.W), float32(s.Image.H)
	home, away := strconv.Itoa(b.HomeScore), strconv.Itoa(b.AwayScore)
	if chance(rng, 0.5) { // a strip: HOME 12  AWAY 9  3rd 04:51
		bw, bh := w*between(rng, 0.5, 0.9), h*between(rng, 0.085, 0.13)
		x, y := between(rng, 4, w-bw-4), pick(rng, []float32{h * 0.04, h*0.94 - bh})
		p.panel(s, &t, box{x, y, x + bw, y + bh})
		cells := []struct {
			text string
			from float32
			bar  bool
		}{{b.Home, 0, false}, {home, 0.24, true}, {b.Away, 0.37, false}, {away, 0.61, true}, {b.Period, 0.74, false}, {b.Clock, 0.85, false}, {"", 1, false}}
		for i, c := range cells[:6] {
			r := box{x + bw*c.from, y, x + bw*cells[i+1].from, y + bh}
			ink := t.ink
			if c.bar {
				fill(s.Image, r.rect(), t.bar, 256)
				ink = t.inkOnBar
			}
			p.put(s, &t, ink, c.text, box{r.x0 + 2, r.y0, r.x1 - 2, r.y1}, bh*0.55, 0)
		}
		return
	}
	bw, bh := w*between(rng, 0.6, 0.9), h*between(rng, 0.5, 0.8)
	x, y := (w-bw)*rng.Float32(), (h-bh)*rng.Float32()
	p.panel(s, &t, box{x, y, x + bw, y + bh})
	p.put(s, &t, t.ink, b.Clock, box{x + bw*0.3, y + bh*0.05, x + bw*0.7, y + bh*0.3}, bh*0.15, 0)
	p.put(s, &t, t.ink, b.Period, box{x + bw*0.4, y + bh*0.75, x + bw*0.6, y + bh*0.97}, bh*0.11, 0)
	for i, side := range [2][2]string{{b.Home, home}, {b.Away, away}} {
		sx := x + bw*(0.06+0.5*float32(i))
		p.put(s, &t, t.ink, side[0], box{sx, y + bh*0.27, sx + bw*0.38, y + bh*0.47}, bh*0.11, 0)
		r := box{sx + bw*0.06, y + bh*0.47, sx + bw*0.32, y + bh*0.78}
		fill(s.Image, r.rect(), t.bar, 256)
		p.put(s, &t, t.inkOnBar, side[1], r, bh*0.2, 0)
	}
}

// NewCards invents an attempt of a player who is not perfect.
func NewCards(rng *rand.Rand, player string) Cards {
	c := Cards{Player: player}
	for i := range c.Scores {
		c.Scores[i] = 6 + rng.IntN(5)
	}
	if chance(rng, 0.15) { // nearly perfect
		c.Scores = [5]int{10, 10, 10, 10, 10}
	}
	if c.Total() == 50 {
		c.Scores[rng.IntN(5)] -= 1 + rng.IntN(2)
	}
	return c
}

// Draw shows five cards side by side, the player's name and the total.
func (c Cards) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	t := p.theme(rng)
	w, h := float32(s.Image.W), float32(s.Image.H)
	bw, bh := w*between(rng, 0.68, 0.95), h*between(rng, 0.45, 0.75)
	x, y := (w-bw)*rng.Float32(), (h-bh)*between(rng, 0.2, 1)
	if chance(rng, 0.75) {
		p.panel(s, &t, box{x, y, x + bw, y + bh})
	} else {
		t.back = t.bar // captions on plates of their own
		t.ink = t.inkOnBar
		p.panel(s, &t, box{x, y, x + bw, y + bh*0.26})
		p.panel(s, &t, box{x + bw*0.2, y + bh*0.76, x + bw*0.8, y + bh})
	}
	p.put(s, &t, t.ink, c.Player, box{x + bw*0.05, y + bh*0.03, x + bw*0.95, y + bh*0.25}, bh*between(rng, 0.11, 0.15), 0)
	total := pick(rng, []string{"Total %d", "TOTAL: %d", "Score %d", "Total score %d", "%d points", "%d"})
	p.put(s, &t, t.ink, fmt.Sprintf(total, c.Total()), box{x + bw*0.2, y + bh*0.77, x + bw*0.8, y + bh*0.99}, bh*between(rng, 0.11, 0.15), 0)
	card, ink := white, black
	if chance(rng, 0.4) {
		card = randomRGB(rng)
		ink = p.contrast(rng, card)
	}
	gap := bw * between(rng, 0.015, 0.04)
	cw := (bw - 6*gap) / 5
	size := min(cw*0.55, bh*between(rng, 0.2, 0.3))
	people, top := chance(rng, 0.35), y+bh*0.29
	if people {
		top = y + bh*0.43
	}
	for i, v := range c.Scores {
		cx := x + gap + float32(i)*(cw+gap)
		r := box{cx, top, cx + cw, y + bh*0.73}
		if people { // a judge holds the card
			fill(s.Image, rect{int(cx - gap/2), int(y + bh*0.41), int(cx + cw + gap/2), int(y + bh*0.76)}, calmRGB(rng), 256)
			ellipse(s.Image, cx+cw/2, y+bh*0.35, bh*0.06, bh*0.075, skin(rng), 256)
		}
		fill(s.Image, r.rect(), card, 256)
		p.put(s, &t, ink, strconv.Itoa(v), r, size, 0)
	}
}

// NewChart invents a bar chart.
func (p *Painter) NewChart(rng *rand.Rand) Chart {
	c := Chart{Title: title(pick(rng, nouns)) + " per " + pick(rng, []string{"year", "month", "city", "team", "day"})}
	n := 3 + rng.IntN(4)
	most := pick(rng, []int{10, 100, 100, 1000})
	kind := rng.IntN(3)
	from := 1990 + rng.IntN(40)
	for i := range n {
		label := strconv.Itoa(from + i)
		switch kind {
		case 1:
			label = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}[i]
		case 2:
			for label = title(pick(rng, nouns)); slices.Contains(c.Labels, label); {
				label = title(pick(rng, nouns))
			}
		}
		c.Labels, c.Values = append(c.Labels, label), append(c.Values, 1+rng.IntN(most))
	}
	return c
}

// Draw fills the frame with the chart.
func (c Chart) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	t := p.theme(rng)
	t.opacity = 256
	w, h := float32(s.Image.W), float32(s.Image.H)
	m := between(rng, 0, 0.06)
	b := box{w * m, h * m, w * (1 - m), h * (1 - m)}
	p.panel(s, &t, b)
	bw, bh := b.x1-b.x0, b.y1-b.y0
	p.put(s, &t, t.ink, c.Title, box{b.x0 + bw*0.05, b.y0, b.x1 - bw*0.05, b.y0 + bh*0.16}, bh*0.075, pick(rng, []float32{-1, 0}))
	most := slices.Max(c.Values)
	floor, roof := b.y1-bh*0.14, b.y0+bh*0.3
	slot := bw * 0.9 / float32(len(c.Values))
	many := chance(rng, 0.4)
	for i, v := range c.Values {
		x := b.x0 + bw*0.05 + slot*float32(i)
		top := floor - (floor-roof)*float32(v)/float32(most)
		colour := t.bar
		if many {
			colour = randomRGB(rng)
		}
		fill(s.Image, rect{int(x + slot*0.15), int(top), int(x + slot*0.85), int(floor)}, colour, 256)
		p.put(s, &t, t.ink, strconv.Itoa(v), box{x, top - bh*0.12, x + slot, top}, bh*0.06, 0)
		p.put(s, &t, t.ink, c.Labels[i], box{x + 2, floor, x + slot - 2, b.y1}, bh*0.06, 0)
	}
	fill(s.Image, rect{int(b.x0 + bw*0.04), int(floor), int(b.x1 - bw*0.04), int(floor) + 1}, t.ink, 256)
}

// NewTable invents a table.
func (p *Painter) NewTable(rng *rand.Rand) Table {
	heads := []string{"Name", "Points", "Time", "Price", "Team", "Size", "Goals", "Year", "Rank"}
	rng.Shuffle(len(heads)-1, func(i, j int) { heads[i+1], heads[j+1] = heads[j+1], heads[i+1] })
	t := Table{Head: heads[:2+rng.IntN(3)]}
	if chance(rng, 0.6) {
		t.Title = title(p.words(rng, 2))
	}
	for range 3 + rng.IntN(4) {
		row := []string{Name(rng, p.opts.HeldOut)}
		for _, head := range t.Head[1:] {
			cell := strconv.Itoa(1 + rng.IntN(200))
			switch head {
			case "Time":
				cell = fmt.Sprintf("%d:%02d", rng.IntN(60), rng.IntN(60))
			case "Price":
				cell = fmt.Sprintf("$%d.%02d", rng.IntN(200), rng.IntN(100))
			case "Team":
				cell = pick(rng, teams)
			case "Year":
				cell = strconv.Itoa(1950 + rng.IntN(90))
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// Draw puts the table over most of the frame.
func (d Table) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	t := p.theme(rng)
	w, h := float32(s.Image.W), float32(s.Image.H)
	mx, my := between(rng, 0, 0.1)*w, between(rng, 0, 0.08)*h
	b := box{mx, my, w - mx, h - my}
	p.panel(s, &t, b)
	bw, bh := b.x1-b.x0, b.y1-b.y0
	y := b.y0 + bh*0.02
	if d.Title != "" {
		p.put(s, &t, t.ink, d.Title, box{b.x0 + bw*0.05, y, b.x1 - bw*0.05, y + bh*0.16}, bh*0.075, 0)
		y += bh * 0.16
	}
	rowH := min((b.y1-y)/float32(len(d.Rows)+1), bh*0.17)
	striped := chance(rng, 0.4)
	const first = 0.45 // of the width, for names
	rest := bw * (0.94 - first) / float32(max(1, len(d.Head)-1))
	for i, row := range append([][]string{d.Head}, d.Rows...) {
		ink := t.ink
		if i == 0 {
			fill(s.Image, box{b.x0, y, b.x1, y + rowH}.rect(), t.bar, 256)
			ink = t.inkOnBar
		} else if striped && i%2 == 0 {
			fill(s.Image, box{b.x0, y, b.x1, y + rowH}.rect(), t.ink, 24)
		}
		x := b.x0 + bw*0.03
		for j, cell := range row {
			cw, align := rest, float32(1)
			if j == 0 {
				cw, align = bw*first, -1
			}
			p.put(s, &t, ink, cell, box{x, y, x + cw - 3, y + rowH}, rowH*0.5, align)
			x += cw
		}
		y += rowH
	}
}

// Draw puts the sign somewhere in the frame, slightly turned at times.
func (d Sign) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	w, h := float32(s.Image.W), float32(s.Image.H)
	st := p.randomStyle(rng, h*between(rng, 0.06, 0.16))
	st.centred, st.opacity = true, 256
	b := wrap(d.Text, st, w*0.6)
	for (b.w > w*0.8 || b.h > h*0.7) && st.cap > 1 {
		st.cap *= 0.9
		b = wrap(d.Text, st, w*0.6)
	}
	back := randomRGB(rng)
	b.style.colour = p.contrast(rng, back)
	x, y := between(rng, w*0.08, w*0.92-b.w), between(rng, h*0.1, h*0.9-b.h)
	pad := st.cap * between(rng, 0.5, 0.9)
	t := newTurn(st.angle, x+b.w/2, y+b.h/2)
	if chance(rng, 0.5) { // a post
		fill(s.Image, rect{int(x + b.w*0.47), int(y + b.h/2), int(x+b.w*0.53) + 1, s.Image.H}, rgb{90, 88, 86}, 256)
	}
	p.box(s.Image, &b, t, x, y, pad, b.style.colour, 256)
	p.box(s.Image, &b, t, x, y, pad-max(1, st.cap*0.12), back, 256)
	p.draw(s, &b, x, y)
}

// NewSign invents a sign.
func (p *Painter) NewSign(rng *rand.Rand) Sign {
	switch rng.IntN(3) {
	case 0:
		return Sign{pick(rng, signs)}
	case 1:
		return Sign{strings.ToUpper(p.words(rng, 1+rng.IntN(3)))}
	}
	return Sign{title(pick(rng, nouns)) + " " + pick(rng, []string{"Street", "Road", "Square", "Station", "Hotel", "School", "Bakery", "Museum"})}
}

// NewSlide invents a page of a talk.
func (p *Painter) NewSlide(rng *rand.Rand) Slide {
	d := Slide{Title: title(p.words(rng, 1+rng.IntN(3)))}
	for range 2 + rng.IntN(4) {
		d.Bullets = append(d.Bullets, title(p.words(rng, 1+rng.IntN(5))))
	}
	return d
}

// Draw fills the frame with the slide.
func (d Slide) Draw(p *Painter, rng *rand.Rand, s *Scene, _ int) {
	t := p.theme(rng)
	t.opacity = 256
	w, h := float32(s.Image.W), float32(s.Image.H)
	p.panel(s, &t, box{0, 0, w, h})
	ink := t.ink
	if chance(rng, 0.4) {
		fill(s.Image, rect{0, 0, s.Image.W, int(h * 0.22)}, t.bar, 256)
		ink = t.inkOnBar
	}
	p.put(s, &t, ink, d.Title, box{w * 0.06, h * 0.03, w * 0.94, h * 0.21}, h*between(rng, 0.075, 0.1), pick(rng, []float32{-1, 0}))
	size, y := h*between(rng, 0.048, 0.06), h*0.28
	step := min(h*0.7/float32(len(d.Bullets)), h*0.16)
	mark := pick(rng, []string{"• ", "- ", "* ", ""})
	for i, text := range d.Bullets {
		m := mark
		if m == "" {
			m = strconv.Itoa(i+1) + ". "
		}
		p.put(s, &t, t.ink, m+text, box{w * 0.08, y, w * 0.95, y + step}, size, -1)
		y += step
	}
}
