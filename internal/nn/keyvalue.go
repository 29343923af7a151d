package nn

import "github.com/handscroll/handscroll/internal/kernel"

// KeyValue makes the one global cache entry of each position p of a segment:
// the key from [z_p ; z_{p−1} ; z_{p+Lookahead}], zeros outside the segment,
// scaled to unit length; the value from z_p. The shift by one makes "what
// followed the match" a single hop; the look-ahead lets a key know what
// stands behind it, as in "7421 is the code of the north gate".
type KeyValue struct {
	D, DK, DV, Lookahead int
	Key, Value           Trainable // [DK, 3D], [DV, D]
}

// NewKeyValue registers the projections.
func NewKeyValue(ps *Params, d, dk, dv, lookahead int, prec Precision, add func(*Matrix)) *KeyValue {
	k := NewMatrix(ps.Add("attn_k.weight", ClassMatrix, FanIn(1, 2*d), dk, 3*d), 0, prec)
	v := NewMatrix(ps.Add("attn_v.weight", ClassMatrix, FanIn(1, d), dv, d), 0, prec)
	add(k)
	add(v)
	return &KeyValue{D: d, DK: dk, DV: dv, Lookahead: lookahead, Key: k, Value: v}
}

// KeyValueAct is what Backward needs of Forward.
type KeyValueAct struct{ in, k, inv []float32 }

// parts visits where each token's three inputs come from: offset −1 stands
// for zeros.
func (l *KeyValue) parts(t *Tokens, visit func(p int, from [3]int)) {
	for _, sp := range t.Spans {
		for p := sp.Start; p < sp.End; p++ {
			from := [3]int{p, p - 1, p + l.Lookahead}
			if p == sp.Start {
				from[1] = -1
			}
			if from[2] >= sp.End {
				from[2] = -1
			}
			visit(p, from)
		}
	}
}

// Forward writes k [T, DK] and v [T, DV] from z [T, D].
func (l *KeyValue) Forward(s *Scratch, k, v, z []float32, t *Tokens, act *KeyValueAct) {
	d := l.D
	act.in, act.inv, act.k = s.Floats(t.T*3*d), s.Floats(t.T), k
	l.parts(t, func(p int, from [3]int) {
		for j, f := range from {
			dst := act.in[(p*3+j)*d : (p*3+j+1)*d]
			if f < 0 {
				clear(dst)
			} else {
				copy(dst, z[f*d:(f+1)*d])
			}
		}
	})
	l.Key.Mul(s, k, act.in, t.T, false)
	for p := range t.T {
		row := k[p*l.DK : (p+1)*l.DK]
		act.inv[p] = normalise(row, row)
	}
	l.Value.Mul(s, v, z, t.T, false)
}

// Backward adds to dz; dk is overwritten.
func (l *KeyValue) Backward(s *Scratch, g, dz, dk, dv, z []float32, t *Tokens, act *KeyValueAct) {
	d := l.D
	mark := s.Mark()
	for p := range t.T {
		r := p * l.DK
		normaliseBackward(dk[r:r+l.DK], act.k[r:r+l.DK], act.inv[p])
	}
	l.Key.Grad(s, g, dk, act.in, t.T)
	l.Value.Grad(s, g, dv, z, t.T)
	l.Value.MulT(s, dz, dv, t.T, true)
	din := s.Floats(t.T * 3 * d)
	l.Key.MulT(s, din, dk, t.T, false)
	l.parts(t, func(p int, from [3]int) {
		for j, f := range from {
			if f >= 0 {
				kernel.Add(dz[f*d:(f+1)*d], din[(p*3+j)*d:(p*3+j+1)*d])
			}
		}
	})
	s.Release(mark)
}
