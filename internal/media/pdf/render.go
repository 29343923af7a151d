package pdf

import (
	"context"
	"errors"
	"image"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/handscroll/handscroll/internal/media"
)

// render draws a page, on white, at most l.PictureSide long and wide.
func (s *source) render(ctx context.Context, n int, l media.Limits) (m *media.Image, err error) {
	r, closer, err := s.open()
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	d, err := open(ctx, r, s.size, l.Stall)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	err = d.within(ctx, func() error {
		page, err := d.RenderPageInPixels(&requests.RenderPageInPixels{
			Page:        d.page(n),
			Width:       l.PictureSide,
			Height:      l.PictureSide,
			RenderFlags: enums.FPDF_RENDER_FLAG_ANNOT,
		})
		if err != nil {
			return err
		}
		defer page.Cleanup()
		m, err = flatten(page.Result.RenderedImage)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// flatten copies a page, whose colours are not multiplied by their opacity, onto
// white.
func flatten(page image.Image) (*media.Image, error) {
	rgba, ok := page.(*image.RGBA)
	if !ok {
		return nil, errors.New("PDFium drew in an unknown way")
	}
	b := rgba.Bounds()
	m := media.NewImage(b.Dx(), b.Dy())
	for y := range m.H {
		row := rgba.Pix[y*rgba.Stride:]
		for x := range m.W {
			p, out := row[4*x:4*x+4], m.Pix[3*(y*m.W+x):]
			for c := range 3 {
				out[c] = uint8((int(p[c])*int(p[3]) + 255*(255-int(p[3])) + 127) / 255)
			}
		}
	}
	return m, nil
}
