package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// band is the number of elements on either side of a buffer that an operation
// must not touch.
const band = 19

// vectorOp is an operation on slices of one length beside its portable twin.
// Both may write to any of the buffers; all of them are compared afterwards.
type vectorOp struct {
	name      string
	bufs      int
	run, twin func(b [][]float32) float32
	tol       float64 // of the result, relative to max(1, its size); 0 asks for the same bits
}

func noResult(f func(b [][]float32)) func(b [][]float32) float32 {
	return func(b [][]float32) float32 { f(b); return 0 }
}

var vectorOps = []vectorOp{
	{"Dot", 2, func(b [][]float32) float32 { return Dot(b[0], b[1]) },
		func(b [][]float32) float32 { return dotGeneric(b[0], b[1]) }, 2e-5},
	{"SumSquares", 1, func(b [][]float32) float32 { return SumSquares(b[0]) },
		func(b [][]float32) float32 { return dotGeneric(b[0], b[0]) }, 1e-6},
	{"Axpy", 2, noResult(func(b [][]float32) { Axpy(b[0], 0.7, b[1]) }),
		noResult(func(b [][]float32) { axpyGeneric(b[0], 0.7, b[1]) }), 2e-7},
	{"Add", 2, noResult(func(b [][]float32) { Add(b[0], b[1]) }),
		noResult(func(b [][]float32) { addGeneric(b[0], b[1]) }), 0},
	{"Mul", 3, noResult(func(b [][]float32) { Mul(b[0], b[1], b[2]) }),
		noResult(func(b [][]float32) { mulGeneric(b[0], b[1], b[2]) }), 0},
	{"MulAdd", 3, noResult(func(b [][]float32) { MulAdd(b[0], b[1], b[2]) }),
		noResult(func(b [][]float32) { mulAddGeneric(b[0], b[1], b[2]) }), 5e-7},
	{"Scale", 1, noResult(func(b [][]float32) { Scale(b[0], -1.3) }),
		noResult(func(b [][]float32) { scaleGeneric(b[0], -1.3) }), 0},
	{"MaxF32", 1, func(b [][]float32) float32 { return MaxF32(b[0]) },
		func(b [][]float32) float32 { return maxGeneric(b[0]) }, 0},
	{"maxAbs", 1, func(b [][]float32) float32 { return maxAbs(b[0]) },
		func(b [][]float32) float32 { return maxAbsGeneric(b[0]) }, 0},
	{"Exp", 2, noResult(func(b [][]float32) { Exp(b[0], b[1], 0.25) }),
		noResult(func(b [][]float32) { expGeneric(b[0], b[1], 0.25) }), 3e-7},
	{"ExpSum", 1, func(b [][]float32) float32 { return ExpSum(b[0], 0.25) },
		func(b [][]float32) float32 { return expSumGeneric(b[0], 0.25) }, 2e-6},
	{"scaleMax", 1, func(b [][]float32) float32 { return scaleMax(b[0], 2.5) },
		func(b [][]float32) float32 { return scaleMaxGeneric(b[0], 2.5) }, 0},
	{"scaleMaxZero", 1, func(b [][]float32) float32 { return scaleMax(b[0], 0) },
		func(b [][]float32) float32 { return scaleMaxGeneric(b[0], 0) }, 0},
	{"SoftmaxBackward", 2, noResult(func(b [][]float32) { SoftmaxBackward(b[0], b[1], 1.7) }),
		noResult(func(b [][]float32) { softmaxBackwardGeneric(b[0], b[1], 1.7, dotGeneric(b[0], b[1])) }), 3e-5},
}

func TestVectorOps(t *testing.T) { testVectorOps(t, vectorOps) }

// testVectorOps holds each operation to its twin for every length up to 130
// and a few beyond, on every instruction set.
func testVectorOps(t *testing.T, ops []vectorOp) {
	onEveryCPU(t, func(t *testing.T) {
		for _, op := range ops {
			t.Run(op.name, func(t *testing.T) {
				for n := range 131 {
					op.check(t, n, false)
					op.check(t, n, true)
				}
				op.check(t, 1000, false)
			})
		}
	})
}

func (op *vectorOp) check(t *testing.T, n int, special bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(n)))
	got, whole := guarded(r, op.bufs, n, special)
	want := make([][]float32, op.bufs)
	for i := range want {
		want[i] = append([]float32{}, got[i]...)
	}
	before := append([]float32{}, whole...)
	gotSum, wantSum := op.run(got), op.twin(want)
	if !op.close(gotSum, wantSum) {
		t.Fatalf("n = %d, special %v: result %v, want %v", n, special, gotSum, wantSum)
	}
	stride := n + band
	for i := range want {
		copy(before[band+i*stride:], want[i])
		for j, w := range want[i] {
			if g := got[i][j]; !op.close(g, w) {
				t.Fatalf("n = %d, special %v: buffer %d, element %d: %v, want %v", n, special, i, j, g, w)
			}
			whole[band+i*stride+j] = w
		}
	}
	sameBits(t, fmt.Sprintf("n = %d: guard bands", n), whole, before)
}

func (op *vectorOp) close(got, want float32) bool {
	g, w := float64(got), float64(want)
	if math.IsNaN(w) || math.IsInf(w, 0) || op.tol == 0 {
		return math.IsNaN(g) && math.IsNaN(w) || g == w
	}
	return math.Abs(g-w) <= op.tol*max(1, math.Abs(w))
}

var specials = []float32{
	float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)),
	1e-40, -1e-40, 1, -1, 60, -60, 1e-30,
}

// guarded returns buffers of n floats that lie in one slice, also returned,
// with guards of 7e33 between them. Their odd width leaves none aligned.
func guarded(r *rand.Rand, bufs, n int, special bool) (b [][]float32, whole []float32) {
	whole = make([]float32, band+bufs*(n+band))
	for i := range whole {
		whole[i] = 7e33
	}
	for i := range bufs {
		x := whole[band+i*(n+band):][:n:n]
		for j := range x {
			x[j] = float32(r.NormFloat64())
			if special && r.IntN(8) == 0 {
				x[j] = specials[r.IntN(len(specials))]
			}
		}
		b = append(b, x)
	}
	return b, whole
}

// ulps is the distance of got from the exact want in units in the last place
// of float32, subnormals included.
func ulps(got float32, want float64) float64 {
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

func TestExpAccuracy(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		x, dst := make([]float32, 1<<16), make([]float32, 1<<16)
		for i := range x {
			x[i] = -105 + float32(i)*(193.7/(1<<16))
		}
		Exp(dst, x, 0)
		var worst float64
		for i, v := range x {
			if u := ulps(dst[i], math.Exp(float64(v))); u > worst {
				worst = u
				if u > 2 {
					t.Fatalf("exp(%v) = %v is %.2f ulp off", v, dst[i], u)
				}
			}
		}
		t.Logf("worst %.2f ulp", worst)
		inf := float32(math.Inf(1))
		in := []float32{inf, -inf, 0, 89.5, 1e30, -1e30, -104, float32(math.NaN())}
		Exp(dst[:len(in)], in, 0)
		for i, want := range []float32{inf, 0, 1, inf, inf, 0, 0} {
			if dst[i] != want {
				t.Errorf("exp(%v) = %v, want %v", in[i], dst[i], want)
			}
		}
		if v := dst[len(in)-1]; v == v {
			t.Errorf("exp(NaN) = %v", v)
		}
	})
}

func TestSoftmax(t *testing.T) {
	inf := float32(math.Inf(-1))
	onEveryCPU(t, func(t *testing.T) {
		for n := 1; n <= 130; n++ {
			r := rand.New(rand.NewPCG(2, uint64(n)))
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(20 * r.NormFloat64())
				if i > 0 && r.IntN(4) == 0 {
					x[i] = inf
				}
			}
			want, sum := make([]float64, n), 0.0
			for i, v := range x {
				want[i] = math.Exp(float64(v) * 1.5)
				sum += want[i]
			}
			Softmax(x, 1.5)
			for i, v := range x {
				if w := want[i] / sum; math.Abs(float64(v)-w) > 1e-5*w+1e-30 {
					t.Fatalf("n = %d, element %d: %v, want %v", n, i, v, w)
				}
			}
			for i := range x {
				x[i] = inf
			}
			Softmax(x, 1)
			for _, v := range x {
				if v != 0 {
					t.Fatalf("softmax of %d times −Inf holds %v", n, v)
				}
			}
		}
		x := []float32{3, inf, 5}
		Softmax(x, 0)
		if x[0] != 0.5 || x[1] != 0 || x[2] != 0.5 {
			t.Errorf("softmax at scale 0: %v", x)
		}
		x = []float32{1, float32(math.NaN()), 2}
		Softmax(x, 1)
		if x[0] == x[0] {
			t.Errorf("softmax hides a NaN: %v", x)
		}
		Softmax(nil, 1)
	})
}

func TestBF16(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		for n := range 131 {
			b, _ := guarded(rand.New(rand.NewPCG(3, uint64(n))), 1, n, true)
			x := b[0]
			for i := range x {
				if i%3 == 0 { // a tie, to either side
					x[i] = math.Float32frombits(math.Float32bits(x[i])&^0xffff | 0x8000)
				}
			}
			got := make([]uint16, n+2)
			got[n] = 0xabcd
			ToBF16(got[:n], x)
			for i, v := range x {
				if got[i] != toBF16(v) {
					t.Fatalf("n = %d: %x became %x, want %x", n, math.Float32bits(v), got[i], toBF16(v))
				}
			}
			back := make([]float32, n+2)
			back[n] = 3
			FromBF16(back[:n], got)
			want := make([]float32, n)
			fromBF16Generic(want, got)
			sameBits(t, "FromBF16", back[:n], want)
			if got[n] != 0xabcd || back[n] != 3 {
				t.Fatalf("n = %d: wrote past the end", n)
			}
		}
	})
}

func TestQuantize8(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		for n := range 131 {
			for _, special := range []bool{false, true} {
				b, _ := guarded(rand.New(rand.NewPCG(4, uint64(n))), 1, n, special)
				got, want := make([]int8, n+1), make([]int8, n+1)
				got[n], want[n] = 99, 99
				scale := Quantize8(got[:n], b[0])
				if top := maxAbsGeneric(b[0]); top < tiniest {
					if scale != 0 {
						t.Fatalf("scale %v of zeros", scale)
					}
				} else {
					if scale != top/127 {
						t.Fatalf("scale %v, want %v", scale, top/127)
					}
					round8Generic(want[:n], b[0], 127/top)
				}
				bytes, wantBytes := make([]byte, n+1), make([]byte, n+1)
				OffsetBinary(bytes[:n], got)
				offsetBinaryGeneric(wantBytes[:n], want)
				for i := range want {
					if got[i] != want[i] || bytes[i] != wantBytes[i] {
						t.Fatalf("n = %d, special %v, element %d: %d %d, want %d %d", n, special, i, got[i], bytes[i], want[i], wantBytes[i])
					}
				}
			}
		}
		q := make([]int8, 3)
		if s := Quantize8(q, []float32{2, -1, 0.5}); s != float32(2)/127 || q[0] != 127 || q[1] != -64 || q[2] != 32 {
			t.Errorf("quantised to %v, scale %v", q, s)
		}
	})
}

// TestPositionFree holds elementwise results to depend on nothing but the
// element: a slice cut anywhere gives the same bits.
func TestPositionFree(t *testing.T) {
	onEveryCPU(t, func(t *testing.T) {
		b, _ := guarded(rand.New(rand.NewPCG(5, 5)), 3, 100, false)
		whole, parts := make([]float32, 100), make([]float32, 100)
		for name, run := range map[string]func(dst, x, y []float32){
			"Exp":     func(dst, x, y []float32) { Exp(dst, x, 0.1) },
			"SiLUMul": SiLUMul,
			"MulAdd":  func(dst, x, y []float32) { copy(dst, y); MulAdd(dst, x, y) },
			"GELU":    func(dst, x, y []float32) { GELU(dst, x) },
		} {
			run(whole, b[0], b[1])
			for cut := range 100 {
				run(parts[:cut], b[0][:cut], b[1][:cut])
				run(parts[cut:], b[0][cut:], b[1][cut:])
				sameBits(t, name, parts, whole)
			}
		}
	})
}

func TestShortVectorPanics(t *testing.T) {
	long, short := make([]float32, 40), make([]float32, 39, 64)
	for name, f := range map[string]func(){
		"Dot":       func() { Dot(long, short) },
		"Axpy":      func() { Axpy(long, 1, short) },
		"Exp":       func() { Exp(long, short, 0) },
		"RMSNorm":   func() { RMSNorm(long, long, short, 0) },
		"Rope":      func() { Rope(short, long[:20], long[:20], false) },
		"AdamW":     func() { AdamW(long, long, short, long, AdamParams{}) },
		"Quantize8": func() { Quantize8(make([]int8, 40), short) },
		"TopK":      func() { TopK(make([]int32, 40), short) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
