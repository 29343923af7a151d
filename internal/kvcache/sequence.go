package kvcache

import (
	"fmt"
	"slices"
)

// Sequence holds the keys and values of one sequence of a transformer, layer by
// layer, in pages of PageTokens tokens. Full pages never change, so that
// sequences share them. A sequence belongs to one goroutine at a time.
type Sequence struct {
	Limit  int // tokens that it may come to hold
	n      int // tokens that every layer has seen
	format Format
	layers []Layer
}

// LayerShape is the shape of a layer's keys and values.
type LayerShape struct {
	Heads, Dim int // key-value heads and their dimensions; no heads: the layer has none of its own
	Window     int // tokens that are looked back at, the own one included; 0 is all
}

// PageTokens is how many tokens a page holds.
const PageTokens = 1024

// Layer is what one layer keeps of a sequence.
type Layer struct {
	LayerShape
	format Format
	n      int
	first  int     // pages before it are forgotten
	pages  []*page // from first on
	shared bool    // the last page is not full and belongs to another sequence too
}

// NewSequence makes an empty sequence.
func NewSequence(shapes []LayerShape, f Format) *Sequence {
	s := &Sequence{format: f, layers: make([]Layer, len(shapes))}
	for i, sh := range shapes {
		s.layers[i] = Layer{LayerShape: sh, format: f}
	}
	return s
}

// Len returns the number of tokens that every layer has seen.
func (s *Sequence) Len() int { return s.n }

// Format returns how keys and values are stored.
func (s *Sequence) Format() Format { return s.format }

// Advance says that all layers were given n more tokens.
func (s *Sequence) Advance(n int) {
	s.n += n
	for i := range s.layers {
		if l := &s.layers[i]; l.Heads > 0 && l.n != s.n {
			panic(fmt.Sprintf("kvcache: layer %d has %d tokens of %d", i, l.n, s.n))
		}
		s.layers[i].forget()
	}
}

// Layer returns what layer i keeps.
func (s *Sequence) Layer(i int) *Layer { return &s.layers[i] }

// Bytes returns the memory of all pages, shared ones included.
func (s *Sequence) Bytes() int {
	n := 0
	for i := range s.layers {
		l := &s.layers[i]
		n += len(l.pages) * l.format.pageBytes(l.LayerShape)
	}
	return n
}

// SequenceBytes returns the memory of a sequence of n tokens.
func SequenceBytes(shapes []LayerShape, f Format, n int) int {
	total := 0
	for _, sh := range shapes {
		held := n
		if sh.Window > 0 {
			held = min(n, sh.Window+PageTokens)
		}
		total += (held + PageTokens - 1) / PageTokens * f.pageBytes(sh)
	}
	return total
}

// Clone returns a sequence of the same tokens that goes on by itself.
func (s *Sequence) Clone() *Sequence {
	c := &Sequence{Limit: s.Limit, n: s.n, format: s.format, layers: slices.Clone(s.layers)}
	for i := range s.layers {
		s.layers[i].shared, c.layers[i].shared = true, true
		c.layers[i].pages = slices.Clone(s.layers[i].pages)
	}
	return c
}

// Truncate forgets all tokens from n on. It reports whether it could: a layer with
// a window may already have forgotten what came before n; then nothing changes.
func (s *Sequence) Truncate(n int) bool {
	if n > s.n {
		panic("kvcache: a sequence is cut to more than it has")
	}
	for i := range s.layers {
		if l := &s.layers[i]; l.Window > 0 && l.first*PageTokens > max(0, n-l.Window+1) {
			return false
		}
	}
	s.n = n
	for i := range s.layers {
		l := &s.layers[i]
		if l.Heads == 0 {
			continue
		}
		l.n = n
		l.pages = l.pages[:max(0, (n+PageTokens-1)/PageTokens-l.first)]
	}
	return true
}

// Append adds the keys and values of new tokens, each [T, Heads·Dim].
func (l *Layer) Append(k, v []float32) {
	width := l.Heads * l.Dim
	if width == 0 || len(k)%width != 0 || len(k) != len(v) {
		panic("kvcache: rows of another width")
	}
	for len(k) > 0 {
		at := l.n % PageTokens
		rows := min(len(k)/width, PageTokens-at)
		l.tail().set(l.LayerShape, at, k[:rows*width], v[:rows*width])
		l.n += rows
		k, v = k[rows*width:], v[rows*width:]
	}
}

// tail returns the page that the next token goes to.
func (l *Layer) tail() *page {
	p := l.n/PageTokens - l.first
	switch {
	case p == len(l.pages):
		l.pages = append(l.pages, l.format.newPage(l.LayerShape))
	case l.shared:
		l.pages[p] = l.pages[p].clone()
	}
	l.shared = false
	return l.pages[p]
}

// forget gives up pages that no later token looks back at.
func (l *Layer) forget() {
	if l.Window == 0 {
		return
	}
	if drop := max(0, l.n-l.Window+1)/PageTokens - l.first; drop > 0 {
		l.pages = slices.Delete(l.pages, 0, drop)
		l.first += drop
	}
}

// Len returns the number of tokens that were appended.
func (l *Layer) Len() int { return l.n }

// Page returns how many tokens the pages hold.
func (l *Layer) Page() int { return PageTokens }

// Scores writes to dst the products of rows queries q [rows, Dim] with the first n
// keys of a head in a page; rows of dst are ldd apart. buf is the caller's memory,
// used where keys are not stored as they are multiplied.
func (l *Layer) Scores(buf *[]float32, dst []float32, ldd int, q []float32, rows, head, page, n int) {
	l.pages[page-l.first].scores(buf, l.LayerShape, dst, ldd, q, rows, head, n)
}

// Values writes to dst [rows, Dim] the products of weights w, rows ldw apart, with
// the first n values of a head in a page.
func (l *Layer) Values(buf *[]float32, dst, w []float32, ldw, rows, head, page, n int) {
	l.pages[page-l.first].values(buf, l.LayerShape, dst, w, ldw, rows, head, n)
}
