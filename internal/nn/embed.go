package nn

import "github.com/handscroll/handscroll/internal/kernel"

// Embedding maps token ids to rows of a table [Vocab, D].
type Embedding struct {
	D     int
	Table *Param
}

// NewEmbedding registers a table.
func NewEmbedding(ps *Params, name string, vocab, d int) *Embedding {
	return &Embedding{D: d, Table: ps.Add(name+".weight", ClassVector, Normal(0.7), vocab, d)}
}

// Forward writes x [T, D].
func (l *Embedding) Forward(w, x []float32, ids []int32) {
	d, tab := l.D, l.Table.Of(w)
	for i, id := range ids {
		copy(x[i*d:(i+1)*d], tab[int(id)*d:(int(id)+1)*d])
	}
}

// Backward adds dx [T, D] to the table's gradient.
func (l *Embedding) Backward(g, dx []float32, ids []int32) {
	d, tab := l.D, l.Table.Of(g)
	for i, id := range ids {
		kernel.Add(tab[int(id)*d:(int(id)+1)*d], dx[i*d:(i+1)*d])
	}
}
