package sample

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Stops turns the bytes of one answer's tokens into text that can be shown as it
// comes, up to the first stop string. However the bytes are cut into pieces, the
// text is the same.
type Stops struct {
	stops []string // longest first
	held  []byte   // may yet become a stop string or a code point
	met   string
}

// NewStops begins an answer. Stop strings are text, and not empty.
func NewStops(stops []string) (*Stops, error) {
	for i, s := range stops {
		if s == "" || !utf8.ValidString(s) {
			return nil, fmt.Errorf("sample: stop string %d is %q, want UTF-8 that is not empty", i, s)
		}
	}
	stops = slices.Clone(stops)
	slices.SortStableFunc(stops, func(a, b string) int { return len(b) - len(a) })
	return &Stops{stops: stops}, nil
}

// Met is the stop string that was met, "" if none was. It is the one that ended
// first; of several that ended together, the longest.
func (s *Stops) Met() string { return s.met }

// Add takes the next bytes and returns the text that is now certain. Once a stop
// string is met there is none any more.
func (s *Stops) Add(piece []byte) string {
	for _, b := range piece {
		if s.met != "" {
			return ""
		}
		s.held = append(s.held, b)
		for _, stop := range s.stops {
			if b == stop[len(stop)-1] && bytes.HasSuffix(s.held, []byte(stop)) {
				s.held = s.held[:len(s.held)-len(stop)]
				s.met = stop
				return s.Flush()
			}
		}
	}
	return s.release(len(s.held)-s.begun(), false)
}

// Flush returns what is left at the answer's end. Bytes that are not UTF-8 become
// U+FFFD, one each, here as in [Stops.Add].
func (s *Stops) Flush() string { return s.release(len(s.held), true) }

// begun is how many of the last bytes may be the beginning of a stop string.
func (s *Stops) begun() int {
	n := 0
	for _, stop := range s.stops {
		for k := min(len(stop)-1, len(s.held)); k > n; k-- {
			if bytes.HasSuffix(s.held, []byte(stop[:k])) {
				n = k
			}
		}
	}
	return n
}

// release takes the first n bytes off, without a code point that is cut off
// there unless it is the last chance.
func (s *Stops) release(n int, last bool) string {
	var text []byte
	rest := s.held[:n]
	for len(rest) > 0 && (last || utf8.FullRune(rest)) {
		r, size := utf8.DecodeRune(rest)
		text = utf8.AppendRune(text, r)
		rest = rest[size:]
	}
	s.held = append(s.held[:0], s.held[n-len(rest):]...)
	return string(text)
}
