package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	"golang.org/x/image/tiff"

	"github.com/handscroll/handscroll/internal/media"
)

// parts decodes data as a file of that name would be.
func parts(name string, data []byte, l media.Limits) ([]media.Part, error) {
	head := data[:min(len(data), media.SniffBytes)]
	f := Format()
	if !f.Match(name, head) {
		return nil, errors.New("no match")
	}
	return f.Decode(context.Background(), &media.File{Name: name, Size: int64(len(data)), Head: head, ReaderAt: bytes.NewReader(data)}, l)
}

// chunks reads a part to its end.
func chunks(p media.Part) ([]media.Chunk, error) {
	s, err := p.Open(context.Background())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var out []media.Chunk
	for {
		c, err := s.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, c)
	}
}

// one decodes a picture.
func one(data []byte, l media.Limits) (*media.Image, error) {
	ps, err := parts("picture", data, l)
	if err != nil {
		return nil, err
	}
	if len(ps) != 1 || ps[0].Kind != media.Picture {
		return nil, fmt.Errorf("parts %v", ps)
	}
	cs, err := chunks(ps[0])
	if err != nil {
		return nil, err
	}
	return cs[0].Frame, nil
}

// noise is a picture of random smooth colours.
func noise(w, h int) *image.NRGBA {
	rng := rand.New(rand.NewSource(1))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(rng.Intn(256))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func encoded(t testing.TB, encode func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, img image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return png.Encode(w, img) })
}

func TestFormats(t *testing.T) {
	src := noise(7, 5)
	want := FromGo(src)
	for name, data := range map[string][]byte{
		"png":  pngOf(t, src),
		"bmp":  encoded(t, func(w io.Writer) error { return bmp.Encode(w, src) }),
		"tiff": encoded(t, func(w io.Writer) error { return tiff.Encode(w, src, nil) }),
	} {
		// The name says nothing: all go by "picture".
		got, err := one(data, media.Limits{})
		if err != nil || !bytes.Equal(got.Pix, want.Pix) || got.W != 7 || got.H != 5 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	flat := image.NewUniform(color.RGBA{200, 100, 50, 255})
	grey := image.NewRGBA(image.Rect(0, 0, 20, 12))
	draw.Draw(grey, grey.Rect, flat, image.Point{}, draw.Src)
	near(t, "jpeg", encoded(t, func(w io.Writer) error { return jpeg.Encode(w, grey, nil) }), 20, 12, [3]int{200, 100, 50}, 4)
	near(t, "webp", file(t, "red.webp"), 20, 12, [3]int{253, 0, 0}, 3)
}

func TestAVIF(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg, which decodes AVIF")
	}
	near(t, "avif", file(t, "red.avif"), 20, 12, [3]int{253, 0, 0}, 4)
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// near checks size and colour of a picture of one colour.
func near(t *testing.T, name string, data []byte, w, h int, want [3]int, tolerance int) {
	t.Helper()
	got, err := one(data, media.Limits{})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if got.W != w || got.H != h {
		t.Errorf("%s: %d × %d pixels", name, got.W, got.H)
	}
	for i, v := range got.Pix {
		if d := int(v) - want[i%3]; d > tolerance || d < -tolerance {
			t.Errorf("%s: byte %d is %d, not %d", name, i, v, want[i%3])
			return
		}
	}
}

func TestAlphaOverWhite(t *testing.T) {
	src := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	src.Pix = []byte{0, 0, 0, 0, 255, 0, 0, 128}
	got, err := one(pngOf(t, src), media.Limits{})
	if err != nil || fmt.Sprint(got.Pix) != "[255 255 255 255 127 127]" {
		t.Errorf("%v, %v", got, err)
	}
}

// tiffWith is the EXIF structure of an orientation.
func tiffWith(order binary.AppendByteOrder, o int) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	b = append(order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x0100), 4), 1), 1, 2, 3, 4)
	b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, 0x0112), 3), 1)
	b = order.AppendUint16(b, uint16(o))
	return append(b, 0, 0, 0, 0, 0, 0)
}

// pngWith puts a chunk behind the header.
func pngWith(data []byte, kind string, body []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	c = append(append(c, kind...), body...)
	c = binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
	return bytes.Join([][]byte{data[:33], c, data[33:]}, nil)
}

func jpegWith(data, exif []byte) []byte {
	body := append([]byte("Exif\x00\x00"), exif...)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	comment := []byte{0xff, 0xfe, 0, 4, 'h', 'i'}
	return bytes.Join([][]byte{data[:2], comment, segment, body, data[2:]}, nil)
}

func TestOrientations(t *testing.T) {
	// The pixels a to f stand in two rows: abc, def.
	want := []string{"abc def", "cba fed", "fed cba", "def abc", "ad be cf", "da eb fc", "fc eb da", "cf be ad"}
	src := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		copy(src.Pix[4*i:], []byte{byte('a' + i), 0, 0, 255})
	}
	plain := pngOf(t, src)
	for i, rows := range want {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			img, err := one(pngWith(plain, "eXIf", tiffWith(order, i+1)), media.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := letters(img); got != rows {
				t.Errorf("orientation %d, %v: %q, want %q", i+1, order, got, rows)
			}
		}
	}
}

func letters(img *media.Image) string {
	var rows []string
	for y := range img.H {
		var row []byte
		for x := range img.W {
			row = append(row, img.Pix[3*(y*img.W+x)])
		}
		rows = append(rows, string(row))
	}
	return strings.Join(rows, " ")
}

func TestOrientationInEveryFormat(t *testing.T) {
	src := noise(30, 20)
	jpg := jpegWith(encoded(t, func(w io.Writer) error { return jpeg.Encode(w, src, nil) }), tiffWith(binary.BigEndian, 6))
	webp := file(t, "red.webp")
	exif := append(binary.LittleEndian.AppendUint32([]byte("EXIF"), 38), tiffWith(binary.LittleEndian, 6)...)
	extended := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x08\x00\x00\x00\x13\x00\x00\x0b\x00\x00"), webp[12:]...)
	extended = append(extended, exif...)
	binary.LittleEndian.PutUint32(extended[4:], uint32(len(extended)-8))
	tif := encoded(t, func(w io.Writer) error { return tiff.Encode(w, src, nil) })
	// Make the tag SamplesPerPixel, which the decoder can do without, the orientation.
	tag := bytes.LastIndex(tif, []byte{0x15, 0x01, 3, 0, 1, 0, 0, 0})
	if tag < 0 {
		t.Fatal("the encoder writes no SamplesPerPixel")
	}
	copy(tif[tag:], []byte{0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0})
	for name, data := range map[string][]byte{"jpeg": jpg, "webp": extended, "tiff": tif} {
		img, err := one(data, media.Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if img.W >= img.H {
			t.Errorf("%s is not turned: %d × %d", name, img.W, img.H)
		}
	}
	// The limit counts for the picture as it is shown.
	img, err := one(jpg, media.Limits{PictureSide: 15})
	if err != nil || img.W != 10 || img.H != 15 {
		t.Errorf("reduced: %v", err)
	}
}

// A picture of 10,000,000,000 pixels costs a look at its header.
func TestHugePNG(t *testing.T) {
	data := pngOf(t, noise(1, 1))
	binary.BigEndian.PutUint32(data[16:], 100000)
	binary.BigEndian.PutUint32(data[20:], 100000)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := parts("huge.png", data, media.Limits{})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "100000 × 100000") || !strings.Contains(err.Error(), "209715200 pixels are allowed") {
		t.Errorf("error %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes for a header", n)
	}
}

func TestBrokenPictures(t *testing.T) {
	whole := pngOf(t, noise(40, 40))
	for name, data := range map[string][]byte{
		"png":  whole[:20],
		"jpeg": {0xff, 0xd8, 0xff, 0xe0},
		"tiff": []byte("II*\x00\xff\xff\xff\x7f"),
		"bmp":  []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x28\x00\x00\x00"),
		"gif":  []byte("GIF89a\x01\x00"),
		"avif": []byte("\x00\x00\x00\x10ftypavif\x00\x00\x00\x00"),
		"heic": []byte("\x00\x00\x00\x14ftypheic\x00\x00\x00\x00mif1"),
	} {
		if ps, err := parts(name, data, media.Limits{}); err == nil {
			t.Errorf("%s: header decodes to %v", name, ps)
		}
	}
	ps, err := parts("half.png", whole[:len(whole)/2], media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if cs, err := chunks(ps[0]); err == nil || len(cs) > 0 || !strings.Contains(err.Error(), "half.png: PNG: ") {
		t.Errorf("half a file: %v", err)
	}
}

// fax joins TIFFs of one page each to one of many.
func fax(t testing.TB, pages ...image.Image) []byte {
	order := binary.LittleEndian // which the library writes
	var out []byte
	link := 4 // where the place of the next directory is written
	for _, p := range pages {
		data := encoded(t, func(w io.Writer) error { return tiff.Encode(w, p, nil) })
		base := uint32(len(out))
		at := order.Uint32(data[4:])
		n := int(order.Uint16(data[at:]))
		for e := data[at+2:][:12*n]; len(e) > 0; e = e[12:] {
			size := map[uint16]uint32{3: 2, 4: 4, 5: 8}[order.Uint16(e[2:])] * order.Uint32(e[4:])
			if tag := order.Uint16(e); tag == 273 || size > 4 { // strips, or what stands elsewhere
				order.PutUint32(e[8:], order.Uint32(e[8:])+base)
			}
		}
		out = append(out, data...)
		order.PutUint32(out[link:], base+at)
		link = int(base+at) + 2 + 12*n
		for len(out) < link+4 {
			out = append(out, 0)
		}
		order.PutUint32(out[link:], 0)
	}
	return out
}

func TestPagesOfTIFF(t *testing.T) {
	src := []*image.NRGBA{noise(7, 5), noise(9, 4), noise(3, 8)}
	data := fax(t, src[0], src[1], src[2])
	ps, err := parts("fax.tif", data, media.Limits{})
	if err != nil || len(ps) != 3 {
		t.Fatalf("%d parts, %v", len(ps), err)
	}
	for i, p := range ps {
		cs, err := chunks(p)
		if err != nil {
			t.Fatal(err)
		}
		want := FromGo(src[i])
		if got := cs[0].Frame; !bytes.Equal(got.Pix, want.Pix) || p.W != want.W || p.H != want.H || p.Page != i+1 || p.Source != fmt.Sprintf("fax.tif#page=%d", i+1) {
			t.Errorf("page %d: %+v", i+1, p)
		}
		if i > 0 && p.Hash == ps[0].Hash {
			t.Errorf("page %d is taken for the first", i+1)
		}
	}
	if _, err := parts("fax.tif", data, media.Limits{Pages: 2}); err == nil || !strings.Contains(err.Error(), "more than 2 pages") {
		t.Errorf("three pages where two are allowed: %v", err)
	}
	if _, err := parts("fax.tif", data, media.Limits{Pixels: 35}); err == nil || !strings.Contains(err.Error(), "page 2: TIFF of 9 × 4") {
		t.Errorf("second page too large: %v", err)
	}
	order := binary.LittleEndian
	first := order.Uint32(data[4:])
	link := int(first) + 2 + 12*int(order.Uint16(data[first:]))
	loop := bytes.Clone(data)
	order.PutUint32(loop[link:], first)
	if _, err := parts("fax.tif", loop, media.Limits{}); err == nil || !strings.Contains(err.Error(), "follows itself") {
		t.Errorf("a loop: %v", err)
	}
	order.PutUint32(loop[link:], uint32(len(loop)))
	if _, err := parts("fax.tif", loop, media.Limits{}); err == nil || !strings.Contains(err.Error(), "directory 2: the file breaks off") {
		t.Errorf("a page beyond the end: %v", err)
	}
}

func TestCopiesAndMasksAreNoPages(t *testing.T) {
	order := binary.LittleEndian
	entry := func(tag, kind uint16, value uint32) []byte {
		e := order.AppendUint16(order.AppendUint16(nil, tag), kind)
		return order.AppendUint32(order.AppendUint32(e, 1), value)
	}
	for flags, want := range map[uint32]bool{0: false, 1: true, 2: false, 4: true, 3: true} {
		if got := copyOrMask(append(entry(1, 3, 9), entry(0xfe, 4, flags)...), order); got != want {
			t.Errorf("NewSubfileType %d: %v", flags, got)
		}
	}
	if copyOrMask(entry(0x100, 4, 1), order) {
		t.Error("a width is taken for a mark")
	}
}

func TestUnsupportedTIFF(t *testing.T) {
	data := encoded(t, func(w io.Writer) error { return tiff.Encode(w, noise(3, 3), nil) })
	order := binary.LittleEndian
	at := order.Uint32(data[4:])
	for e := data[at+2:][:12*int(order.Uint16(data[at:]))]; len(e) > 0; e = e[12:] {
		if order.Uint16(e) == 262 { // PhotometricInterpretation
			order.PutUint32(e[8:], 6) // YCbCr
		}
	}
	if _, err := parts("old.tif", data, media.Limits{}); err == nil || !strings.Contains(err.Error(), "convert it to PNG or JPEG") {
		t.Errorf("YCbCr: %v", err)
	}
}

func TestTextIsNoPicture(t *testing.T) {
	for _, s := range []string{"", "BM is what it begins with, and then goes on", "GIF", "II*", "RIFF", "\x00\x00\x00\x10ftypisom\x00\x00\x00\x00"} {
		if Format().Match("x.png", []byte(s)) {
			t.Errorf("%q matches", s)
		}
	}
}

func TestHashFollowsContentAndSize(t *testing.T) {
	sum := func(data []byte, side int) [32]byte {
		ps, err := parts("x", data, media.Limits{PictureSide: side})
		if err != nil {
			t.Fatal(err)
		}
		return ps[0].Hash
	}
	a, b := pngOf(t, noise(4, 4)), pngOf(t, noise(5, 4))
	if sum(a, 0) != sum(a, 1600) || sum(a, 0) == sum(b, 0) || sum(a, 0) == sum(a, 3) {
		t.Error("hash is not of the file and the side")
	}
}

// The scaler is x/image's CatmullRom but for its memory.
func TestScaleAgreesWithLibrary(t *testing.T) {
	src := noise(131, 77)
	for _, size := range [][2]int{{50, 30}, {131, 20}, {13, 77}, {1, 1}, {130, 76}, {200, 100}} {
		want := image.NewRGBA(image.Rect(0, 0, size[0], size[1]))
		draw.CatmullRom.Scale(want, want.Rect, src, src.Rect, draw.Src, nil)
		got := Scale(src, size[0], size[1])
		for i, v := range got.Pix {
			if d := int(v) - int(want.Pix[i/3*4+i%3]); d > 1 || d < -1 {
				t.Errorf("%v: byte %d: %d, want %d", size, i, v, want.Pix[i/3*4+i%3])
				break
			}
		}
	}
}

func TestReduce(t *testing.T) {
	for _, c := range [][5]int{{100, 50, 20, 20, 10}, {50, 100, 20, 10, 20}, {10, 10, 20, 10, 10}, {1, 100000, 100, 1, 100}, {100000, 1, 100, 100, 1}} {
		if got := Reduce(image.NewGray(image.Rect(0, 0, c[0], c[1])), c[2]); got.W != c[3] || got.H != c[4] {
			t.Errorf("%v: %d × %d", c, got.W, got.H)
		}
	}
	// A picture whose corner is not at the origin.
	sub := noise(10, 10).SubImage(image.Rect(3, 4, 8, 9))
	got := FromGo(sub)
	if r, _, _, _ := sub.At(3, 4).RGBA(); got.W != 5 || got.Pix[0] != byte(r>>8) {
		t.Errorf("part of a picture: %d × %d, %d", got.W, got.H, got.Pix[0])
	}
}

func box(kind string, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+8)), kind...), b...)
}

func TestHEIFTurns(t *testing.T) {
	size := box("ispe", []byte{0, 0, 0, 0, 0, 0, 0, 30, 0, 0, 0, 20})
	for _, c := range []struct {
		props  [][]byte
		orient int
	}{
		{nil, 1},
		{[][]byte{box("irot", []byte{1})}, 8},
		{[][]byte{box("irot", []byte{3})}, 6},
		{[][]byte{box("imir", []byte{1})}, 2},
		{[][]byte{box("imir", []byte{0})}, 4},
		{[][]byte{box("irot", []byte{2}), box("imir", []byte{1})}, 4},
	} {
		links := []byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 7, 1, 1, 0, 9, byte(1 + len(c.props))}
		props := [][]byte{size}
		for i, p := range c.props {
			props = append(props, p)
			links = append(links, byte(i+2)|0x80)
		}
		links = append(links, 1)
		data := append(box("ftyp", []byte("avif\x00\x00\x00\x00")), box("meta", []byte{0, 0, 0, 0},
			box("pitm", []byte{0, 0, 0, 0, 0, 9}), box("iprp", box("ipco", props...), box("ipma", links)))...)
		got, err := readHEIF(bytes.NewReader(data), int64(len(data)))
		if err != nil || got != (heif{30, 20, c.orient}) {
			t.Errorf("%d properties: %+v, %v; want orientation %d", len(c.props), got, err, c.orient)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	data := pngOf(f, noise(2, 2))
	f.Add(pngWith(data, "eXIf", tiffWith(binary.BigEndian, 6)))
	f.Add(jpegWith([]byte("\xff\xd8\xff\xda"), tiffWith(binary.LittleEndian, 3)))
	f.Add(tiffWith(binary.LittleEndian, 8))
	f.Add(file(f, "red.webp"))
	f.Add(file(f, "red.avif"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, n := bytes.NewReader(data), int64(len(data))
		for _, c := range codecs {
			if o := c.orient(r, n); o < 1 || o > 8 {
				t.Errorf("%s: orientation %d", c.name, o)
			}
		}
		if h, err := readHEIF(r, n); err == nil && (h.w <= 0 || h.h <= 0 || h.orient < 1 || h.orient > 8) {
			t.Errorf("%+v", h)
		}
	})
}

func FuzzTIFF(f *testing.F) {
	f.Add(fax(f, noise(2, 2), noise(1, 3)))
	f.Add(tiffWith(binary.LittleEndian, 8))
	f.Add(tiffWith(binary.BigEndian, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 5
		r := bytes.NewReader(data)
		pages, err := tiffPages(r, int64(len(data)), most)
		if err != nil {
			return
		}
		if len(pages) == 0 || len(pages) > most {
			t.Fatalf("%d pages", len(pages))
		}
		for _, at := range pages {
			// The library is to see the same bytes but for where its page is.
			seen := make([]byte, len(data))
			if n, err := (tiffPage{r, at}).ReadAt(seen, 0); n != len(data) || err != nil && err != io.EOF {
				t.Fatal(n, err)
			}
			if at2 := int64(tiffOrder(seen).Uint32(seen[4:])); at2 != at {
				t.Fatalf("page at %d instead of %d", at2, at)
			}
			if copy(seen[4:8], data[4:8]); !bytes.Equal(seen, data) {
				t.Fatal("other bytes are changed")
			}
		}
	})
}
