package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Block is the granularity of windowed attention: a segment may be cut at any
// multiple of it without changing a bit of the result.
const Block = 64

// Span is a run of packed tokens [Start, End) of one segment, whose first
// token has position Pos in the segment (a multiple of Block).
type Span struct{ Start, End, Pos int }

// Tokens describes packed tokens: the spans cover [0, T) in order.
type Tokens struct {
	T        int
	Spans    []Span
	Cos, Sin []float32 // [T, half]: rotary angles of each token
	// Watch, if not nil, has for spans of one token where the squares of what each
	// head gives each position are added up, or nil; see Attention.
	Watch [][]float32
	// Limits, if not nil, has for each span how long its sequence may become; see
	// Rope.Longer.
	Limits []int
	half   int
}

// First is the description of the first n tokens, at a boundary of spans.
func (t *Tokens) First(n int) *Tokens {
	f := *t
	f.T, f.Spans = n, nil
	for _, sp := range t.Spans {
		if sp.End <= n {
			f.Spans = append(f.Spans, sp)
		}
	}
	return &f
}

// Rope holds the angles of rotary position embedding (arXiv 2104.09864):
// dimension pair i of a head of size dim turns by pos·base^(−2i/dim).
type Rope struct {
	freq           []float64
	loCos, loSin   []float64
	lowBits, nfreq int
	gain           float64 // of cosines and sines
	longer         *Rope
	above          int
}

// Longer makes sequences that may become longer than limit tokens turn by another
// table for heads of the same size, from their first token on (LongRoPE, arXiv
// 2402.13753).
func (r *Rope) Longer(limit int, table *Rope) { r.longer, r.above = table, limit }

// NewRope prepares a table for heads of size dim.
func NewRope(dim int, base float64) *Rope { return NewScaledRope(RopeScaling{}, dim, base) }

// NewScaledRope prepares a table with frequencies that are scaled.
func NewScaledRope(sc RopeScaling, dim int, base float64) *Rope {
	r := &Rope{nfreq: dim / 2, lowBits: 10}
	r.freq, r.gain = sc.frequencies(dim, base)
	n := 1 << r.lowBits
	r.loCos, r.loSin = make([]float64, n*r.nfreq), make([]float64, n*r.nfreq)
	for p := range n {
		for i, f := range r.freq {
			r.loSin[p*r.nfreq+i], r.loCos[p*r.nfreq+i] = math.Sincos(float64(p) * f)
		}
	}
	return r
}

// Prepare fills t's angles from scratch. Angles are composed from a coarse and
// a fine table (the addition theorem in float64), so that they are the same
// for a position however the segment is cut.
func (r *Rope) Prepare(s *Scratch, t *Tokens) {
	n := r.nfreq
	t.half = n
	t.Cos, t.Sin = s.Floats(t.T*n), s.Floats(t.T*n)
	hc, hs := make([]float64, n), make([]float64, n)
	short := r
	for i, sp := range t.Spans {
		hi := -1
		if r = short; r.longer != nil && t.Limits != nil && t.Limits[i] > r.above {
			r = r.longer
		}
		for j := sp.Start; j < sp.End; j++ {
			p := sp.Pos + j - sp.Start
			if h := p >> r.lowBits; h != hi {
				hi = h
				for i, f := range r.freq {
					hs[i], hc[i] = math.Sincos(float64(h<<r.lowBits) * f)
				}
			}
			lo := (p & (1<<r.lowBits - 1)) * n
			for i := range n {
				c, d := r.loCos[lo+i], r.loSin[lo+i]
				t.Cos[j*n+i] = float32(r.gain * (hc[i]*c - hs[i]*d))
				t.Sin[j*n+i] = float32(r.gain * (hs[i]*c + hc[i]*d))
			}
		}
	}
}

// rotate turns the first heads·2·half columns of each row of x (row stride ld).
func (t *Tokens) rotate(x []float32, ld, heads int, inverse bool) {
	dh := 2 * t.half
	for j := range t.T {
		c, sn := t.Cos[j*t.half:(j+1)*t.half], t.Sin[j*t.half:(j+1)*t.half]
		row := x[j*ld:]
		for h := range heads {
			kernel.Rope(row[h*dh:(h+1)*dh], c, sn, inverse)
		}
	}
}
