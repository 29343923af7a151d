package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Attention is causal multi-head attention with grouped queries (arXiv
// 2305.13245) over cached keys and values, with rotary positions. It is for
// serving: it has no backward pass. Fields that are nil or zero are left out.
type Attention struct {
	D, Heads, KVHeads, HeadDim int
	Q, K, V                    Weight   // [Heads·HeadDim, D], [KVHeads·HeadDim, D] twice; V nil: values are K's products
	Out                        Weight   // [D, Heads·HeadDim]
	QNorm, KNorm               *RMSNorm // of each head, before positions
	VUnit                      bool     // scale values to unit root mean square
	Eps                        float32  // of VUnit
	Scale                      float32  // of logits; 0 is 1/√HeadDim
	Window                     int      // tokens seen, itself included; 0 is all
	Sinks                      *Param   // [Heads]: a logit beside the keys' that takes weight and gives no value
}

// Queries writes the queries of x [T, D] to q [T, Heads·HeadDim].
func (l *Attention) Queries(s *Scratch, w, q, x []float32, t *Tokens) {
	l.Q.Mul(s, q, x, t.T, false)
	l.finish(s, w, q, l.Heads, l.QNorm, t)
}

// KeysValues writes the keys and values of x [T, D] to k and v
// [T, KVHeads·HeadDim].
func (l *Attention) KeysValues(s *Scratch, w, k, v, x []float32, t *Tokens) {
	l.K.Mul(s, k, x, t.T, false)
	if l.V != nil {
		l.V.Mul(s, v, x, t.T, false)
	} else {
		copy(v, k)
	}
	if l.VUnit {
		for d := l.HeadDim; len(v) > 0; v = v[d:] {
			inv := rsqrt(kernel.SumSquares(v[:d])/float32(d) + l.Eps)
			kernel.Scale(v[:d], inv)
		}
	}
	l.finish(s, w, k, l.KVHeads, l.KNorm, t)
}

// finish normalises and turns the heads of each row.
func (l *Attention) finish(s *Scratch, w, x []float32, heads int, norm *RMSNorm, t *Tokens) {
	d, n := l.HeadDim, 2*t.half
	if norm != nil {
		mark := s.Mark()
		norm.Forward(s, w, x, x)
		s.Release(mark)
	}
	s.Rows(t.T, func(from, to int) {
		for i := from; i < to; i++ {
			cos, sin := t.Cos[i*t.half:(i+1)*t.half], t.Sin[i*t.half:(i+1)*t.half]
			for h := range heads {
				at := (i*heads + h) * d
				kernel.Rope(x[at:at+n], cos, sin, false)
			}
		}
	})
}

// attentionTile is how many queries are taken at a time.
const attentionTile = 64

// Forward adds to y [T, D] the attention of queries q over keys and values
// [N, KVHeads·HeadDim], of which the last T are the queries' own.
func (l *Attention) Forward(s *Scratch, w, y, q, k, v []float32, t *Tokens) {
	d, ld := l.HeadDim, l.KVHeads*l.HeadDim
	n := len(k) / ld
	ctx := s.Floats(t.T * l.Heads * d)
	for from := 0; from < t.T; from += attentionTile {
		m := min(attentionTile, t.T-from)
		first := n - t.T + from // position of the first query
		lo := 0
		if l.Window > 0 {
			lo = max(0, first-l.Window+1)
		}
		keys := first + m - lo
		for h := range l.Heads {
			mark := s.Mark()
			kv := lo*ld + h/(l.Heads/l.KVHeads)*d
			at := (from*l.Heads + h) * d
			p := s.Floats(m * keys)
			s.mul(p, keys, q[at:], l.Heads*d, 1, k[kv:], 1, ld, m, keys, d, false)
			for i := range m {
				l.softmax(w, p[i*keys:(i+1)*keys], h, first+i-lo)
			}
			s.mul(ctx[at:], l.Heads*d, p, keys, 1, v[kv:], ld, 1, m, d, keys, false)
			s.Release(mark)
		}
	}
	l.Out.Mul(s, y, ctx, t.T, true)
}

// softmax turns a row of products into weights; own is the query's own index.
func (l *Attention) softmax(w, row []float32, h, own int) {
	from := 0
	if l.Window > 0 {
		from = max(0, own-l.Window+1)
	}
	clear(row[:from])
	clear(row[own+1:])
	seen := row[from : own+1]
	if l.Sinks == nil {
		kernel.Softmax(seen, l.scale())
		return
	}
	kernel.Scale(seen, l.scale())
	sink := l.Sinks.Of(w)[h]
	top := max(kernel.MaxF32(seen), sink)
	sum := kernel.ExpSum(seen, top) + float32(math.Exp(float64(sink-top)))
	kernel.Exp(seen, seen, top)
	kernel.Scale(seen, 1/sum)
}

func (l *Attention) scale() float32 {
	if l.Scale != 0 {
		return l.Scale
	}
	return float32(1 / math.Sqrt(float64(l.HeadDim)))
}
