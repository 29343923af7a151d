package encoder

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// glancing returns a reader of random weights that glances, and a random picture.
func glancing(t *testing.T) (v *Reading, pix []byte, size nn.Grid) {
	t.Helper()
	v, err := NewReading(EyesConfig{Channels: 32, Blocks: 3, Hidden: 32, Glance: 1}, nn.BF16)
	if err != nil {
		t.Fatal(err)
	}
	v.Params.Alloc()
	v.Params.Reset(1)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range v.Params.List {
		if p.Len < 200 {
			for i := range p.Of(v.Params.Data) {
				p.Of(v.Params.Data)[i] += float32(rng.NormFloat64()) * 0.3
			}
		}
	}
	Refresh(v.Matrices, &v.Params, true, 0, 1)
	size = nn.Grid{N: 1, H: 180, W: 320}
	pix = make([]byte, size.Cells()*3)
	for i := range pix {
		pix[i] = byte(rng.Uint32())
	}
	return v, pix, size
}

// What is found where there may be text is what would be found anyway, to the bit.
func TestFindIsForward(t *testing.T) {
	v, pix, size := glancing(t)
	r, w := v.Reader, v.Params.Data
	for _, rounded := range []bool{false, true} {
		if rounded {
			if err := r.round(w); err != nil {
				t.Fatal(err)
			}
		}
		s := new(nn.Scratch)
		var act ReaderAct
		want := append([]float32(nil), r.Forward(s, w, pix, size, &act)...)
		partly := 0
		for _, bias := range []float32{-100, -8.6, -8.3, -8, -7.7, 100} {
			r.glance.bias.Of(w)[0] = bias
			s.Reset()
			probs, score, grid := r.Find(s, w, pix, size)
			found := 0
			for i := range score {
				row := probs[i*Classes : (i+1)*Classes]
				if score[i] == 0 && row[0] == 0 {
					continue
				}
				found++
				other := append([]float32(nil), want[i*Classes:(i+1)*Classes]...)
				kernel.Softmax(other, 1)
				if fmt.Sprint(other) != fmt.Sprint(row) || score[i] != 1-row[0] {
					t.Fatalf("rounded %v, bias %g: cell %d differs", rounded, bias, i)
				}
			}
			share := float64(found) / float64(2*grid.Cells())
			if bias == 100 && share < 1 || bias == -100 && share > 0 {
				t.Errorf("bias %g: %.2f of the cells looked at", bias, share)
			}
			if share > 0.02 && share < 0.98 {
				partly++
			}
		}
		if partly == 0 {
			t.Error("never was a part of the cells looked at")
		}
	}
}

func TestViews(t *testing.T) {
	v, _, _ := glancing(t)
	l, w := v.Reader.glance, v.Params.Data
	g := nn.Grid{N: 1, H: 45, W: 80}
	c := l.weight.Len
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		x := make([]float32, g.Cells()*c)
		there := map[int]bool{}
		for range 1 + rng.IntN(6) {
			there[rng.IntN(g.Cells())] = true
		}
		for i := range g.Cells() { // along the weights or against them
			for j, wj := range l.weight.Of(w) {
				if x[i*c+j] = -10 * wj; there[i] {
					x[i*c+j] = 10 * wj
				}
			}
		}
		halo := rng.IntN(12)
		views := l.views(w, x, g, halo)
		for i, a := range views {
			for _, b := range views[:i] {
				if a.grown(halo, g).overlaps(b.grown(halo, g)) {
					t.Fatalf("%v and %v overlap with %d around", a, b, halo)
				}
			}
		}
		for i := range there {
			in := 0
			for _, a := range views {
				if x, y := i%g.W, i/g.W; x >= a.x0 && x < a.x1 && y >= a.y0 && y < a.y1 {
					in++
				}
			}
			if in != 1 {
				t.Fatalf("cell %d is in %d of %v", i, in, views)
			}
		}
	}
}

func TestGlanceGradient(t *testing.T) {
	v, _, _ := glancing(t)
	l, w := v.Reader.glance, v.Params.Data
	g := nn.Grid{N: 1, H: 9, W: 14}
	rng := rand.New(rand.NewPCG(5, 6))
	x := make([]float32, g.Cells()*l.weight.Len)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	targets := make([]int32, 2*g.Cells())
	targets[40], targets[90], targets[91] = 5, -1, 7
	grad := make([]float32, len(w))
	loss := l.backward(w, grad, x, targets, g, 1)
	for _, i := range []int{l.weight.Off, l.weight.Off + 7, l.bias.Off} {
		const h = 1e-2
		scrap := make([]float32, len(w))
		old := w[i]
		w[i] = old + h
		up := l.backward(w, scrap, x, targets, g, 1)
		w[i] = old - h
		down := l.backward(w, scrap, x, targets, g, 1)
		w[i] = old
		if want := (up - down) / (2 * h); math.Abs(want-float64(grad[i])) > 2e-3*math.Abs(want)+1e-4 {
			t.Errorf("parameter %d: gradient %g, want %g", i-l.weight.Off, grad[i], want)
		}
	}
	for i, d := range grad {
		if in := i >= l.weight.Off && i < l.weight.Off+l.weight.Len || i == l.bias.Off; !in && d != 0 {
			t.Fatalf("parameter %d of the reader has a gradient", i)
		}
	}
	if loss <= 0 {
		t.Errorf("loss %g", loss)
	}
}
