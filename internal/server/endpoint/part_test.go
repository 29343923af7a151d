package endpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

// A reel is a stream of given chunks.
type reel struct{ chunks []handscroll.Chunk }

func (r *reel) Next() (handscroll.Chunk, error) {
	if len(r.chunks) == 0 {
		return handscroll.Chunk{}, io.EOF
	}
	c := r.chunks[0]
	r.chunks = r.chunks[1:]
	return c, nil
}

func (*reel) Close() error { return nil }

func medium(source string, kind handscroll.Kind, chunks ...handscroll.Chunk) handscroll.Part {
	return handscroll.Medium(source, source, kind, 0, func(context.Context) (handscroll.Stream, error) { return &reel{chunks}, nil })
}

func frame(red byte) *handscroll.Image {
	return &handscroll.Image{W: 2, H: 1, Pix: []byte{red, 0, 0, 0, 0, 255}}
}

func TestPrepareDecodes(t *testing.T) {
	sound := []float32{0, 1, -1, 2}
	var notes []string
	got, err := Prepare(t.Context(), []handscroll.Part{
		{Source: "a.txt", Text: []byte("hi")},
		medium("p.bmp", handscroll.Picture, handscroll.Chunk{Frame: frame(200)}),
		medium("s.opus", handscroll.Sound, handscroll.Chunk{Sound: sound[:1]}, handscroll.Chunk{Sound: sound[1:]}),
		medium("f.mkv", handscroll.Film, handscroll.Chunk{At: 61 * time.Second, Frame: frame(1), Sound: sound}, handscroll.Chunk{At: 61500 * time.Millisecond, Frame: frame(250)}),
	}, Preparation{Family: OpenAI, Note: func(source, reason string) { notes = append(notes, source+": "+reason) }})
	if err != nil {
		t.Fatal(err)
	}
	var shape []string
	for _, p := range got {
		shape = append(shape, p.Source+"|"+p.Text+"|"+p.MIME)
	}
	want := "a.txt|hi| p.bmp||image/png s.opus||audio/wav f.mkv|01:01| f.mkv||image/jpeg f.mkv|01:01.500| f.mkv||image/jpeg"
	if s := strings.Join(shape, " "); s != want {
		t.Fatalf("%s, want %s", s, want)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "f.mkv: its sound is not sent, only 2 frames") {
		t.Errorf("notes %q", notes)
	}
	b, err := got[1].bytes()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(b)); err != nil || m.Bounds().Dx() != 2 {
		t.Error(err)
	} else if r, _, blue, _ := m.At(0, 0).RGBA(); r>>8 != 200 || blue != 0 {
		t.Errorf("red %d, blue %d", r>>8, blue)
	}
	if b, err = got[2].bytes(); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if len(b) != wavHeader+2*len(sound) || string(b[:4]) != "RIFF" || le.Uint32(b[4:]) != uint32(len(b)-8) || le.Uint32(b[24:]) != 16000 || le.Uint32(b[40:]) != 8 {
		t.Errorf("WAV % x", b)
	}
	for i, want := range []int16{0, 32767, -32767, 32767} {
		if got := int16(le.Uint16(b[wavHeader+2*i:])); got != want {
			t.Errorf("sample %d is %d, want %d", i, got, want)
		}
	}
	if b, err = got[6].bytes(); err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil || got[6].Size != int64(len(b)) {
		t.Error(err)
	}
}

func TestPrepareSendsFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("as it is"), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	film := medium(write("f.mp4"), handscroll.Film, handscroll.Chunk{Frame: frame(1)})
	odd := medium(write("f.mkv"), handscroll.Film, handscroll.Chunk{Frame: frame(1)})
	inside := medium(filepath.Join(dir, "a.zip", "f.mp4"), handscroll.Film, handscroll.Chunk{Frame: frame(1)})
	sound := medium(write("s.flac"), handscroll.Sound, handscroll.Chunk{Sound: []float32{1}})
	for _, c := range []struct {
		p    handscroll.Part
		o    Preparation
		mime string // of the last part
		fps  float64
	}{
		{film, Preparation{Family: Gemini, FPS: 2}, "video/mp4", 2},
		{film, Preparation{Family: OpenAI}, "image/jpeg", 0},
		{film, Preparation{Family: OpenAI, Raw: true}, "video/mp4", 0},
		{odd, Preparation{Family: Gemini}, "image/jpeg", 0},
		{inside, Preparation{Family: Gemini}, "image/jpeg", 0},
		{sound, Preparation{Family: Gemini}, "audio/flac", 0},
		{sound, Preparation{Family: Gemini, Start: time.Second}, "audio/wav", 0},
		{sound, Preparation{Family: OpenAI, Raw: true}, "audio/wav", 0},
	} {
		got, err := Prepare(t.Context(), []handscroll.Part{c.p}, c.o)
		if err != nil {
			t.Fatal(err)
		}
		last := got[len(got)-1]
		if last.MIME != c.mime || last.FPS != c.fps || last.Source != c.p.Source {
			t.Errorf("%s with %+v: %+v", c.p.Source, c.o, last)
		}
	}
}

// pdf has a page of text, one of a picture and another of text. It has no table of
// its objects: readers find them.
const pdf = `%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[4 0 R 6 0 R 8 0 R]/Count 3>>endobj
3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
4 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>/Contents 5 0 R>>endobj
5 0 obj<</Length 39>>stream
BT /F1 12 Tf 20 180 Td (first one) Tj ET
endstream endobj
6 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 7 0 R>>endobj
7 0 obj<</Length 25>>stream
1 0 0 rg 0 0 150 200 re f
endstream endobj
8 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Resources<</Font<</F1 3 0 R>>>>/Contents 9 0 R>>endobj
9 0 obj<</Length 40>>stream
BT /F1 12 Tf 20 180 Td (second one) Tj ET
endstream endobj
trailer<</Root 1 0 R>>
%%EOF
`

func TestPreparePDF(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.pdf")
	if err := os.WriteFile(path, []byte(pdf), 0o666); err != nil {
		t.Fatal(err)
	}
	parts, _, err := handscroll.Files(t.Context(), []string{path}, handscroll.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) != 2 {
		t.Fatalf("%d parts, want text and a picture", len(parts))
	}
	if page, _, timed := parts[0].Place(int64(bytes.Index(parts[0].Text, []byte("second")))); page != 3 || timed {
		t.Errorf("the third page's text is on page %d", page)
	}
	for _, raw := range []bool{false, true} {
		got, err := Prepare(t.Context(), parts, Preparation{Family: Gemini, Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		if is := len(got) == 1 && got[0].MIME == "application/pdf" && got[0].Source == path; is != raw {
			t.Errorf("raw %v: %d parts, the first %q %s", raw, len(got), got[0].Source, got[0].MIME)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	for name, p := range map[string]handscroll.Part{
		"no picture": medium("x", handscroll.Picture, handscroll.Chunk{}),
		"no sound":   medium("x", handscroll.Sound),
		"no frames":  medium("x", handscroll.Film, handscroll.Chunk{Sound: []float32{1}}),
	} {
		if got, err := Prepare(t.Context(), []handscroll.Part{p}, Preparation{}); err == nil || !strings.HasPrefix(err.Error(), "x: ") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestFrameHeight: frames are as high as was asked for, at most as they are stored.
func TestFrameHeight(t *testing.T) {
	var film gif.GIF
	for i := range 2 {
		m := image.NewPaletted(image.Rect(0, 0, 400, 300), palette.Plan9)
		m.SetColorIndex(i, 0, 7)
		film.Image, film.Delay = append(film.Image, m), append(film.Delay, 100)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &film); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "f.gif")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	for height, want := range map[int]int{0: 180, 240: 240, 480: 300} {
		parts, _, err := handscroll.Files(t.Context(), []string{path}, handscroll.FileOptions{Height: height})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Prepare(t.Context(), parts, Preparation{Family: OpenAI})
		if err != nil {
			t.Fatal(err)
		}
		data, err := got[1].bytes()
		if err != nil {
			t.Fatal(err)
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err != nil || c.Height != want || len(got) != 4 {
			t.Errorf("height %d: %d parts, %+v, %v", height, len(got), c, err)
		}
	}
}
