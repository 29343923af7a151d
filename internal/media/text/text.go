// Package text reads plain text: prose, code, tables, anything whose bytes are
// characters. The bytes are kept as they are, in whatever encoding.
package text

import (
	"bytes"
	"context"

	"github.com/handscroll/handscroll/internal/media"
)

// Format returns the text format.
func Format() media.Format {
	return media.Format{
		Name:  "text",
		Match: Match,
		Decode: func(_ context.Context, f *media.File, l media.Limits) ([]media.Part, error) {
			data, err := f.Text(l)
			if err != nil {
				return nil, err
			}
			return []media.Part{{Source: f.Name, Text: data}}, nil
		},
	}
}

// signatures begin binary files that may hold no NUL byte near their start, and
// no text. Names that a text could begin with, such as GGUF, are not here: those
// files have NUL bytes in their headers.
var signatures = []string{"%PDF-", "\x89PNG", "\xff\xd8\xff", "PK\x03\x04", "PK\x05\x06", "\x7fELF", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "7z\xbc\xaf", "\x1f\x8b"}

// Match reports whether head looks like text: no NUL byte, as git decides it,
// no known binary signature, and few control characters.
func Match(name string, head []byte) bool {
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s)) {
			return false
		}
	}
	control := 0
	for _, c := range head {
		switch {
		case c == 0:
			return false
		case c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\b' && c != 0x1b || c == 0x7f:
			control++
		}
	}
	return control*10 <= len(head)
}
