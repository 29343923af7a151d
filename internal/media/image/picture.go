package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"github.com/handscroll/handscroll/internal/media"
)

// Format returns the format of pictures.
func Format() media.Format {
	return media.Format{
		Name:   "picture",
		Match:  func(_ string, head []byte) bool { return isGIF(head) || isHEIF(head) || codecOf(head) != nil },
		Decode: decode,
	}
}

// codec is one format of still pictures.
type codec struct {
	name   string
	match  func(head []byte) bool
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	orient func(r io.ReaderAt, size int64) int
}

func upright(io.ReaderAt, int64) int { return 1 }

func begins(prefixes ...string) func([]byte) bool {
	return func(head []byte) bool {
		for _, p := range prefixes {
			if bytes.HasPrefix(head, []byte(p)) {
				return true
			}
		}
		return false
	}
}

const nameTIFF = "TIFF"

var codecs = []codec{
	{"PNG", begins("\x89PNG\r\n\x1a\n"), png.DecodeConfig, png.Decode, pngOrientation},
	{"JPEG", begins("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, jpegOrientation},
	{"WebP", isWebP, webp.DecodeConfig, webp.Decode, webpOrientation},
	{"BMP", isBMP, bmp.DecodeConfig, bmp.Decode, upright},
	{nameTIFF, begins("II*\x00", "MM\x00*"), tiff.DecodeConfig, tiff.Decode, orientation},
}

func isWebP(head []byte) bool {
	return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
}

// isBMP looks at the reserved fields and the size of the second header too: a
// text may begin with BM.
func isBMP(head []byte) bool {
	return len(head) >= 18 && string(head[:2]) == "BM" && string(head[6:10]) == "\x00\x00\x00\x00" &&
		head[14] >= 12 && head[14] <= 124 && string(head[15:18]) == "\x00\x00\x00"
}

func codecOf(head []byte) *codec {
	for i := range codecs {
		if codecs[i].match(head) {
			return &codecs[i]
		}
	}
	return nil
}

// shape is what a header says of a picture, checked against the limit.
func (c *codec) shape(r io.ReaderAt, size, pixels int64) (w, h int, err error) {
	defer media.Contain(&err)
	cfg, err := c.config(io.NewSectionReader(r, 0, size))
	if err != nil {
		if unsupported := tiff.UnsupportedError(""); errors.As(err, &unsupported) {
			err = fmt.Errorf("%w; convert it to PNG or JPEG", err)
		}
		return 0, 0, fmt.Errorf("%s header: %w", c.name, noEOF(err))
	}
	if c.name == "WebP" && isAnimatedWebP(r) {
		return 0, 0, errors.New("animated WebP is not supported; convert it to GIF or a film")
	}
	return cfg.Width, cfg.Height, checkPixels(c.name, cfg.Width, cfg.Height, pixels)
}

// isAnimatedWebP looks at the extended header's flag.
func isAnimatedWebP(r io.ReaderAt) bool {
	var b [21]byte
	_, err := r.ReadAt(b[:], 0)
	return err == nil && string(b[12:16]) == "VP8X" && b[20]&2 != 0
}

func checkPixels(name string, w, h int, pixels int64) error {
	if w <= 0 || h <= 0 {
		return fmt.Errorf("%s of %d × %d pixels", name, w, h)
	}
	if int64(w) > pixels/int64(h) {
		return fmt.Errorf("%s of %d × %d pixels; %d pixels are allowed", name, w, h, pixels)
	}
	return nil
}

// picture decodes a whole picture, reduced to maxW × maxH as it is shown.
func (c *codec) picture(r io.ReaderAt, size, pixels int64, fit func(w, h int) (int, int)) (_ *media.Image, err error) {
	defer media.Contain(&err)
	if _, _, err := c.shape(r, size, pixels); err != nil {
		return nil, err
	}
	img, err := c.decode(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, noEOF(err))
	}
	return shown(img, c.orient(r, size), fit), nil
}

// shown reduces a picture and turns it; fit sees the sides as they are shown.
func shown(img image.Image, o int, fit func(w, h int) (int, int)) *media.Image {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	if o >= 5 {
		h, w = fit(h, w)
	} else {
		w, h = fit(w, h)
	}
	return turned(Scale(img, w, h), o)
}

// fitSide is the fit of pictures.
func fitSide(side int) func(w, h int) (int, int) {
	return func(w, h int) (int, int) { return Fit(w, h, side, side) }
}

// noEOF says of a file that ends too early what is the matter.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file breaks off")
	}
	return err
}

func decode(ctx context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
	l = l.WithDefaults()
	switch {
	case isGIF(f.Head):
		return decodeGIF(ctx, f, l)
	case isHEIF(f.Head):
		return decodeAVIF(ctx, f, l)
	}
	c := codecOf(f.Head)
	if c == nil {
		return nil, errors.New("not a picture")
	}
	pages := []int64{0}
	if c.name == nameTIFF {
		var err error
		if pages, err = tiffPages(f, f.Size, l.Pages); err != nil {
			return nil, err
		}
	}
	var parts []media.Part
	for i, at := range pages {
		page, of := 0, ""
		if len(pages) > 1 {
			page, of = i+1, fmt.Sprintf("page %d: ", i+1)
		}
		w, h, err := c.shape(c.page(f, at), f.Size, l.Pixels)
		if err != nil {
			return nil, fmt.Errorf("%s%w", of, err)
		}
		p, err := still(ctx, f, l, page, w, h, func(_ context.Context, content *media.Content) (*media.Image, error) {
			r, err := content.Open()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return c.picture(c.page(r, at), content.Size, l.Pixels, fitSide(l.PictureSide))
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// page is a file as the library is to see it, of which one page is wanted.
func (c *codec) page(r io.ReaderAt, at int64) io.ReaderAt {
	if c.name == nameTIFF {
		return tiffPage{r, at}
	}
	return r
}

// still is the part of one picture of w × h pixels, which draw decodes; page is 0 if
// the file has no more.
func still(ctx context.Context, f *media.File, l media.Limits, page, w, h int, draw func(context.Context, *media.Content) (*media.Image, error)) (media.Part, error) {
	content, err := f.Keep()
	if err != nil {
		return media.Part{}, err
	}
	kind, source, name := fmt.Sprintf("picture side=%d", l.PictureSide), f.Name, content.Name
	if page > 0 {
		at := fmt.Sprintf("#page=%d", page)
		kind, source, name = kind+at, source+at, name+at
	}
	hash, err := f.Digest(ctx, kind)
	if err != nil {
		return media.Part{}, err
	}
	open := func(ctx context.Context) (media.Stream, error) {
		return &once{draw: func() (*media.Image, error) { return draw(ctx, content) }, name: name}, nil
	}
	return media.Part{Source: source, Kind: media.Picture, Page: page, Hash: hash, W: w, H: h, Open: open}, nil
}

// alone is what a file decodes to that has one part.
func alone(p media.Part, err error) ([]media.Part, error) {
	if err != nil {
		return nil, err
	}
	return []media.Part{p}, nil
}

// once is the stream of a picture.
type once struct {
	name string
	draw func() (*media.Image, error)
	done bool
}

func (s *once) Next() (media.Chunk, error) {
	if s.done {
		return media.Chunk{}, io.EOF
	}
	s.done = true
	img, err := s.draw()
	if err != nil {
		return media.Chunk{}, fmt.Errorf("%s: %w", s.name, err)
	}
	return media.Chunk{Frame: img}, nil
}

func (s *once) Close() error { return nil }
