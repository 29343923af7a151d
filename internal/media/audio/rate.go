package audio

import (
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/media/resample"
)

// Rates outside are taken for damage.
const minRate, maxRate = 1000, 768000

// Reader gives mono samples at [media.SampleRate] of a source at any rate.
type Reader struct {
	read func(dst []float32) (int, error)
	rs   *resample.Resampler // nil if the rate is right
	raw  []float32
	out  []float32 // ready from next on
	next int
	err  error
}

// NewReader resamples what read gives. Read returns at least one sample or an
// error, samples before the error included.
func NewReader(rate int, read func(dst []float32) (int, error)) *Reader {
	r := &Reader{read: read}
	if rate != media.SampleRate {
		r.rs = resample.New(rate)
		r.raw = make([]float32, 4096)
	}
	return r
}

// Read fills dst unless the source ends.
func (r *Reader) Read(dst []float32) (int, error) {
	n := 0
	for n < len(dst) {
		if r.next < len(r.out) {
			k := copy(dst[n:], r.out[r.next:])
			n, r.next = n+k, r.next+k
			continue
		}
		if r.err != nil {
			return n, r.err
		}
		if r.rs == nil {
			var k int
			k, r.err = r.read(dst[n:])
			n += k
			continue
		}
		var k int
		k, r.err = r.read(r.raw)
		r.out, r.next = r.rs.Write(r.out[:0], r.raw[:k]), 0
		if r.err != nil {
			r.out = r.rs.Flush(r.out)
		}
	}
	return n, nil
}
