package kvcache

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

func TestBlockLayout(t *testing.T) {
	if got := BlockBytes(1000, 64, 64); got != 1000*128+3*4032 {
		t.Errorf("BlockBytes(1000, 64, 64) = %d", got)
	}
	for _, n := range []int{1, 2, 15, 16, 17, 4096} {
		block := NewBlock(n, 64, 32)
		r := Bind(block, n, 64, 32)
		base := uintptr(unsafe.Pointer(&block[0]))
		for name, p := range map[string]unsafe.Pointer{
			"K": unsafe.Pointer(&r.K[0]), "V": unsafe.Pointer(&r.V[0]),
			"KScale": unsafe.Pointer(&r.KScale[0]), "VScale": unsafe.Pointer(&r.VScale[0]), "ID": unsafe.Pointer(&r.ID[0]),
		} {
			if uintptr(p)%align != 0 {
				t.Errorf("n = %d: %s starts at byte %d of the block, not on a boundary of %d", n, name, uintptr(p)-base, align)
			}
		}
		if len(r.K) != n*64 || len(r.V) != n*32 || len(r.KScale) != n || len(r.VScale) != n || len(r.ID) != n {
			t.Errorf("n = %d: lengths %d %d %d %d %d", n, len(r.K), len(r.V), len(r.KScale), len(r.VScale), len(r.ID))
		}
		// The last id ends inside the block.
		r.ID[n-1] = 0xffffffff
		if end := uintptr(unsafe.Pointer(&r.ID[n-1])) + 4 - base; int(end) > len(block) {
			t.Errorf("n = %d: ids end at %d of %d", n, end, len(block))
		}
	}
}

func TestBindRefusesShortBlock(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Bind(NewBlock(10, 64, 64), 200, 64, 64)
}

func TestViewMatchesOneRun(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		n := 1 + rng.IntN(100)
		whole := randomRun(rng, n)
		var v View
		for at := 0; at < n; {
			m := min(n-at, rng.IntN(20)) // empty runs too
			v = append(v, whole.Slice(at, at+m))
			at += m
		}
		from := rng.IntN(n)
		to := from + rng.IntN(n-from+1)
		part := v.Slice(from, to)
		if v.Len() != n || part.Len() != to-from {
			t.Fatalf("lengths %d of %d, %d of %d", v.Len(), n, part.Len(), to-from)
		}
		for p := range part.Len() {
			r, i := part.At(p)
			if r.ID[i] != whole.ID[from+p] || r.K[i*4+3] != whole.K[(from+p)*4+3] || r.KScale[i] != whole.KScale[from+p] {
				t.Fatalf("position %d of [%d, %d) differs", p, from, to)
			}
		}
	}
}

const testDK, testDV = 4, 8

func randomRun(rng *rand.Rand, n int) Run {
	r := NewRun(n, testDK, testDV)
	for i := range r.K {
		r.K[i] = byte(rng.Uint32())
	}
	for i := range r.V {
		r.V[i] = int8(rng.Uint32())
	}
	for i := range n {
		r.KScale[i], r.VScale[i], r.ID[i] = rng.Float32(), rng.Float32(), rng.Uint32()
	}
	return r
}
