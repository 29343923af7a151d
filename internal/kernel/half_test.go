package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHalf(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for n := range 70 {
			x := randomFloats(r, n)
			if n > 3 {
				x[0], x[1], x[2] = float32(math.Inf(-1)), 1e-6, 70000
			}
			got, want := slices.Repeat([]uint16{7}, n+4), slices.Repeat([]uint16{7}, n+4)
			ToHalf(got[2:n+2], x)
			toHalfGeneric(want[2:n+2], x)
			if !slices.Equal(got, want) {
				t.Fatalf("%d elements: %04x, want %04x", n, got, want)
			}
		}
	})
}

func TestWiden8(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(17, 18))
		for rows := range 9 {
			q := make([]int8, rows*32)
			for i := range q {
				q[i] = int8(r.Uint32())
			}
			cols, each := randomFloats(r, 32), randomFloats(r, rows)
			got, want := make([]float32, len(q)+1), make([]float32, len(q)+1)
			Widen8Cols(got[:len(q)], q, cols)
			widen8ColsGeneric(want[:len(q)], q, cols)
			if !slices.Equal(got, want) {
				t.Fatalf("%d rows, columns scaled: %v, want %v", rows, got, want)
			}
			Widen8Rows(got[:len(q)], q, each)
			widen8RowsGeneric(want[:len(q)], q, each)
			if !slices.Equal(got, want) {
				t.Fatalf("%d rows, rows scaled: %v, want %v", rows, got, want)
			}
		}
	})
}

// Parts of a softmax, put together, are the softmax of all.
func TestSoftmaxPart(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(19, 20))
		x := randomFloats(r, 100)
		want := slices.Clone(x)
		Softmax(want, 0.7)
		top1, sum1 := SoftmaxPart(x[:37], 0.7)
		top2, sum2 := SoftmaxPart(x[37:], 0.7)
		top := max(top1, top2)
		f1, f2 := math.Exp(float64(top1-top)), math.Exp(float64(top2-top))
		all := float64(sum1)*f1 + float64(sum2)*f2
		for i, v := range x {
			f := f1
			if i >= 37 {
				f = f2
			}
			if got := float64(v) * f / all; math.Abs(got-float64(want[i])) > 1e-6 {
				t.Fatalf("element %d is %v, want %v", i, got, want[i])
			}
		}
	})
}
