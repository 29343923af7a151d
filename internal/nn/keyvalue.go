package nn

import "github.com/handscroll/handscroll/internal/kernel"

// KeyValue makes the one global cache entry of each position p of a segment:
// the key from [z_p ; z_{p−1} ; z_{p+m/2} ; z_{p+m}] with m = Lookahead, scaled
// to unit length, the value from [z_p ; z_{p+1}]; zeros outside the segment.
//
// The shift by one makes "what followed the match" a single hop. The look-ahead
// lets a key know what stands behind it, as in "7421 is the code of the north
// gate". A value that knows the next token tells the point within 3.14 from
// the one that ends the sentence.
type KeyValue struct {
	D, DK, DV, Lookahead int
	Key, Value           Trainable // [DK, 4D], [DV, 2D]
}

// NewKeyValue registers the projections.
func NewKeyValue(ps *Params, d, dk, dv, lookahead int, prec Precision, add func(*Matrix)) *KeyValue {
	l := &KeyValue{D: d, DK: dk, DV: dv, Lookahead: lookahead}
	k := NewMatrix(ps.Add("attn_k.weight", ClassMatrix, FanIn(1, 2*d), dk, len(l.keyParts())*d), 0, prec)
	v := NewMatrix(ps.Add("attn_v.weight", ClassMatrix, FanIn(1, d), dv, len(l.valueParts())*d), 0, prec)
	add(k)
	add(v)
	l.Key, l.Value = k, v
	return l
}

// keyParts are the offsets of the tokens that a key is made from.
func (l *KeyValue) keyParts() []int { return []int{0, -1, l.Lookahead / 2, l.Lookahead} }

// valueParts are those of a value.
func (l *KeyValue) valueParts() []int { return []int{0, 1} }

// KeyValueAct is what Backward needs of Forward.
type KeyValueAct struct{ inK, inV, k, inv []float32 }

// gather lays the tokens at the given offsets from each p side by side:
// dst [T, len(offsets)·D] from z [T, D].
func gather(dst, z []float32, d int, t *Tokens, offsets []int) {
	for _, sp := range t.Spans {
		for p := sp.Start; p < sp.End; p++ {
			for j, o := range offsets {
				row := dst[(p*len(offsets)+j)*d:][:d]
				if f := p + o; f < sp.Start || f >= sp.End {
					clear(row)
				} else {
					copy(row, z[f*d:(f+1)*d])
				}
			}
		}
	}
}

// scatter adds to dz what gather took from it.
func scatter(dz, src []float32, d int, t *Tokens, offsets []int) {
	for _, sp := range t.Spans {
		for p := sp.Start; p < sp.End; p++ {
			for j, o := range offsets {
				if f := p + o; f >= sp.Start && f < sp.End {
					kernel.Add(dz[f*d:(f+1)*d], src[(p*len(offsets)+j)*d:][:d])
				}
			}
		}
	}
}

// Forward writes k [T, DK] and v [T, DV] from z [T, D].
func (l *KeyValue) Forward(s *Scratch, k, v, z []float32, t *Tokens, act *KeyValueAct) {
	kp, vp := l.keyParts(), l.valueParts()
	act.inK, act.inV = s.Floats(t.T*len(kp)*l.D), s.Floats(t.T*len(vp)*l.D)
	act.inv, act.k = s.Floats(t.T), k
	gather(act.inK, z, l.D, t, kp)
	gather(act.inV, z, l.D, t, vp)
	l.Key.Mul(s, k, act.inK, t.T, false)
	for p := range t.T {
		row := k[p*l.DK : (p+1)*l.DK]
		act.inv[p] = Normalise(row)
	}
	l.Value.Mul(s, v, act.inV, t.T, false)
}

// Backward adds to dz; dk is overwritten.
func (l *KeyValue) Backward(s *Scratch, g, dz, dk, dv []float32, t *Tokens, act *KeyValueAct) {
	mark := s.Mark()
	for p := range t.T {
		r := p * l.DK
		NormaliseBackward(dk[r:r+l.DK], act.k[r:r+l.DK], act.inv[p])
	}
	l.Key.Grad(s, g, dk, act.inK, t.T)
	l.Value.Grad(s, g, dv, act.inV, t.T)
	din := s.Floats(len(act.inK))
	l.Key.MulT(s, din, dk, t.T, false)
	scatter(dz, din, l.D, t, l.keyParts())
	din = din[:len(act.inV)]
	l.Value.MulT(s, din, dv, t.T, false)
	scatter(dz, din, l.D, t, l.valueParts())
	s.Release(mark)
}
