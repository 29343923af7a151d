// Package all lists the formats that Handscroll reads.
package all

import (
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/audio"
	"github.com/handscroll/handscroll/internal/media/image"
	"github.com/handscroll/handscroll/internal/media/text"
	"github.com/handscroll/handscroll/internal/media/video"
)

// Formats returns them in the order in which they are tried.
func Formats() []media.Format {
	return []media.Format{
		image.Format(),
		audio.Format(),
		video.Format(),
		text.Format(),
	}
}
