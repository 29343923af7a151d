package kvcache

import (
	"fmt"
	"slices"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Format is how keys and values are stored.
type Format uint8

const (
	// F16 stores half-precision values.
	F16 Format = iota
	// F32 stores values as they are.
	F32
	// Q8 stores 8-bit values, 32 dimensions of a head to a scale.
	Q8
)

var formatNames = []string{"f16", "f32", "q8_0"}

func (f Format) String() string { return formatNames[f] }

// ParseFormat returns the format of a name: f16, f32 or q8_0.
func ParseFormat(name string) (Format, error) {
	if i := slices.Index(formatNames, name); i >= 0 {
		return Format(i), nil
	}
	return 0, fmt.Errorf("kvcache: keys and values as %q, want f16, f32 or q8_0", name)
}

// lane is how many keys, or dimensions of values, lie side by side.
const lane = 32

// page holds PageTokens tokens of all heads as the panels that products take:
// keys [Heads, PageTokens/32, Dim, 32 keys], values
// [Heads, ceil(Dim/32), PageTokens, 32 dimensions], in one of the slices.
type page struct {
	half  []uint16
	full  []float32
	eight []int8
	// Of eight: keys [Heads, PageTokens/32, ceil(Dim/32), 32 keys], then values
	// [Heads, ceil(Dim/32), PageTokens].
	scale []float32
}

// sizes returns the elements of a page's keys of one head, of its values of one
// head, and the scales of either.
func (sh LayerShape) sizes() (keys, values, scales int) {
	lanes := (sh.Dim + lane - 1) / lane
	return PageTokens * sh.Dim, PageTokens * lanes * lane, PageTokens * lanes
}

func (f Format) pageBytes(sh LayerShape) int {
	keys, values, scales := sh.sizes()
	n := sh.Heads * (keys + values)
	switch f {
	case F32:
		return 4 * n
	case Q8:
		return n + 8*sh.Heads*scales
	}
	return 2 * n
}

func (f Format) newPage(sh LayerShape) *page {
	keys, values, scales := sh.sizes()
	n := sh.Heads * (keys + values)
	switch f {
	case F32:
		return &page{full: make([]float32, n)}
	case Q8:
		return &page{eight: make([]int8, n), scale: make([]float32, 2*sh.Heads*scales)}
	}
	return &page{half: make([]uint16, n)}
}

func (p *page) clone() *page {
	return &page{slices.Clone(p.half), slices.Clone(p.full), slices.Clone(p.eight), slices.Clone(p.scale)}
}

// set stores the keys and values of tokens from position at on.
func (p *page) set(sh LayerShape, at int, k, v []float32) {
	keys, values, scales := sh.sizes()
	width := sh.Heads * sh.Dim
	lanes := (sh.Dim + lane - 1) / lane
	for ; len(k) > 0; k, v, at = k[width:], v[width:], at+1 {
		for h := range sh.Heads {
			kh, vh := k[h*sh.Dim:(h+1)*sh.Dim], v[h*sh.Dim:(h+1)*sh.Dim]
			key := h*keys + at/lane*lane*sh.Dim + at%lane
			value := sh.Heads*keys + h*values + at*lane
			switch {
			case p.half != nil:
				setHalf(p.half[key:], p.half[value:], kh, vh)
			case p.full != nil:
				for d, x := range kh {
					p.full[key+d*lane] = x
					p.full[value+d/lane*PageTokens*lane+d%lane] = vh[d]
				}
			default:
				ks := h*scales + at/lane*lane*lanes + at%lane
				vs := sh.Heads*scales + h*scales + at
				for l := range lanes {
					from, to := l*lane, min(sh.Dim, (l+1)*lane)
					var q [lane]int8
					p.scale[ks+l*lane] = kernel.Quantize8(q[:to-from], kh[from:to])
					for d, x := range q[:to-from] {
						p.eight[key+(from+d)*lane] = x
					}
					to8 := p.eight[value+l*PageTokens*lane:]
					p.scale[vs+l*PageTokens] = kernel.Quantize8(to8[:to-from], vh[from:to])
				}
			}
		}
	}
}

// setHalf stores a key [Dim], elements a lane apart, and a value [Dim], lanes a
// page apart.
func setHalf(key, value []uint16, k, v []float32) {
	var half [lane]uint16
	for d := 0; d < len(k); d += lane {
		n := min(lane, len(k)-d)
		kernel.ToHalf(half[:n], k[d:d+n])
		for i, x := range half[:n] {
			key[(d+i)*lane] = x
		}
		kernel.ToHalf(value[d*PageTokens:d*PageTokens+n], v[d:d+n])
	}
}

// scores is Layer.Scores for one page.
func (p *page) scores(buf *[]float32, sh LayerShape, dst []float32, ldd int, q []float32, rows, head, n int) {
	keys, _, scales := sh.sizes()
	panel := lane * sh.Dim
	at := head * keys
	for j := 0; j < n; j += lane {
		w, out := min(lane, n-j), dst[j:]
		switch {
		case p.half != nil:
			kernel.GemmPanelF16(out, ldd, q, sh.Dim, p.half[at:at+panel], rows, w, false)
		case p.full != nil:
			kernel.GemmPanelF32(out, ldd, q, sh.Dim, p.full[at:at+panel], rows, w, false)
		default:
			wide := grow(buf, panel)
			s := p.scale[head*scales+j*(scales/PageTokens):]
			for d := 0; d < sh.Dim; d += lane {
				m := min(lane, sh.Dim-d)
				kernel.Widen8Cols(wide[d*lane:(d+m)*lane], p.eight[at+d*lane:], s[d:d+lane])
			}
			kernel.GemmPanelF32(out, ldd, q, sh.Dim, wide, rows, w, false)
		}
		at += panel
	}
}

// values is Layer.Values for one page.
func (p *page) values(buf *[]float32, sh LayerShape, dst, w []float32, ldw, rows, head, n int) {
	keys, values, scales := sh.sizes()
	at := sh.Heads*keys + head*values
	for d := 0; d < sh.Dim; d += lane {
		m, out := min(lane, sh.Dim-d), dst[d:]
		switch {
		case p.half != nil:
			kernel.GemmPanelF16(out, sh.Dim, w, ldw, p.half[at:at+n*lane], rows, m, false)
		case p.full != nil:
			kernel.GemmPanelF32(out, sh.Dim, w, ldw, p.full[at:at+n*lane], rows, m, false)
		default:
			wide := grow(buf, n*lane)
			s := p.scale[(sh.Heads+head)*scales+d/lane*PageTokens:]
			kernel.Widen8Rows(wide, p.eight[at:], s[:n])
			kernel.GemmPanelF32(out, sh.Dim, w, ldw, wide, rows, m, false)
		}
		at += PageTokens * lane
	}
}

func grow(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}
