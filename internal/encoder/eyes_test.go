package encoder

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/nn"
)

// tinyReader is a reader with drawn weights.
func tinyReader(c EyesConfig, prec nn.Precision) (*Reader, *nn.Params, func()) {
	var ps nn.Params
	var ms []*nn.Matrix
	r := NewReader(&ps, c, prec, func(m *nn.Matrix) { ms = append(ms, m) })
	ps.Alloc()
	ps.Reset(1)
	refresh := func() {
		for _, m := range ms {
			m.Refresh(ps.Data, true)
		}
	}
	refresh()
	return r, &ps, refresh
}

func benchReader(b *testing.B, prec nn.Precision, back bool) {
	r, ps, _ := tinyReader(EyesConfig{Channels: 64, Blocks: 5, Hidden: 96}, prec)
	size := nn.Grid{N: 1, H: 180, W: 320}
	rng := rand.New(rand.NewPCG(1, 2))
	pix := make([]byte, size.Cells()*3)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	s := &nn.Scratch{Keep: back}
	g := make([]float32, len(ps.Data))
	for b.Loop() {
		s.Reset()
		var act ReaderAct
		lg := r.Forward(s, ps.Data, pix, size, &act)
		if back {
			r.Backward(s, ps.Data, g, lg, &act)
		}
	}
}

func BenchmarkReaderF32(b *testing.B)       { benchReader(b, nn.F32, false) }
func BenchmarkReaderBF16(b *testing.B)      { benchReader(b, nn.BF16, false) }
func BenchmarkReaderTrainF32(b *testing.B)  { benchReader(b, nn.F32, true) }
func BenchmarkReaderTrainBF16(b *testing.B) { benchReader(b, nn.BF16, true) }

// checker is a checkerboard of pixels.
func checker(w, h int) *media.Image {
	img := media.NewImage(w, h)
	for i := range w * h {
		if (i%w+i/w)%2 == 1 {
			copy(img.Pix[3*i:], []byte{255, 255, 255})
		}
	}
	return img
}

func TestHalve(t *testing.T) {
	img := Halve(checker(9, 5))
	if img.W != 4 || img.H != 2 {
		t.Fatalf("half of 9 × 5 is %d × %d", img.W, img.H)
	}
	for i, v := range img.Pix {
		if v != 128 {
			t.Fatalf("pixel %d is %d", i, v)
		}
	}
}

// chars lays out a text as if it had been found.
func chars(text string, x, y, step float32) (out []Char) {
	for i, c := range []byte(text) {
		out = append(out, Char{Byte: c, X: x + float32(i)*step, Y: y, Score: 1, P: 1})
	}
	return out
}

func TestReadOut(t *testing.T) {
	found := append(chars("second line", 20, 40, 6), chars("first", 10, 10, 8)...)
	found = append(found, chars("more", 10+7*8, 10, 8)...) // after a wide gap
	lines := inOrder(strongest(group(found, 0, 1)))
	var got []string
	for i := range lines {
		got = append(got, lines[i].Text())
	}
	if want := []string{"first more", "second line"}; !reflect.DeepEqual(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	// What two levels read is given once, by the one that is surer.
	worse := chars("fjrst", 10, 10, 8)
	for i := range worse {
		worse[i].P = 0.6
	}
	both := append(group(chars("first", 10, 10, 8), 0, 1), group(worse, 1, 2)...)
	if lines = strongest(both); len(lines) != 1 || lines[0].Text() != "first" {
		t.Errorf("two levels: %d lines, the first %q", len(lines), lines[0].Text())
	}
}

func TestReaderTargets(t *testing.T) {
	glyphs := []Glyph{{'a', 9, 6, 10}, {'Z', 21, 6, 60}, {'☃', 31, 6, 10}}
	targets, weights := ReaderTargets(glyphs, 64, 16, 0)
	at := func(x, y float32) (int32, float32) {
		i := int(y/CellH)*32 + int(x/CellW)
		return targets[i], weights[i]
	}
	if c, w := at(9, 6); c != Class('a') || w != 10.0/evenCap {
		t.Errorf("a is class %d with weight %g", c, w)
	}
	if c, w := at(11, 6); c != 0 || w >= 1 {
		t.Errorf("beside a: class %d with weight %g", c, w)
	}
	if c, _ := at(21, 6); c != 0 {
		t.Errorf("a letter far too large is class %d", c)
	}
	if c, _ := at(31, 6); c != -1 {
		t.Errorf("an unknown character is class %d", c)
	}
	targets, weights = ReaderTargets(glyphs, 16, 4, 2)
	if c, w := targets[2], weights[2]; c != Class('Z') || w <= 1 {
		t.Errorf("a large letter is class %d with weight %g at a coarser level", c, w)
	}
}

func TestDictionary(t *testing.T) {
	// guess is a word whose characters are half sure, with another letter behind.
	guess := func(text, second string, p float32) []Char {
		out := chars(text, 10, 10, 8)
		for i := range out {
			out[i].probs = make([]float32, Classes)
			out[i].probs[Class(rune(second[i]))] += 1 - p
			out[i].probs[Class(rune(text[i]))] += p
		}
		return out
	}
	d := NewDictionary([]string{"secret", "word", "it's", "then"})
	for _, c := range []struct {
		read, second string
		p            float32
		want         string
	}{
		{"secref", "secret", 0.6, "secret"}, // likelier as a word
		{"secref", "secret", 0.99, "secref"},
		{"secref", "secret", 0.9, "secret"},
		{"theo", "then", 0.9, "theo"}, // a short word weighs less
		{"Sccref", "Secret", 0.6, "Secret"},
		{"WORO", "WORD", 0.7, "WORD"},
		{"w0rd", "word", 0.55, "word"},
		{"x1y2", "xlyz", 0.9, "x1y2"}, // neither a word nor in one case
	} {
		line := guess(c.read, c.second, c.p)
		spell(line, d)
		if got := (&Line{Chars: line}).Text(); got != c.want {
			t.Errorf("%s or %s with %g: %s, want %s", c.read, c.second, c.p, got, c.want)
		}
	}
}

// What is not kept for backward is made in pieces, to the bit the same.
func TestScenesInPieces(t *testing.T) {
	v, err := NewSeeing(ScenesConfig{
		Channels: 16, Blocks: 1, Layers: 2, Value: 16, Labels: [][]string{{"a", "b"}, {"c"}, {"d"}},
		Layer: nn.SelfConfig{Width: 32, Heads: 2, Window: 64, Ahead: 32, Taps: 4, Hidden: 32},
	}, nn.F32)
	if err != nil {
		t.Fatal(err)
	}
	v.Params.Alloc()
	v.Params.Reset(1)
	Refresh(v.Matrices, &v.Params, false, 0, 1)
	const frames = 19
	pix := make([]byte, frames*SceneW*SceneH*3)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	var got [2][]float32
	for i, keep := range []bool{false, true} {
		s := &nn.Scratch{Keep: keep}
		got[i] = v.Scenes.Forward(s, v.Params.Data, pix, frames, &ScenesAct{})
	}
	if !slices.Equal(got[0], got[1]) {
		t.Error("values differ")
	}
}

func TestJoin(t *testing.T) {
	line := func(text string, x, y, step float32) Line { return Line{Chars: chars(text, x, y, step), unit: 1} }
	for _, c := range []struct {
		name  string
		lines []Line
		want  string
	}{
		{"one block", []Line{line("the secret", 10, 20, 10), line("word is", 10, 45, 10)}, "the secret word is"},
		{"too far below", []Line{line("the secret", 10, 20, 10), line("word is", 10, 90, 10)}, "the secret | word is"},
		{"beside", []Line{line("name", 10, 20, 8), line("score", 150, 20, 8)}, "name | score"},
		{"rows of a table", []Line{line("name", 10, 20, 8), line("score", 150, 20, 8), line("olga", 10, 40, 8), line("5231", 150, 40, 8)},
			"name | score | olga | 5231"},
		{"short cells", []Line{line("player", 10, 20, 8), line("pts", 150, 20, 8), line("olga", 10, 40, 8), line("52", 150, 40, 8), line("maya", 10, 60, 8), line("9", 150, 60, 8)},
			"player | pts | olga | 52 | maya | 9"},
		{"larger letters below", []Line{line("a caption", 10, 20, 6), line("HEADLINE", 10, 45, 14)}, "a caption | HEADLINE"},
		{"a text over another", []Line{
			line("the secret", 30, 18, 14), line("small words", 10, 30, 6), line("word is", 40, 52, 14), line("and others", 10, 56, 6), line("\"blorf\"", 40, 86, 14),
		}, "the secret word is \"blorf\" | small words | and others"},
	} {
		if got := Join(inOrder(c.lines)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
