package encoder

import (
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/nn"
)

// tinyReader is a reader with drawn weights.
func tinyReader(c EyesConfig, prec nn.Precision) (*Reader, *nn.Params, func()) {
	var ps nn.Params
	var ms []*nn.Matrix
	r := NewReader(&ps, c, prec, func(m *nn.Matrix) { ms = append(ms, m) })
	ps.Alloc()
	ps.Reset(1)
	refresh := func() {
		for _, m := range ms {
			m.Refresh(ps.Data, true)
		}
	}
	refresh()
	return r, &ps, refresh
}

func benchReader(b *testing.B, prec nn.Precision, back bool) {
	r, ps, _ := tinyReader(EyesConfig{Channels: 64, Blocks: 5, Hidden: 96}, prec)
	size := nn.Grid{N: 1, H: 180, W: 320}
	rng := rand.New(rand.NewPCG(1, 2))
	pix := make([]byte, size.Cells()*3)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	s := &nn.Scratch{Keep: back}
	g := make([]float32, len(ps.Data))
	for b.Loop() {
		s.Reset()
		var act ReaderAct
		lg := r.Forward(s, ps.Data, pix, size, &act)
		if back {
			r.Backward(s, ps.Data, g, lg, &act)
		}
	}
}

func BenchmarkReaderF32(b *testing.B)       { benchReader(b, nn.F32, false) }
func BenchmarkReaderBF16(b *testing.B)      { benchReader(b, nn.BF16, false) }
func BenchmarkReaderTrainF32(b *testing.B)  { benchReader(b, nn.F32, true) }
func BenchmarkReaderTrainBF16(b *testing.B) { benchReader(b, nn.BF16, true) }
