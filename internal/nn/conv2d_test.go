package nn

import (
	"math"
	"testing"
)

// TestConv2D compares the convolution with its definition, and its backward with
// differences.
func TestConv2D(t *testing.T) {
	for _, c := range []struct {
		g              Grid
		kh, kw, stride int
	}{{Grid{2, 5, 7}, 3, 3, 2}, {Grid{1, 4, 6}, 3, 3, 1}, {Grid{2, 1, 11}, 1, 5, 2}, {Grid{1, 4, 4}, 2, 2, 2}} {
		lt := newLayerTest()
		l := NewConv2D(&lt.ps, "c", 3, 4, c.kh, c.kw, c.stride, F32, lt.add)
		w := lt.ready()
		copy(l.Bias.Of(w), random(lt.r, 4))
		o := l.Size(c.g)
		x, y := random(lt.r, c.g.Cells()*3), make([]float32, o.Cells()*4)
		l.Forward(&lt.s, w, y, x, c.g)
		if want := convolve(l, w, x, c.g, o); !near(y, want, 1e-5) {
			t.Fatalf("%+v: got %v, want %v", c, y[:8], want[:8])
		}
		dy := random(lt.r, len(y))
		gc := &gradCheck{lt, func() float64 { l.Forward(&lt.s, w, y, x, c.g); return weighted(dy, y) }}
		dx, g := make([]float32, len(x)), make([]float32, len(w))
		l.Backward(&lt.s, g, dx, dy, x, c.g)
		gc.check(t, "x", x, dx)
		gc.params(t, g)
	}
}

func convolve(l *Conv2D, w, x []float32, g, o Grid) []float32 {
	y := make([]float32, o.Cells()*l.Out)
	wt := w[l.W.(*Matrix).off:]
	for n := range o.N {
		for oy := range o.H {
			for ox := range o.W {
				for c := range l.Out {
					sum := l.Bias.Of(w)[c]
					for ky := range l.KH {
						for kx := range l.KW {
							iy, ix := oy+ky-l.PadH, ox*l.Stride+kx-l.PadW
							if l.KH > 1 {
								iy = oy*l.Stride + ky - l.PadH
							}
							if iy < 0 || iy >= g.H || ix < 0 || ix >= g.W {
								continue
							}
							for i := range l.In {
								sum += wt[c*l.KH*l.KW*l.In+(ky*l.KW+kx)*l.In+i] * x[((n*g.H+iy)*g.W+ix)*l.In+i]
							}
						}
					}
					y[((n*o.H+oy)*o.W+ox)*l.Out+c] = sum
				}
			}
		}
	}
	return y
}

func near(a, b []float32, tol float64) bool {
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= tol) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestDepthwise(t *testing.T) {
	lt := newLayerTest()
	l := NewDepthwise(&lt.ps, "d", 3, 5)
	w, g := lt.ready(), Grid{2, 4, 6}
	x, y := random(lt.r, g.Cells()*3), make([]float32, g.Cells()*3)
	l.Forward(&lt.s, w, y, x, g)
	want := make([]float32, len(y))
	for n := range g.N {
		for oy := range g.H {
			for ox := range g.W {
				for t := range 25 {
					iy, ix := oy+t/5-2, ox+t%5-2
					if iy < 0 || iy >= g.H || ix < 0 || ix >= g.W {
						continue
					}
					for c := range 3 {
						want[((n*g.H+oy)*g.W+ox)*3+c] += l.W.Of(w)[t*3+c] * x[((n*g.H+iy)*g.W+ix)*3+c]
					}
				}
			}
		}
	}
	if !near(y, want, 1e-5) {
		t.Fatal("differs from the definition")
	}
	dy := random(lt.r, len(y))
	gc := &gradCheck{lt, func() float64 { l.Forward(&lt.s, w, y, x, g); return weighted(dy, y) }}
	dx, grad := make([]float32, len(x)), make([]float32, len(w))
	l.Backward(&lt.s, w, grad, dx, dy, x, g)
	gc.check(t, "x", x, dx)
	gc.params(t, grad)
}

func TestLocatorGradient(t *testing.T) {
	lt := newLayerTest()
	const r, n, d, dk = 3, 9, 6, 4
	l := NewLocator(&lt.ps, "loc", d, dk, F32, lt.add)
	w := lt.ready()
	x, raw, k := random(lt.r, r*d), random(lt.r, n*dk), make([]float32, n*dk)
	targets := []Target{{{2, 4}, {7, 8}}, nil, {{0, 1}}}
	weights := []float32{0.5, 1, 2}
	run := func(dx, dk, g []float32) (loss float64) {
		lt.s.Reset()
		var act LocatorAct
		l.Forward(&lt.s, w, x, k, r, n, &act)
		for i, v := range l.Backward(&lt.s, w, g, dx, dk, x, k, r, n, &act, targets, weights) {
			loss += float64(v * weights[i])
		}
		return loss
	}
	copy(k, raw) // the gradient holds for any keys
	gc := &gradCheck{lt, func() float64 {
		return run(make([]float32, len(x)), make([]float32, len(k)), make([]float32, len(w)))
	}}
	dx, dkey, g := make([]float32, len(x)), make([]float32, len(k)), make([]float32, len(w))
	run(dx, dkey, g)
	gc.check(t, "x", x, dx)
	gc.check(t, "k", k, dkey)
	gc.params(t, g)
}

func TestClassifyGradient(t *testing.T) {
	lt := newLayerTest()
	lt.ready()
	z, targets, weights := random(lt.r, 12), []int32{2, -1, 0}, []float32{1, 1, 0.5}
	loss := func(z []float32, grad bool) (sum float64) {
		for i, l := range Classify(z, 4, targets, weights, grad) {
			sum += float64(l * weights[i])
		}
		return sum
	}
	gc := &gradCheck{lt, func() float64 { return loss(append([]float32(nil), z...), false) }}
	g := append([]float32(nil), z...)
	loss(g, true)
	gc.check(t, "logits", z, g)
}
