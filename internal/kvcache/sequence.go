package kvcache

// Sequence holds the keys and values of one sequence of a transformer, layer by
// layer. Layers may share those of an earlier one by not having any. It belongs
// to one goroutine.
type Sequence struct {
	N      int // tokens that every layer has seen
	layers []rows
}

type rows struct {
	width int       // of a key row and of a value row
	k, v  []float32 // [N, width]
}

// NewSequence makes an empty sequence; width is the length of a key row of each
// layer, that of a value row being the same.
func NewSequence(width []int) *Sequence {
	s := &Sequence{layers: make([]rows, len(width))}
	for i, w := range width {
		s.layers[i].width = w
	}
	return s
}

// Append adds the keys and values of new tokens [T, width] to a layer.
func (s *Sequence) Append(layer int, k, v []float32) {
	r := &s.layers[layer]
	if len(k)%r.width != 0 || len(k) != len(v) {
		panic("kvcache: rows of another width")
	}
	r.k, r.v = append(r.k, k...), append(r.v, v...)
}

// Rows returns all keys and values of a layer, [N, width]. They are valid until
// the next Append.
func (s *Sequence) Rows(layer int) (k, v []float32) {
	return s.layers[layer].k, s.layers[layer].v
}

// Truncate forgets all tokens from n on.
func (s *Sequence) Truncate(n int) {
	if n > s.N {
		panic("kvcache: a sequence is cut to more than it has")
	}
	s.N = n
	for i := range s.layers {
		r := &s.layers[i]
		r.k, r.v = r.k[:min(len(r.k), n*r.width)], r.v[:min(len(r.v), n*r.width)]
	}
}
