// Package all lists the formats that Handscroll reads.
package all

import (
	"context"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/audio"
	"github.com/handscroll/handscroll/internal/media/html"
	"github.com/handscroll/handscroll/internal/media/image"
	"github.com/handscroll/handscroll/internal/media/mail"
	"github.com/handscroll/handscroll/internal/media/notebook"
	"github.com/handscroll/handscroll/internal/media/office"
	"github.com/handscroll/handscroll/internal/media/pdf"
	"github.com/handscroll/handscroll/internal/media/subtitle"
	"github.com/handscroll/handscroll/internal/media/text"
	"github.com/handscroll/handscroll/internal/media/video"
)

// Formats returns them in the order in which they are tried: text is what no
// other format is.
func Formats() []media.Format {
	return []media.Format{
		pdf.Format(),
		office.Format(),
		html.Format(),
		mail.Format(),
		notebook.Format(),
		subtitle.Format(),
		image.Format(),
		audio.Format(),
		video.Format(),
		text.Format(),
	}
}

// FrameDir makes a film of a directory of numbered pictures; see media.Options.
func FrameDir(ctx context.Context, dir string, files []string, l media.Limits) ([]media.Part, error) {
	return image.FrameDir(ctx, dir, files, l)
}
