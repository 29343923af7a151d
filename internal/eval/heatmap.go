package eval

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The layout of the heat map, in points.
const (
	cellWidth, cellHeight   = 64, 36
	widestCell              = 140 // where there are few columns
	cellGap, cellRadius     = 3, 4
	marginLeft, marginRight = 76, 74
	marginTop, marginBottom = 74, 58
	minWidth                = 520
	heatMapDPI              = 192
)

var (
	ink      = color.RGBA{0x1f, 0x29, 0x33, 0xff}
	faintInk = color.RGBA{0x6b, 0x76, 0x80, 0xff}
	unasked  = color.RGBA{0xe8, 0xeb, 0xee, 0xff}
)

// WriteHeatMap draws a summary's cells to heatmap.png and heatmap.svg in dir.
func WriteHeatMap(dir string, s *Summary) error {
	return writeMap(dir, "heatmap", newHeatMap(s))
}

// writeMap draws a map to name.png and name.svg in dir.
func writeMap(dir, name string, m *heatMap) error {
	img := vgimg.NewWith(vgimg.UseWH(m.width, m.height), vgimg.UseDPI(heatMapDPI), vgimg.UseBackgroundColor(color.White))
	m.draw(draw.New(img))
	var out bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&out); err != nil {
		return fmt.Errorf("eval: heat map: %w", err)
	}
	if err := writeFile(filepath.Join(dir, name+".png"), out.Bytes()); err != nil {
		return err
	}
	svg := vgsvg.NewWith(vgsvg.UseWH(m.width, m.height))
	m.draw(draw.New(svg))
	out.Reset()
	if _, err := svg.WriteTo(&out); err != nil {
		return fmt.Errorf("eval: heat map: %w", err)
	}
	// Viewers without the Liberation fonts have others of the same widths.
	drawing := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return writeFile(filepath.Join(dir, name+".svg"), drawing)
}

// A heatMap is what a map shows, with the places of its squares.
type heatMap struct {
	verdict string // that is counted: Recall, Found, Exact
	what    string // was measured
	axis    string
	columns []string
	depths  []float64
	cells   []Rate // by column, then by depth
	all     Rate

	width, height vg.Length
	left, bottom  vg.Length // of the grid
	column        vg.Length // width of one
	fonts         *font.Cache
}

func newHeatMap(s *Summary) *heatMap {
	m := &heatMap{
		verdict: "Recall", axis: "context length, tokens →", depths: s.Depths, all: s.Recall,
		what: fmt.Sprintf("%s · in %s · %s · seed %d", s.Task, s.Haystack, s.Model, s.Seed),
	}
	for _, n := range s.Manifest.Lengths {
		m.columns = append(m.columns, Tokens(n))
	}
	for _, c := range s.Cells {
		m.cells = append(m.cells, c.Rate)
	}
	return m.layOut()
}

// layOut gives the map its size.
func (m *heatMap) layOut() *heatMap {
	columns := vg.Length(len(m.columns))
	room := vg.Length(minWidth - marginLeft - marginRight)
	m.column = min(max(cellWidth, room/columns), widestCell)
	m.width = max(marginLeft+columns*m.column+marginRight, minWidth)
	m.height = marginTop + vg.Length(len(m.depths))*cellHeight + marginBottom
	m.left, m.bottom = marginLeft, marginBottom
	m.fonts = font.NewCache(liberation.Collection())
	return m
}

// square is the rectangle of the cell in a column and a row.
func (m *heatMap) square(column, row int) vg.Rectangle {
	x := m.left + vg.Length(column)*m.column
	y := m.bottom + vg.Length(len(m.depths)-1-row)*cellHeight
	return vg.Rectangle{
		Min: vg.Point{X: x + cellGap/2., Y: y + cellGap/2.},
		Max: vg.Point{X: x + m.column - cellGap/2., Y: y + cellHeight - cellGap/2.},
	}
}

// style is a text of a size in points, centred on its point unless changed.
func (m *heatMap) style(size vg.Length, c color.Color, weight xfont.Weight) draw.TextStyle {
	return draw.TextStyle{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size},
		XAlign:  draw.XCenter,
		YAlign:  draw.YCenter,
		Handler: text.Plain{Fonts: m.fonts},
	}
}

func (m *heatMap) draw(c draw.Canvas) {
	m.drawTitle(c)
	for i, cell := range m.cells {
		m.drawCell(c, m.square(i/len(m.depths), i%len(m.depths)), cell)
	}
	m.drawAxes(c)
	m.drawScale(c)
}

// drawTitle writes the figure that matters, and beneath it what was measured.
func (m *heatMap) drawTitle(c draw.Canvas) {
	left := m.left + cellGap/2.
	big := m.style(19, ink, xfont.WeightBold)
	big.XAlign = draw.XLeft
	headline := m.verdict + " " + percent(m.all.Rate, m.all.Trials) + " %"
	c.FillText(big, vg.Point{X: left, Y: m.height - 24}, headline)
	small := m.style(10, faintInk, xfont.WeightNormal)
	small.XAlign = draw.XLeft
	c.FillText(small, vg.Point{X: left + big.Width(headline) + 12, Y: m.height - 26},
		fmt.Sprintf("%s of %s answers right · 95 %% interval %.1f – %.1f %%",
			thousands(m.all.OK), thousands(m.all.Trials), 100*m.all.Low, 100*m.all.High))
	small.Font.Size = 9
	c.FillText(small, vg.Point{X: left, Y: m.height - 48}, m.fit(small, m.what, m.width-left-12))
}

// fit shortens a line that is wider than a width.
func (m *heatMap) fit(s draw.TextStyle, line string, width vg.Length) string {
	if s.Width(line) <= width {
		return line
	}
	runes := []rune(line)
	for len(runes) > 1 && s.Width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

func (m *heatMap) drawCell(c draw.Canvas, r vg.Rectangle, cell Rate) {
	if cell.Trials == 0 {
		c.SetColor(unasked)
		c.Fill(rounded(r, cellRadius))
		return
	}
	fill := recallColor(cell.Rate)
	c.SetColor(fill)
	c.Fill(rounded(r, cellRadius))
	label := color.Color(color.White)
	if luminance(fill) > 0.4 {
		label = ink
	}
	x := (r.Min.X + r.Max.X) / 2
	y := (r.Min.Y + r.Max.Y) / 2
	c.FillText(m.style(12, label, xfont.WeightBold), vg.Point{X: x, Y: y + 5}, percent(cell.Rate, cell.Trials))
	c.FillText(m.style(7.5, label, xfont.WeightNormal), vg.Point{X: x, Y: y - 8},
		fmt.Sprintf("%d / %d", cell.OK, cell.Trials))
}

func (m *heatMap) drawAxes(c draw.Canvas) {
	label := m.style(10, ink, xfont.WeightNormal)
	for i, name := range m.columns {
		r := m.square(i, len(m.depths)-1)
		c.FillText(label, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: m.bottom - 12}, name)
	}
	label.XAlign = draw.XRight
	for i, d := range m.depths {
		r := m.square(0, i)
		c.FillText(label, vg.Point{X: m.left - 8, Y: (r.Min.Y + r.Max.Y) / 2}, strconv.FormatFloat(d, 'f', -1, 64)+" %")
	}
	title := m.style(10, faintInk, xfont.WeightNormal)
	title.XAlign = draw.XLeft
	c.FillText(title, vg.Point{X: m.left + cellGap/2., Y: m.bottom - 34}, m.axis)
	title.Rotation = math.Pi / 2
	title.XAlign = draw.XRight
	c.FillText(title, vg.Point{X: 20, Y: m.height - marginTop - cellGap/2.}, "← depth of the needle")
}

// exactVerdict counts answers that are right to the word.
const exactVerdict = "Exact"

// drawScale draws the colour scale at the right edge of the grid.
func (m *heatMap) drawScale(c draw.Canvas) {
	const width, steps = 10, 100
	x := m.left + vg.Length(len(m.columns))*m.column + 14
	low, high := m.bottom+cellGap/2., m.height-marginTop-cellGap/2.
	step := (high - low) / steps
	for i := range steps {
		c.SetColor(recallColor((float64(i) + 0.5) / steps))
		y := low + vg.Length(i)*step
		// Half a point of overlap hides the seams that anti-aliasing leaves.
		top := min(y+step+0.5, high)
		c.Fill(vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + width, Y: top}}.Path())
	}
	label := m.style(8, faintInk, xfont.WeightNormal)
	label.XAlign = draw.XLeft
	best, worst := "found", "missed"
	if m.verdict == exactVerdict {
		best, worst = "exact", "wrong"
	}
	c.FillText(label, vg.Point{X: x + width + 5, Y: high - 4}, best)
	c.FillText(label, vg.Point{X: x + width + 5, Y: (low + high) / 2}, "50 %")
	c.FillText(label, vg.Point{X: x + width + 5, Y: low + 4}, worst)
}

// rounded is the outline of a rectangle with rounded corners.
func rounded(r vg.Rectangle, radius vg.Length) vg.Path {
	var p vg.Path
	corner := func(x, y vg.Length, start float64) {
		p.Arc(vg.Point{X: x, Y: y}, radius, start, math.Pi/2)
	}
	p.Move(vg.Point{X: r.Max.X, Y: r.Min.Y + radius})
	corner(r.Max.X-radius, r.Max.Y-radius, 0)
	corner(r.Min.X+radius, r.Max.Y-radius, math.Pi/2)
	corner(r.Min.X+radius, r.Min.Y+radius, math.Pi)
	corner(r.Max.X-radius, r.Min.Y+radius, 3*math.Pi/2)
	p.Close()
	return p
}

// recallScale runs from missed to found; between two stops colours are mixed.
var recallScale = []struct {
	at float64
	c  color.RGBA
}{
	{0, color.RGBA{0xb8, 0x1f, 0x2d, 0xff}},
	{0.25, color.RGBA{0xe0, 0x5a, 0x3a, 0xff}},
	{0.5, color.RGBA{0xf3, 0xa2, 0x4a, 0xff}},
	{0.75, color.RGBA{0xf3, 0xd9, 0x63, 0xff}},
	{0.9, color.RGBA{0xa5, 0xcf, 0x63, 0xff}},
	{1, color.RGBA{0x1e, 0x90, 0x50, 0xff}},
}

// recallColor is the colour of a recall between 0 and 1.
func recallColor(recall float64) color.RGBA {
	for i := 1; i < len(recallScale); i++ {
		a, b := recallScale[i-1], recallScale[i]
		if recall <= b.at {
			t := (recall - a.at) / (b.at - a.at)
			mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + t*(float64(y)-float64(x)))) }
			return color.RGBA{mix(a.c.R, b.c.R), mix(a.c.G, b.c.G), mix(a.c.B, b.c.B), 0xff}
		}
	}
	return recallScale[len(recallScale)-1].c
}

// luminance is the relative luminance of a colour (WCAG 2), 0 to 1.
func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// percent writes a rate with as many decimals as its trials can tell apart,
// two at most. Anything short of all never rounds up to 100.
func percent(rate float64, trials int) string {
	digits := 1
	if trials > 1000 {
		digits = 2
	}
	s := strconv.FormatFloat(100*rate, 'f', digits, 64)
	if rate < 1 && strings.HasPrefix(s, "100") {
		return "99.9"
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
