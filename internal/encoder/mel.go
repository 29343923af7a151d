package encoder

import (
	"math"
	"math/bits"

	"github.com/handscroll/handscroll/internal/media"
)

// The front end of hearing. Frame t is of the 400 samples (25 ms) around sample
// 160·t + 80, under a Hann window, zeros beyond the ends of the sound:
//
//	X_t(k) = Σ_{n=0}^{399} h(n)·x(160·t − 120 + n)·exp(−2πi·kn/512),  h(n) = ½ − ½·cos(2π(n+½)/400)
//	E_t(m) = Σ_k W_m(k)·|X_t(k)|²
//	f_t(m) = clamp(12.5·(ln(E_t(m) + 10⁻⁵) + 11.5), 0, 255), rounded down
//
// W_m are 64 triangles of height 1, evenly spaced on the mel scale 2595·log₁₀(1 +
// f/700) from 60 to 7600 Hz (O'Shaughnessy, Speech Communication, 1987).
const (
	// Mels is the number of values a frame.
	Mels = 64
	// Hop is the distance of frames in samples: 100 frames a second.
	Hop = media.SampleRate / 100
	// FramesPerEmbedding frames make one embedding: 25 a second.
	FramesPerEmbedding = 4

	frameLen = 400
	fftSize  = 512
	melLow   = 60.0
	melHigh  = 7600.0
)

// Mel turns sound into frames as it comes. The zero value is not ready: use NewMel.
type Mel struct {
	buf    []float32 // samples from frame's first on
	frames int
	re, im [fftSize / 2]float32
	power  [fftSize/2 + 1]float32
}

// NewMel returns a front end at the beginning of a sound.
func NewMel() *Mel {
	return &Mel{buf: make([]float32, (frameLen-Hop)/2)}
}

// Write appends the frames that samples complete to dst, Mels bytes each.
func (m *Mel) Write(dst []uint8, samples []float32) []uint8 {
	m.buf = append(m.buf, samples...)
	at := 0
	for ; at+frameLen <= len(m.buf); at += Hop {
		dst = m.frame(dst, m.buf[at:at+frameLen])
	}
	m.buf = append(m.buf[:0], m.buf[at:]...)
	return dst
}

// Flush appends the frames left at the end of the sound, so that their number is
// a multiple of FramesPerEmbedding.
func (m *Mel) Flush(dst []uint8) []uint8 {
	rest := len(m.buf) - (frameLen-Hop)/2 // samples not yet in the middle of a frame
	n := max(0, (rest+Hop-1)/Hop)
	n += (FramesPerEmbedding - (m.frames+n)%FramesPerEmbedding) % FramesPerEmbedding
	for range n {
		if len(m.buf) < frameLen {
			m.buf = append(m.buf, make([]float32, frameLen-len(m.buf))...)
		}
		dst = m.frame(dst, m.buf[:frameLen])
		m.buf = m.buf[Hop:]
	}
	return dst
}

// Frames are the frames of a whole sound.
func Frames(samples []float32) []uint8 {
	m := NewMel()
	return m.Flush(m.Write(nil, samples))
}

func (m *Mel) frame(dst []uint8, x []float32) []uint8 {
	m.frames++
	// A real transform of 512 is a complex one of 256, even samples beside odd ones.
	for i := range m.re {
		m.re[i], m.im[i] = 0, 0
	}
	for i := 0; i < frameLen; i += 2 {
		m.re[i/2], m.im[i/2] = x[i]*melTables.window[i], x[i+1]*melTables.window[i+1]
	}
	fft(&m.re, &m.im)
	m.spectrum()
	for b := range Mels {
		f := &melTables.filters[b]
		e := float32(1e-5)
		p := m.power[f.first : f.first+len(f.weight)]
		for i, w := range f.weight {
			e += w * p[i]
		}
		v := 12.5 * (Ln(e) + 11.5)
		dst = append(dst, uint8(min(max(v, 0), 255)))
	}
	return dst
}

// spectrum takes the two interleaved transforms apart and squares.
func (m *Mel) spectrum() {
	const h = fftSize / 2
	for k := range h + 1 {
		i, j := k%h, (h-k)%h
		er, ei := (m.re[i]+m.re[j])/2, (m.im[i]-m.im[j])/2
		or, oi := (m.im[i]+m.im[j])/2, (m.re[j]-m.re[i])/2
		c, s := melTables.cos[k], melTables.sin[k]
		re, im := er+c*or-s*oi, ei+c*oi+s*or
		m.power[k] = re*re + im*im
	}
}

type melFilter struct {
	first  int
	weight []float32
}

var melTables = func() (t struct {
	window   [frameLen]float32
	cos, sin [fftSize/2 + 1]float32 // exp(−2πik/512)
	twiddle  [fftSize / 4][2]float32
	reverse  [fftSize / 2]uint8
	filters  [Mels]melFilter
}) {
	for i := range t.window {
		t.window[i] = float32(0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/frameLen))
	}
	for k := range t.cos {
		s, c := math.Sincos(-2 * math.Pi * float64(k) / fftSize)
		t.cos[k], t.sin[k] = float32(c), float32(s)
	}
	for k := range t.twiddle {
		s, c := math.Sincos(-2 * math.Pi * float64(k) / (fftSize / 2))
		t.twiddle[k] = [2]float32{float32(c), float32(s)}
	}
	for i := range t.reverse {
		t.reverse[i] = bits.Reverse8(uint8(i))
	}
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	hertz := func(m float64) float64 { return 700 * (math.Pow(10, m/2595) - 1) }
	edge := func(i int) float64 {
		return hertz(mel(melLow)+(mel(melHigh)-mel(melLow))*float64(i)/(Mels+1)) * fftSize / media.SampleRate
	}
	for b := range t.filters {
		lo, mid, hi := edge(b), edge(b+1), edge(b+2)
		f := &t.filters[b]
		f.first = int(math.Ceil(lo))
		for k := f.first; float64(k) < hi; k++ {
			f.weight = append(f.weight, float32(min((float64(k)-lo)/(mid-lo), (hi-float64(k))/(hi-mid))))
		}
	}
	return t
}()

// fft is a transform of 256 complex numbers, decimated in time.
func fft(re, im *[fftSize / 2]float32) {
	const n = fftSize / 2
	for i, j := range melTables.reverse {
		if int(j) > i {
			re[i], re[j] = re[j], re[i]
			im[i], im[j] = im[j], im[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for start := 0; start < n; start += size {
			ar, ai := re[start:start+half], im[start:start+half]
			br, bi := re[start+half:start+size], im[start+half:start+size]
			for k := range half {
				w := &melTables.twiddle[k*step]
				tr, ti := w[0]*br[k]-w[1]*bi[k], w[0]*bi[k]+w[1]*br[k]
				br[k], bi[k] = ar[k]-tr, ai[k]-ti
				ar[k], ai[k] = ar[k]+tr, ai[k]+ti
			}
		}
	}
}

// Ln is the natural logarithm of a positive normal number, within 10⁻⁴: what is
// made of it is rounded to 0.08.
func Ln(x float32) float32 {
	b := math.Float32bits(x)
	e := int(b>>23) - 127
	m := math.Float32frombits(b&(1<<23-1)|127<<23) - 1 // of [0, 1)
	// ln(1+m) by Hastings, Approximations for Digital Computers, sheet 56: within 7·10⁻⁵.
	p := m * (0.9974442 + m*(-0.4712839+m*(0.2256685+m*(-0.0587527))))
	return float32(e)*math.Ln2 + p
}
