package render

import (
	"math"
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/media"
)

// noise makes random textures quickly: it draws eight numbers at a time from a
// generator of its own.
type noise struct {
	state uint64
	a, b  []int16
}

func (n *noise) seed(rng *rand.Rand) { n.state = rng.Uint64() | 1 }

// next is xorshift64* (Vigna, arXiv 1402.6246), whose low bytes suffice here.
func (n *noise) next() uint64 {
	x := n.state
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	n.state = x
	return x * 0x2545F4914F6CDD1D
}

// fractal fills a field of w by h with values in [0, 256) whose spectrum falls as
// that of photographs does: noise at every octave, its strength falling by fade
// from each to the next finer one. The field is valid until the next call.
func (n *noise) fractal(rng *rand.Rand, w, h, octaves int, fade float32) []int16 {
	n.seed(rng)
	cw, ch := w>>octaves+2, h>>octaves+2
	n.a = grow(n.a, cw*ch)
	for i := range n.a {
		n.a[i] = int16(n.next()>>32&0x1fff) - 0x1000
	}
	amp := float32(0x1000)
	for k := octaves - 1; k >= 0; k-- {
		fw, fh := w>>k+2, h>>k+2
		n.b = grow(n.b, fw*fh)
		amp *= fade
		n.finer(fw, fh, cw, int32(amp))
		n.a, n.b = n.b, n.a
		cw, ch = fw, fh
	}
	out := grow(n.b, w*h)
	n.b = out
	for y := range h {
		src, dst := n.a[y*cw:], out[y*w:(y+1)*w]
		for x := range dst {
			dst[x] = max(0, min(255, 128+src[x]>>5))
		}
	}
	return out
}

// finer doubles the field a of width cw into b of fw by fh and adds noise.
func (n *noise) finer(fw, fh, cw int, amp int32) {
	var bits uint64
	for y := range fh {
		sy := y >> 1
		r0, r1 := n.a[sy*cw:sy*cw+cw], n.a[sy*cw:sy*cw+cw]
		if next := (sy + 1) * cw; y&1 == 1 && next+cw <= len(n.a) {
			r1 = n.a[next : next+cw]
		}
		dst := n.b[y*fw : (y+1)*fw]
		for x := range dst {
			if x&3 == 0 {
				bits = n.next()
			}
			sx := x >> 1
			v := int32(r0[sx]) + int32(r1[sx])
			if o := sx + x&1; o < cw {
				v += int32(r0[o]) + int32(r1[o])
			} else {
				v *= 2
			}
			dst[x] = int16(v>>2 + (int32(int16(bits))*amp)>>15)
			bits >>= 16
		}
	}
}

// grain is normal deviates times 64.
var grain = func() (t [4096]int16) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range t {
		t[i] = int16(64 * max(-4, min(4, rng.NormFloat64())))
	}
	return t
}()

// speckle adds normal noise, the same to all channels if grey.
func (n *noise) speckle(rng *rand.Rand, img *media.Image, sigma float32, grey bool) {
	n.seed(rng)
	k := int32(sigma * 16) // grain · k is at most 4·64·sigma·16
	pix := img.Pix
	var bits uint64
	left := 0
	draw := func() int32 {
		if left == 0 {
			bits, left = n.next(), 5
		}
		v := int32(grain[bits&4095])
		bits >>= 12
		left--
		return v * k >> 10
	}
	for i := 0; i+2 < len(pix); i += 3 {
		d := draw()
		pix[i] = clamp(int32(pix[i]) + d)
		if !grey {
			d = draw()
		}
		pix[i+1] = clamp(int32(pix[i+1]) + d)
		if !grey {
			d = draw()
		}
		pix[i+2] = clamp(int32(pix[i+2]) + d)
	}
}

func clamp(v int32) uint8 { return uint8(max(0, min(255, v))) }

// curve applies brightness, contrast and gamma: 255·((v/255)^gamma·gain)+lift.
func curve(img *media.Image, gamma, gain, lift float32) {
	var lut [256]uint8
	for i := range lut {
		v := math.Pow(float64(i)/255, float64(gamma))*float64(gain)*255 + float64(lift)
		lut[i] = uint8(max(0, min(255, v+0.5)))
	}
	for i, v := range img.Pix {
		img.Pix[i] = lut[v]
	}
}
