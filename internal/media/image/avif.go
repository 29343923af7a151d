package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/ffmpeg"
)

// brands returns the brands of an ISO base media file.
func brands(head []byte) []string {
	if len(head) < 16 || string(head[4:8]) != "ftyp" {
		return nil
	}
	n := min(int64(binary.BigEndian.Uint32(head)), int64(len(head)))
	var out []string
	for at := int64(8); at+4 <= n; at += 4 {
		if at != 12 { // the version
			out = append(out, string(head[at:at+4]))
		}
	}
	return out
}

// heic are the brands of pictures that HEVC compresses.
var heic = map[string]bool{"heic": true, "heix": true, "heim": true, "heis": true}

// isHEIF matches still pictures: AVIF, and HEIC so that it can be refused with a
// reason. Sequences (avis, hevc) are films.
func isHEIF(head []byte) bool {
	b := brands(head)
	return len(b) > 0 && (b[0] == "avif" || b[0] == "mif1" || heic[b[0]])
}

// heif is what the header says of a file's picture.
type heif struct {
	w, h   int // as stored
	orient int // as in EXIF
}

// readHEIF reads the properties of the primary item (ISO 23008-12).
func readHEIF(r io.ReaderAt, size int64) (heif, error) {
	var meta []byte
	for at := int64(0); at+8 <= size; {
		var b [16]byte
		if _, err := r.ReadAt(b[:8], at); err != nil {
			return heif{}, err
		}
		n, head := int64(binary.BigEndian.Uint32(b[:])), int64(8)
		if n == 1 { // a long box
			if _, err := r.ReadAt(b[:], at); err != nil {
				return heif{}, noEOF(err)
			}
			n, head = int64(binary.BigEndian.Uint64(b[8:])), 16
		}
		const most = 16 << 20
		if string(b[4:8]) == "meta" {
			if n < head+4 || n > most || at+n > size {
				break
			}
			meta = make([]byte, n-head-4)
			if _, err := r.ReadAt(meta, at+head+4); err != nil && err != io.EOF {
				return heif{}, err
			}
			break
		}
		if n < head || n > size-at {
			break
		}
		at += n
	}
	if meta == nil {
		return heif{}, errors.New("AVIF: no metadata, or the file breaks off within it")
	}
	return properties(meta)
}

// boxes calls visit with each box in b. What does not fit ends them.
func boxes(b []byte, visit func(kind string, body []byte)) {
	for len(b) >= 8 {
		n := binary.BigEndian.Uint32(b)
		if n < 8 || uint64(n) > uint64(len(b)) {
			return
		}
		visit(string(b[4:8]), b[8:n])
		b = b[n:]
	}
}

// properties finds the size and turns of the primary item in a meta box.
func properties(meta []byte) (heif, error) {
	var primary uint32
	var props [][]byte // boxes with their kind before them
	var links []byte
	boxes(meta, func(kind string, body []byte) {
		switch {
		case kind == "pitm" && len(body) >= 6 && body[0] == 0:
			primary = uint32(binary.BigEndian.Uint16(body[4:]))
		case kind == "pitm" && len(body) >= 8:
			primary = binary.BigEndian.Uint32(body[4:])
		case kind == "iprp":
			boxes(body, func(kind string, body []byte) {
				switch kind {
				case "ipco":
					boxes(body, func(kind string, body []byte) { props = append(props, append([]byte(kind), body...)) })
				case "ipma":
					links = body
				}
			})
		}
	})
	out := heif{orient: 1}
	for _, i := range linked(links, primary) {
		if i < 1 || i > len(props) {
			continue
		}
		switch kind, body := string(props[i-1][:4]), props[i-1][4:]; {
		case kind == "ispe" && len(body) >= 12:
			w, h := binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
			out.w, out.h = int(min(w, 1<<30)), int(min(h, 1<<30))
		case kind == "irot" && len(body) >= 1: // quarters to the left
			for range body[0] & 3 {
				out.orient = afterwards(out.orient, 8)
			}
		case kind == "imir" && len(body) >= 1:
			out.orient = afterwards(out.orient, [2]int{4, 2}[body[0]&1])
		}
	}
	if out.w == 0 || out.h == 0 {
		return out, errors.New("AVIF: the header does not say how large the picture is")
	}
	return out, nil
}

// linked returns the numbers of an item's properties, from 1, in their order.
func linked(ipma []byte, item uint32) []int {
	if len(ipma) < 8 {
		return nil
	}
	version, wide := ipma[0], ipma[3]&1 == 1
	b := ipma[8:]
	for range binary.BigEndian.Uint32(ipma[4:]) {
		idBytes := 2
		if version > 0 {
			idBytes = 4
		}
		if len(b) < idBytes+1 {
			return nil
		}
		id := uint32(binary.BigEndian.Uint16(b))
		if version > 0 {
			id = binary.BigEndian.Uint32(b)
		}
		n := int(b[idBytes])
		b = b[idBytes+1:]
		var out []int
		for ; n > 0; n-- {
			switch {
			case wide && len(b) >= 2:
				out, b = append(out, int(binary.BigEndian.Uint16(b)&0x7fff)), b[2:]
			case !wide && len(b) >= 1:
				out, b = append(out, int(b[0]&0x7f)), b[1:]
			default:
				return nil
			}
		}
		if id == item {
			return out
		}
	}
	return nil
}

// afterwards is the orientation that turns a picture by a and then by b. It
// follows where four corners go.
func afterwards(a, b int) int {
	corners := &media.Image{W: 2, H: 2, Pix: []byte{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}}
	want := turned(turned(corners, a), b).Pix
	for o := 1; o <= 8; o++ {
		if bytes.Equal(turned(corners, o).Pix, want) {
			return o
		}
	}
	panic("image: orientations are a group")
}

func decodeAVIF(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	for _, b := range brands(f.Head) {
		if heic[b] {
			return nil, errors.New("HEIC is not supported; convert it to JPEG or AVIF")
		}
	}
	head, err := readHEIF(f, f.Size)
	if err != nil {
		return nil, err
	}
	if err := checkPixels("AVIF", head.w, head.h, l.Pixels); err != nil {
		return nil, err
	}
	return alone(still(ctx, f, l, 0, head.w, head.h, func(ctx context.Context, content *media.Content) (*media.Image, error) {
		in, err := ffmpeg.Open(content)
		if err != nil {
			return nil, err
		}
		img, err := in.Picture(ctx, l, head.w, head.h)
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, fmt.Errorf("AVIF: %w", err)
		}
		return shown(rgb{img}, head.orient, fitSide(l.PictureSide)), nil
	}))
}

// rgb is a picture of this module's as one of the library's.
type rgb struct{ img *media.Image }

func (p rgb) ColorModel() color.Model { return color.RGBA64Model }
func (p rgb) Bounds() image.Rectangle { return image.Rect(0, 0, p.img.W, p.img.H) }
func (p rgb) At(x, y int) color.Color { return p.RGBA64At(x, y) }

// RGBA64At spares the library an allocation a pixel.
func (p rgb) RGBA64At(x, y int) color.RGBA64 {
	c := p.img.Pix[3*(y*p.img.W+x):]
	return color.RGBA64{uint16(c[0]) * 257, uint16(c[1]) * 257, uint16(c[2]) * 257, 65535}
}
