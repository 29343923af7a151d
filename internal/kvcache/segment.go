package kvcache

// Block is the entries of consecutive tokens of one segment and where in the
// segment's text they begin, so that a position leads back to its line by
// walking one block.
type Block struct {
	First  int   // index in the segment of the first token
	Offset int64 // byte offset in the segment's text of the first token
	Line   int   // newlines in the text before Offset
	Last   bool  // whether the segment ends with this block
	Run    Run
}

// Segment is one part of a context, read on its own.
type Segment struct {
	Source string   // file name or label
	Hash   [32]byte // SHA-256 of Text, or of what the text was made from
	Text   []byte
	Notes  []byte // of whoever reads it: kept, not looked into
	Blocks []Block
}

// Tokens returns the number of tokens read so far.
func (s *Segment) Tokens() int {
	if len(s.Blocks) == 0 {
		return 0
	}
	b := &s.Blocks[len(s.Blocks)-1]
	return b.First + b.Run.N
}

// Done reports whether the whole text has been read.
func (s *Segment) Done() bool {
	return len(s.Blocks) > 0 && s.Blocks[len(s.Blocks)-1].Last
}

// View returns the segment's entries.
func (s *Segment) View() View {
	v := make(View, len(s.Blocks))
	for i := range s.Blocks {
		v[i] = s.Blocks[i].Run
	}
	return v
}

// Memory keeps segments on the heap. The zero value is empty.
type Memory struct {
	segments []*Segment
}

// NewMemory returns a memory that begins with segments, which are shared and
// never changed.
func NewMemory(segments []*Segment) *Memory {
	return &Memory{segments: append([]*Segment(nil), segments...)}
}

// Edit does nothing: a Memory has one owner.
func (m *Memory) Edit() error { return nil }

// Begin starts a segment. The memory keeps text and notes.
func (m *Memory) Begin(source string, hash [32]byte, text, notes []byte) error {
	m.segments = append(m.segments, &Segment{Source: source, Hash: hash, Text: text, Notes: notes})
	return nil
}

// Append adds a block to the segment begun last and keeps its run.
func (m *Memory) Append(b Block) error {
	s := m.segments[len(m.segments)-1]
	s.Blocks = append(s.Blocks, b)
	return nil
}

// Drop removes s.
func (m *Memory) Drop(s *Segment) error {
	for i := range m.segments {
		if m.segments[i] == s {
			m.segments = append(m.segments[:i:i], m.segments[i+1:]...)
			break
		}
	}
	return nil
}

// Commit does nothing.
func (m *Memory) Commit() error { return nil }

// Finish does nothing.
func (m *Memory) Finish(bool) error { return nil }

// Complete is true: what was not read is its owner's to know.
func (m *Memory) Complete() bool { return true }

// Segments returns the segments in order.
func (m *Memory) Segments() []*Segment { return m.segments }

// Close forgets the segments.
func (m *Memory) Close() error {
	m.segments = nil
	return nil
}
