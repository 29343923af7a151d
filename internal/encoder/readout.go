package encoder

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/nn"
)

// Char is a character that was found in a picture.
type Char struct {
	Byte  byte
	X, Y  float32 // its middle, in pixels of the picture
	Score float32 // probability that some character is there
	P     float32 // probability of this one, given that
	probs []float32
	looks float32 // that probs is the mean of, less one
}

// Line is characters that stand in a row, left to right.
type Line struct {
	Chars []Char
	Level int     // the scale at which it was read
	unit  float32 // pixels of the picture in one at that scale
}

// Text is the line's text, words apart by single spaces.
func (l *Line) Text() string {
	b := make([]byte, len(l.Chars))
	for i, c := range l.Chars {
		b[i] = c.Byte
	}
	return string(b)
}

// Join writes lines as text: what stands close below a line goes on after a space,
// what stands apart after a bar. A text over another, in letters of another size, is
// not mixed with it.
func Join(lines []Line) string {
	next := make([]int, len(lines)) // the line that goes on, 0 none
	begins := make([]bool, len(lines))
	for i := range lines {
		begins[i] = true
		for j := i - 1; j >= 0; j-- {
			if next[j] == 0 && goesOn(&lines[j], &lines[i]) {
				next[j], begins[i] = i, false
				break
			}
			if !unlike(&lines[j], &lines[i]) {
				break
			}
		}
	}
	var b []byte
	for i := range lines {
		if !begins[i] {
			continue
		}
		if len(b) > 0 {
			b = append(b, " | "...)
		}
		b = append(b, lines[i].Text()...)
		for j := next[i]; j > 0; j = next[j] {
			b = append(append(b, ' '), lines[j].Text()...)
		}
	}
	return string(b)
}

// goesOn says whether a line is the next of a block: as tall, no further below than
// lines are, and above or below part of it.
func goesOn(a, b *Line) bool {
	ax0, ay0, ax1, ay1 := a.bounds()
	bx0, by0, bx1, by1 := b.bounds()
	dy := (by0+by1)/2 - (ay0+ay1)/2
	if a.Level != b.Level && max(a.Level, b.Level)-min(a.Level, b.Level) > 1 || min(ax1, bx1) < max(ax0, bx0) {
		return false
	}
	if unlike(a, b) {
		return false
	}
	return dy > 0 && dy < 4.2*max(a.step(), b.step())
}

// enoughToTell is the number of characters from which a line's step tells its size.
const enoughToTell = 4

// unlike says whether lines are surely of letters of different sizes.
func unlike(a, b *Line) bool {
	as, bs := a.step(), b.step()
	return min(len(a.Chars), len(b.Chars)) >= enoughToTell && max(as, bs) >= 1.5*min(as, bs)
}

// step is the middle distance of a line's characters.
func (l *Line) step() float32 {
	if len(l.Chars) < 2 {
		return 8 * l.unit
	}
	return (l.Chars[len(l.Chars)-1].X - l.Chars[0].X) / float32(len(l.Chars)-1)
}

// bounds is the line's extent in pixels.
func (l *Line) bounds() (x0, y0, x1, y1 float32) {
	x0, y0, x1, y1 = math.MaxFloat32, math.MaxFloat32, 0, 0
	m := 4 * l.unit
	high := max(m, 0.55*l.step()) // letters are about as high as wide
	for _, c := range l.Chars {
		x0, y0, x1, y1 = min(x0, c.X-m), min(y0, c.Y-high), max(x1, c.X+m), max(y1, c.Y+high)
	}
	return x0, y0, x1, y1
}

const (
	// seen is the probability from which a character counts, and hinted that from
	// which one is taken if the others of its line ask for it.
	seen, hinted = 0.4, 0.12
	// minSide is the least size of a picture that is read.
	minSide = 16
)

// Read finds the lines of text in a picture, in reading order; words of a
// dictionary, which may be nil, are expected.
func (r *Reader) Read(s *nn.Scratch, w []float32, img *media.Image, dict *Dictionary) []Line {
	lines := r.lines(s, w, img, 1)
	r.lookAgain(s, w, img, lines)
	lines = inOrder(lines)
	for i := range lines {
		spell(lines[i].Chars, dict)
	}
	return lines
}

// lines finds lines at all scales of a picture that is one of another, scale times
// as large.
func (r *Reader) lines(s *nn.Scratch, w []float32, img *media.Image, scale float32) []Line {
	var lines []Line
	for level := range Levels {
		if level > 0 {
			img = Halve(img)
		}
		if min(img.W, img.H) < minSide {
			break
		}
		s.Reset()
		s.Keep = false
		var act ReaderAct
		logits := r.Forward(s, w, img.Pix, nn.Grid{N: 1, H: img.H, W: img.W}, &act)
		unit := scale * float32(int(1)<<level)
		lines = append(lines, group(peaks(s, logits, act.grid, unit), level, unit)...)
	}
	var read [Levels][]Char
	for i := range lines {
		read[lines[i].Level] = append(read[lines[i].Level], lines[i].Chars...)
	}
	lines = strongest(lines)
	for i := range lines {
		for level, chars := range read {
			if level != lines[i].Level {
				lines[i].agree(chars)
			}
		}
	}
	return lines
}

const (
	// secondLook is the size at which text is looked at again, of that at first.
	secondLook = 0.78
	// largeStep is the distance of characters, in pixels, from which it is: smaller
	// ones would be too small.
	largeStep = 9
)

// lookAgain looks at where lines are at another size, and has both looks say which
// characters they are: a letter that is taken for another at one size seldom is at
// both (docs/lab.md).
func (r *Reader) lookAgain(s *nn.Scratch, w []float32, img *media.Image, lines []Line) {
	const margin = 24 // pixels
	x0, y0, x1, y1 := float32(img.W), float32(img.H), float32(0), float32(0)
	for i := range lines {
		if lines[i].step() < largeStep {
			continue
		}
		lx0, ly0, lx1, ly1 := lines[i].bounds()
		x0, y0, x1, y1 = min(x0, lx0), min(y0, ly0), max(x1, lx1), max(y1, ly1)
	}
	left, top := max(0, int(x0)-margin), max(0, int(y0)-margin)
	right, bottom := min(img.W, int(x1)+margin), min(img.H, int(y1)+margin)
	if left >= right || top >= bottom { // no line is large enough
		return
	}
	part := cut(img, left, top, right, bottom)
	small := smooth(part, int(secondLook*float32(part.W)), int(secondLook*float32(part.H)))
	if min(small.W, small.H) < minSide {
		return
	}
	var again []Char
	for _, l := range r.lines(s, w, small, 1/float32(secondLook)) {
		for _, c := range l.Chars {
			c.X, c.Y = c.X+float32(left), c.Y+float32(top)
			again = append(again, c)
		}
	}
	for i := range lines {
		if lines[i].step() >= largeStep {
			lines[i].agree(again)
		}
	}
}

// agree has others, which were seen at another size, say what the line's characters
// are, each by the nearest if there is one where it stands: probabilities of all
// looks are averaged.
func (l *Line) agree(others []Char) {
	step := l.step()
	for i := range l.Chars {
		c := &l.Chars[i]
		if c.probs == nil {
			continue
		}
		var near *Char
		reach := 0.35 * step
		for j := range others {
			o := &others[j]
			if dx := abs(o.X - c.X); o.probs != nil && dx < reach && abs(o.Y-c.Y) < step {
				near, reach = o, dx
			}
		}
		if near == nil {
			continue
		}
		mine, theirs := c.looks+1, near.looks+1
		mean := make([]float32, len(c.probs))
		for k, p := range near.probs {
			mean[k] = (mine*c.probs[k] + theirs*p) / (mine + theirs)
		}
		c.probs, c.looks = mean, c.looks+theirs
		if best, _ := c.likeliest(Charset); c.Byte != ' ' && best != ' ' { // what parts words stays
			c.Byte = best
		}
	}
}

// peaks returns the cells where a character is likelier than in those around; unit
// is the size of a pixel.
func peaks(s *nn.Scratch, logits []float32, grid nn.Grid, unit float32) []Char {
	h, w := grid.H, 2*grid.W
	score := s.Floats(h * w)
	for i := range score {
		row := logits[i*Classes : (i+1)*Classes]
		kernel.Softmax(row, 1)
		score[i] = 1 - row[0]
	}
	at := func(y, x int) float32 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return 0
		}
		return score[y*w+x]
	}
	var out []Char
	for y := range h {
		for x := range w {
			v := score[y*w+x]
			if v < hinted {
				continue
			}
			top := true
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					before := dy < 0 || dy == 0 && dx < 0 // of equals the first counts
					if o := at(y+dy, x+dx); o > v || before && o == v {
						top = false
					}
				}
			}
			if !top {
				continue
			}
			row := logits[(y*w+x)*Classes : (y*w+x+1)*Classes]
			best := 1
			for c := 2; c < Classes; c++ {
				if row[c] > row[best] {
					best = c
				}
			}
			out = append(out, Char{
				Byte: Charset[best-1], Score: v, P: row[best] / max(v, 1e-6), probs: slices.Clone(row),
				X: (float32(x) + 0.5) * CellW * unit, Y: (float32(y) + 0.5) * CellH * unit,
			})
		}
	}
	return out
}

// group joins characters of a level into lines.
func group(chars []Char, level int, unit float32) []Line {
	slices.SortStableFunc(chars, func(a, b Char) int { return cmp.Compare(a.X, b.X) })
	var faint []Char
	chars = slices.DeleteFunc(chars, func(c Char) bool {
		if c.Score < seen {
			faint = append(faint, c)
		}
		return c.Score < seen
	})
	const reach = 28 // pixels from one character to the next
	var lines []Line
	for _, c := range chars {
		best, dist := -1, float32(math.MaxFloat32)
		for i := range lines {
			last := lines[i].Chars[len(lines[i].Chars)-1]
			dx, dy := c.X-last.X, abs(c.Y-last.Y)
			if dx > reach*unit || dy > 1.25*CellH*unit {
				continue
			}
			if d := dx + 3*dy; d < dist {
				best, dist = i, d
			}
		}
		if best < 0 {
			lines = append(lines, Line{Level: level, unit: unit})
			best = len(lines) - 1
		}
		lines[best].Chars = append(lines[best].Chars, c)
	}
	out := lines[:0]
	for _, l := range lines {
		if l.Chars = spaced(settle(l.Chars, l.along(faint))); len(l.Chars) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// along returns those of other characters, from left to right, that stand on the
// line between its first and its last.
func (l *Line) along(others []Char) (out []Char) {
	i := 1
	for _, c := range others {
		if c.X <= l.Chars[0].X {
			continue
		}
		for i < len(l.Chars) && l.Chars[i].X < c.X {
			i++
		}
		if i == len(l.Chars) {
			break
		}
		a, b := &l.Chars[i-1], &l.Chars[i]
		if y := a.Y + (b.Y-a.Y)*(c.X-a.X)/max(b.X-a.X, 1); abs(c.Y-y) <= CellH*l.unit {
			out = append(out, c)
		}
	}
	return out
}

// spaced makes single spaces of what stands between words: spaces that were read,
// or gaps much wider than the line's letters.
func spaced(chars []Char) []Char {
	var steps []float32
	for i := 1; i < len(chars); i++ {
		steps = append(steps, chars[i].X-chars[i-1].X)
	}
	slices.Sort(steps)
	wide := float32(math.MaxFloat32)
	if len(steps) >= 3 {
		wide = 2.4 * steps[len(steps)/2]
	}
	var out []Char
	for _, c := range chars {
		n := len(out)
		if c.Byte == ' ' {
			if n > 0 && out[n-1].Byte != ' ' {
				out = append(out, c)
			}
			continue
		}
		limit := wide
		if n > 0 && isLower(out[n-1].Byte) && (isDigit(c.Byte) || isUpper(c.Byte)) { // few words go on with them
			limit *= 0.55
		}
		if n > 0 && out[n-1].Byte != ' ' && c.X-out[n-1].X > limit {
			out = append(out, Char{Byte: ' ', X: (c.X + out[n-1].X) / 2, Y: c.Y, Score: 0.5, P: 0.5})
		}
		out = append(out, c)
	}
	if n := len(out); n > 0 && out[n-1].Byte == ' ' {
		out = out[:n-1]
	}
	return out
}

func isLower(b byte) bool { return 'a' <= b && b <= 'z' }
func isUpper(b byte) bool { return 'A' <= b && b <= 'Z' }
func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// strongest drops what was read at two levels where it was read worse.
func strongest(lines []Line) []Line {
	// A finer scale tells narrow letters apart that stand side by side.
	weight := func(l *Line) (sum float32) {
		for _, c := range l.Chars {
			if c.Byte != ' ' {
				sum += c.Score * c.P * c.P
			}
		}
		return sum * (1 - 0.12*float32(l.Level))
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return cmp.Compare(weight(&b), weight(&a)) })
	var out []Line
	for _, l := range lines {
		var left []Char
		for _, c := range l.Chars {
			if !slices.ContainsFunc(out, func(o Line) bool {
				if o.Level == l.Level {
					return false
				}
				x0, y0, x1, y1 := o.bounds()
				return c.X > x0 && c.X < x1 && c.Y > y0 && c.Y < y1
			}) {
				left = append(left, c)
			}
		}
		if 2*len(left) <= len(l.Chars) {
			continue
		}
		if l.Chars = spaced(left); len(l.Chars) > 0 && (sure(l.Chars) || l.cell(out)) {
			out = append(out, l)
		}
	}
	return out
}

// A spelling is a way to write a word: which characters the first letter or digit
// and those after it may be, and what choosing it costs.
type spelling struct {
	first, rest string
	cost        float32
}

const (
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	decimals  = "0123456789"
)

var spellings = []spelling{
	{lowerCase, lowerCase, 0}, {upperCase, lowerCase, 0.5}, {upperCase, upperCase, 0.7}, {decimals, decimals, 0.7},
	{lowerCase + upperCase + decimals, lowerCase + upperCase + decimals, 3},
}

// spell chooses each word's characters together: a word is written in small
// letters, with a capital, in capitals or as a number, and seldom otherwise, so
// that an l is not taken for a 1 nor an o for an O; a word of the dictionary is
// likelier than any other.
func spell(chars []Char, dict *Dictionary) {
	for len(chars) > 0 {
		n := slices.IndexFunc(chars, func(c Char) bool { return !alphanumeric(c.Byte) })
		if n < 0 {
			n = len(chars)
		}
		if word := chars[:n]; n > 1 {
			spellWord(word, dict)
		}
		chars = chars[min(n+1, len(chars)):]
	}
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func spellWord(word []Char, dict *Dictionary) {
	var best []byte
	top := float32(math.Inf(-1))
	for _, sp := range spellings {
		score, text := -sp.cost, make([]byte, len(word))
		for i := range word {
			allowed := sp.rest
			if i == 0 {
				allowed = sp.first
			}
			p := float32(0)
			text[i], p = word[i].likeliest(allowed)
			score += Ln(max(p, 1e-5))
		}
		if score > top {
			top, best = score, text
		}
	}
	if dict != nil && len(word) >= minWord && word[0].probs != nil {
		if text, _ := dict.look(word, top); text != nil {
			best = text
		}
	}
	for i := range word {
		word[i].Byte = best[i]
	}
}

// likeliest returns the likeliest of some characters, and its probability.
func (c *Char) likeliest(allowed string) (best byte, p float32) {
	if c.probs == nil {
		return c.Byte, c.P
	}
	for i := range len(allowed) {
		if q := c.probs[classOf[allowed[i]]]; q > p || i == 0 {
			best, p = allowed[i], q
		}
	}
	return best, p
}

// sure says whether a line is more than a speck of clutter, or than a stroke.
func sure(chars []Char) bool {
	mean := certainty(chars)
	if len(chars) >= 3 {
		return mean > 0.5
	}
	return mean > 0.8 && slices.ContainsFunc(chars, func(c Char) bool { return !strings.ContainsRune("-_.,:;'`|~", rune(c.Byte)) })
}

// certainty is the mean probability of characters, that they are there and right.
func certainty(chars []Char) float32 {
	sum := float32(0)
	for _, c := range chars {
		sum += c.Score * c.P
	}
	return sum / float32(len(chars))
}

// cell says whether a line that is short, and not sure alone, is a number in a table:
// letters of its size stand in its row or its column.
func (l *Line) cell(others []Line) bool {
	const least = 0.35
	if len(l.Chars) != 2 || !isDigit(l.Chars[0].Byte) || !isDigit(l.Chars[1].Byte) || certainty(l.Chars) < least {
		return false
	}
	x0, y0, x1, y1 := l.bounds()
	return slices.ContainsFunc(others, func(o Line) bool {
		ox0, oy0, ox1, oy1 := o.bounds()
		row, column := min(y1, oy1) > max(y0, oy0), min(x1, ox1) > max(x0, ox0)
		as, bs := l.step(), o.step()
		return len(o.Chars) >= enoughToTell && max(as, bs) < 1.5*min(as, bs) && (row || column)
	})
}

// inOrder sorts lines from top to bottom, those of one height from left to right.
func inOrder(lines []Line) []Line {
	slices.SortStableFunc(lines, func(a, b Line) int {
		_, ay, _, ay1 := a.bounds()
		_, by, _, by1 := b.bounds()
		ax, bx := a.Chars[0].X, b.Chars[0].X
		if am, bm := (ay+ay1)/2, (by+by1)/2; abs(am-bm) > 0.5*min(ay1-ay, by1-by) {
			return cmp.Compare(am, bm)
		}
		return cmp.Compare(ax, bx)
	})
	return lines
}

func abs(x float32) float32 { return max(x, -x) }
