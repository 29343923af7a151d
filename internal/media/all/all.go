// Package all lists the formats that Handscroll reads.
package all

import (
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/text"
)

// Formats returns them in the order in which they are tried.
func Formats() []media.Format {
	return []media.Format{
		text.Format(),
	}
}
