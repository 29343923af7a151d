package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color/palette"
	"image/gif"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/engine/enginetest"
)

// wavOf is so many seconds of silence.
func wavOf(seconds int) string {
	const rate = 8000
	n := 2 * rate * seconds
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8+n))
	return string(append(b, make([]byte, n)...))
}

func pngOf(t *testing.T, w, h int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// gifOf is a film of n frames, one a second.
func gifOf(t *testing.T, n int) string {
	t.Helper()
	g := &gif.GIF{}
	for range n {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, 16, 9), palette.Plan9))
		g.Delay = append(g.Delay, 100)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (h *house) sensing() string {
	path := filepath.Join(h.dir, "sensing.gguf")
	enginetest.WriteSenses(h.t, path, 1, false)
	return path
}

// count runs count --json.
func (h *house) count(args ...string) (c countsJSON) {
	h.t.Helper()
	out := h.want(exitOK, append([]string{"count", "--json"}, args...))
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	return c
}

func TestCountJSON(t *testing.T) {
	h := newHouse(t)
	model := h.sensing()
	m, err := handscroll.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("The quick brown fox.\n", 30)
	files := []string{
		h.file("notes.txt", text), h.file("tone.wav", wavOf(2)), h.file("small.png", pngOf(t, 300, 200)),
		h.file("large.png", pngOf(t, 800, 400)), h.file("film.gif", gifOf(t, 3)),
	}
	c := h.count(append([]string{"-m", model}, files...)...)
	words := m.CountTokens([]byte(text))
	want := []countRow{
		{Kind: "text", Bytes: int64(len(text)), Text: words, Gemini: words},
		{Kind: "sound", Seconds: 2, Heard: 50, Estimated: true, Gemini: 64},
		{Kind: "picture", Width: 300, Height: 200, Seen: 15, Gemini: 258},
		{Kind: "picture", Width: 800, Height: 400, Seen: 15, Gemini: 516},
		{Kind: "film", Seconds: 3, Seen: 45, Gemini: 789},
	}
	if len(c.Files) != len(want) {
		t.Fatalf("%d rows", len(c.Files))
	}
	total, gemini := 0, 0
	for i, w := range want {
		got := *c.Files[i]
		total, gemini = total+got.Tokens, gemini+got.Gemini
		if got.Share == nil || math.Abs(*got.Share*float64(c.Capacity)-float64(got.Tokens)) > 1e-6*float64(got.Tokens) {
			t.Errorf("%s: share %v of %d", got.File, got.Share, c.Capacity)
		}
		if i > 0 && got.Text < 1 {
			t.Errorf("%s: no tokens of text", got.File)
		}
		if i > 0 {
			w.Text = got.Text
		}
		w.File, w.Files, w.Tokens, w.Share = files[i], 1, w.Text+w.Seen+w.Heard, got.Share
		if got != w {
			t.Errorf("row %+v\nwant %+v", got, w)
		}
	}
	if r := c.Total; r.Files != 5 || r.Tokens != total || r.Gemini != gemini || r.Kind != "mixed" || !r.Estimated {
		t.Errorf("total %+v", r)
	}
	if c.Memory != int64(total*m.EntryBytes()) || c.Open || c.Capacity != c.Free/int64(m.EntryBytes()) {
		t.Errorf("%+v", c)
	}
}

func TestCountTable(t *testing.T) {
	h := newHouse(t)
	model := h.sensing()
	text, tone := h.file("notes.txt", "The quick brown fox.\n"), h.file("tone.wav", wavOf(2))
	out := h.want(exitOK, []string{"count", "-m", model, "-f", text, tone}, "The context takes ", "of the ")
	lines := strings.Split(out, "\n")
	for i, want := range []string{"FILE KIND LENGTH TEXT SEEN HEARD TOKENS SHARE GEMINI", text + " text 21 B", tone + " sound 2s ~", "total mixed 2 files ~"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasPrefix(got, want) {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
	short := h.want(exitOK, []string{"count", "--total", "-m", model, text, tone}, "total ")
	if strings.Contains(short, text) || strings.Count(short, "\n") != 4 {
		t.Errorf("--total prints\n%s", short)
	}
	// Kinds that a model has no sense for are in Gemini's column alone.
	out = h.want(exitOK, []string{"count", "-m", h.model, tone}, "without counts", "1 part ")
	if got := strings.Fields(strings.Split(out, "\n")[1]); strings.Join(got[1:], " ") != "sound 2s – – – – – 64" {
		t.Errorf("a row of %q", got)
	}
}

func TestCountCollapsesDirectories(t *testing.T) {
	h := newHouse(t)
	for i := range rowsEach + 1 {
		h.file(fmt.Sprintf("many/%d/a.txt", i), "text\n")
		h.file(fmt.Sprintf("many/%d/b.png", i), pngOf(t, 8, 8))
	}
	few, many := filepath.Dir(h.file("few/a.txt", "text\n")), filepath.Join(h.dir, "many")
	c := h.count("-m", h.sensing(), few, many, h.file("last.txt", "text\n"))
	if len(c.Files) != 3 || c.Files[0].File != filepath.Join(few, "a.txt") || c.Files[2].Files != 1 {
		t.Fatalf("%d rows: %+v", len(c.Files), c.Files)
	}
	one := c.Files[0].Tokens
	r := c.Files[1]
	if r.File != many+string(filepath.Separator) || r.Files != 2*(rowsEach+1) || r.Kind != "mixed" || r.Text <= (rowsEach+1)*one || r.Seen != 15*(rowsEach+1) {
		t.Errorf("row %+v", r)
	}
	if c.Total.Tokens != r.Tokens+2*one {
		t.Errorf("total %+v", c.Total)
	}
	h.file("few/program.bin", "\x7fELF\x02\x01\x00\x00")
	h.want(exitOK, []string{"count", "-m", h.model, few}, "skipped ", "program.bin: binary file")
}

func TestCountOpenWeights(t *testing.T) {
	h := newHouse(t)
	model, text := h.tinyWeights(), h.file("notes.txt", strings.Repeat("alpha\n", 2000))
	picture := h.file("small.png", pngOf(t, 8, 8))
	c := h.count("-m", model, text, picture)
	v, err := handscroll.OpenVocabulary(model)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := v.Tokenize([]byte(strings.Repeat("alpha\n", 2000)), false)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Open || c.Capacity != 8192 || c.Total.Tokens != len(ids) || c.Total.Unreadable != 1 || c.Memory <= 0 || c.Total.Gemini != len(ids)+258 {
		t.Errorf("%+v", c)
	}
	h.want(exitOK, []string{"count", "-m", model, text, picture}, "holds 8192 tokens; ", "Open weights read text alone: 1 part ")
	h.want(exitOK, []string{"count", "-m", model, picture}, "Open weights read text alone")
}

func TestCountRejects(t *testing.T) {
	h := newHouse(t)
	empty := filepath.Join(h.dir, "empty")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	h.want(exitUsage, []string{"count"}, "name at least one file")
	h.want(exitUsage, []string{"count", "--nonsense"}, "unknown flag")
	h.want(exitError, []string{"count", filepath.Join(h.dir, "gone.txt")}, "gone.txt", "no such file")
	h.want(exitError, []string{"count", empty}, "nothing to read in "+empty)
	h.want(exitError, []string{"count", h.file("void.txt", "")}, "empty file")
	h.want(exitError, []string{"count", "-m", filepath.Join(h.dir, "none.gguf"), h.file("a.txt", "text\n")}, "none.gguf")
	if os.Getuid() != 0 && runtime.GOOS != "windows" {
		secret := h.file("secret.txt", "s")
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		h.want(exitError, []string{"count", secret}, "secret.txt", "permission denied")
	}
}

func TestGeminiTiles(t *testing.T) {
	for _, c := range []struct{ w, h, want int }{{0, 0, 1}, {384, 384, 1}, {385, 10, 1}, {768, 768, 1}, {769, 768, 2}, {1600, 900, 6}} {
		if got := tiles(c.w, c.h); got != c.want {
			t.Errorf("%d × %d are %d tiles, want %d", c.w, c.h, got, c.want)
		}
	}
}

// Pages of a PDF are pictures to Gemini, whatever is on them.
func TestCountPDF(t *testing.T) {
	h := newHouse(t)
	var b strings.Builder
	b.WriteString("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>\nendobj\n")
	for n := 3; n <= 4; n++ {
		fmt.Fprintf(&b, "%d 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents %d 0 R", n, n+2)
		b.WriteString("/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>\nendobj\n")
	}
	// The second page is a scan: lines without text.
	for i, content := range []string{"BT /F 12 Tf 10 100 Td (The quick brown fox.) Tj ET", "10 10 m 100 100 l S"} {
		fmt.Fprintf(&b, "%d 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n", i+5, len(content), content)
	}
	b.WriteString("trailer\n<</Root 1 0 R/Size 7>>\n%%EOF\n")
	file := h.file("paper.pdf", b.String())
	c := h.count("-m", h.sensing(), file)
	if len(c.Files) != 1 {
		t.Fatalf("%d rows", len(c.Files))
	}
	if r := c.Files[0]; r.File != file || r.Kind != "pdf" || r.Files != 1 || r.Pages != 2 || r.Gemini != 516 || r.Seen != 15 || r.Text < 10 {
		t.Errorf("row %+v", r)
	}
}
