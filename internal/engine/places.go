package engine

import (
	"encoding/json"
	"fmt"
	"sort"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
)

// The kinds of segments.
const (
	kindText  = "text"  // tokens
	kindSeen  = "seen"  // patches of frames
	kindHeard = "heard" // embeddings of sound
)

// notes are what a segment's notes say, in JSON: which kind it is of, and where in
// its source its entries come from.
type notes struct {
	Kind string `json:"kind"`
	// Of is the source whose frames or sound these are, of kinds other than text.
	Of string `json:"of,omitempty"`
	// Marks are byte offset, page and milliseconds (−1 none) of a text's places.
	Marks [][3]int64 `json:"marks,omitempty"`
	// Times are those of groups of entries, in milliseconds; Group is their size.
	Times []int64 `json:"times,omitempty"`
	Group int     `json:"group,omitempty"`
	// Start and Step are those of entries at equal distances, in microseconds.
	Start int64 `json:"start,omitempty"`
	Step  int64 `json:"step,omitempty"`
	// Modality of a text that was read or heard: picture, sound or film.
	Modality string `json:"modality,omitempty"`
	Length   int64  `json:"length,omitempty"` // of the film or sound, in milliseconds
}

// notesOf reads a segment's notes; a segment without is text.
func notesOf(s *kvcache.Segment) (notes, error) {
	n := notes{Kind: kindText}
	if len(s.Notes) == 0 {
		return n, nil
	}
	if err := json.Unmarshal(s.Notes, &n); err != nil {
		return n, fmt.Errorf("engine: %s: its notes in the stored context: %w", s.Source, err)
	}
	switch {
	case n.Kind != kindText && n.Kind != kindSeen && n.Kind != kindHeard:
		return n, fmt.Errorf("engine: %s: its notes in the stored context are of kind %q", s.Source, n.Kind)
	case n.Kind == kindSeen && (n.Group < 1 || len(n.Times)*n.Group != s.Tokens()) && s.Done():
		return n, fmt.Errorf("engine: %s: %d times of groups of %d for %d entries", s.Source, len(n.Times), n.Group, s.Tokens())
	}
	return n, nil
}

func (n *notes) encode() []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // numbers and strings alone
	}
	return b
}

// setMarks notes the places of a text.
func (n *notes) setMarks(marks []media.Mark) {
	for _, m := range marks {
		ms := int64(-1)
		if m.Time >= 0 {
			ms = m.Time.Milliseconds()
		}
		n.Marks = append(n.Marks, [3]int64{m.Offset, int64(m.Page), ms})
	}
}

// noTime is the time of what has none.
const noTime = time.Duration(-1)

// place returns the page and the time of a byte of a text: 0 and noTime if it has
// none.
func (n *notes) place(at int64) (page int, t time.Duration) {
	i := sort.Search(len(n.Marks), func(i int) bool { return n.Marks[i][0] > at }) - 1
	if i < 0 {
		return 0, noTime
	}
	m := n.Marks[i]
	if m[2] < 0 {
		return int(m[1]), noTime
	}
	return int(m[1]), time.Duration(m[2]) * time.Millisecond
}

// at is the time of an entry that was seen or heard.
func (n *notes) at(entry int) time.Duration {
	if n.Kind == kindSeen {
		return time.Duration(n.Times[min(entry/n.Group, len(n.Times)-1)]) * time.Millisecond
	}
	return time.Duration(n.Start+int64(entry)*n.Step) * time.Microsecond
}

// near returns the byte offset of the mark closest to a time.
func (n *notes) near(t time.Duration) (offset int64, ok bool) {
	ms := t.Milliseconds()
	best := int64(-1)
	for _, m := range n.Marks {
		if m[2] < 0 {
			continue
		}
		// A line that begins later cannot hold it, but may by rounding.
		d := ms - m[2]
		if d < 0 {
			d = -4 * d
		}
		if best < 0 || d < best {
			best, offset, ok = d, m[0], true
		}
	}
	return offset, ok
}

// Clock writes a time as MM:SS, minutes without bound.
func Clock(t time.Duration) string {
	s := int64(t / time.Second)
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}
