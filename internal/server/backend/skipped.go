package backend

import "github.com/handscroll/handscroll"

// Skipped is what the files of a prompt hold and the model was not shown: members of
// archives that are binary or damaged, say.
type Skipped struct {
	Count int
	Files []handscroll.Skipped // the first of them, at most [MaxSkipped]
}

// MaxSkipped is how many skipped files are named; the rest are counted.
const MaxSkipped = 10

// Add notes files.
func (s *Skipped) Add(files ...handscroll.Skipped) {
	s.Merge(Skipped{len(files), files})
}

// Merge notes what was skipped elsewhere.
func (s *Skipped) Merge(more Skipped) {
	s.Count += more.Count
	room := max(0, MaxSkipped-len(s.Files))
	s.Files = append(s.Files[:len(s.Files):len(s.Files)], more.Files[:min(room, len(more.Files))]...)
}
