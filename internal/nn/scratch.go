package nn

import "github.com/handscroll/handscroll/internal/kernel"

// Scratch is a worker's memory: a bump arena for activations and the buffers
// that matrix products pack into. Nothing is allocated after the first pass of
// a given size.
type Scratch struct {
	// Keep makes forward keep what backward needs.
	Keep bool

	// Team shares the work of serving, set by Use.
	Team *Team

	f32     arena[float32]
	u16     arena[uint16]
	i32     arena[int32]
	pack    kernel.PackedF32
	rows    kernel.Rows8 // of the product at hand
	hidden  kernel.Rows8 // of the feed-forward at hand
	groups  []laidGroup  // of it
	tasks   []attentionTask
	workers []*worker
}

// worker is the memory of one worker of the team.
type worker struct {
	blocks kernel.BlockBuffer
	pack   kernel.PackedF32
	panel  []float32
	wide   []float32 // of a Cache
}

// worker returns the memory of worker w.
func (s *Scratch) worker(w int) *worker {
	if w == 0 && len(s.workers) == 0 {
		s.Use(s.Team)
	}
	return s.workers[w]
}

// Use makes the scratch share its work among a team; nil is the caller alone.
func (s *Scratch) Use(team *Team) {
	s.Team = team
	for len(s.workers) < team.Workers() {
		s.workers = append(s.workers, new(worker))
	}
}

// Rows shares out n rows, if they are more than a few.
func (s *Scratch) Rows(n int, f func(from, to int)) {
	if n <= fewTokens {
		f(0, n)
		return
	}
	s.Team.Split(n, fewTokens, func(_, from, to int) { f(from, to) })
}

type arena[T any] struct {
	blocks [][]T
	block  int
	off    int
}

const arenaBlock = 1 << 20

func (a *arena[T]) get(n int) []T {
	for a.block < len(a.blocks) {
		if b := a.blocks[a.block]; a.off+n <= len(b) {
			s := b[a.off : a.off+n : a.off+n]
			a.off += (n + 15) &^ 15
			if a.off > len(b) {
				a.off = len(b)
			}
			return s
		}
		a.block++
		a.off = 0
	}
	a.blocks = append(a.blocks, make([]T, max(n, arenaBlock)))
	return a.get(n)
}

// Mark is a position to release to.
type Mark struct{ fb, fo, ub, uo, ib, io int }

// Mark returns the current position.
func (s *Scratch) Mark() Mark {
	return Mark{s.f32.block, s.f32.off, s.u16.block, s.u16.off, s.i32.block, s.i32.off}
}

// Release gives back everything taken since m.
func (s *Scratch) Release(m Mark) {
	s.f32.block, s.f32.off = m.fb, m.fo
	s.u16.block, s.u16.off = m.ub, m.uo
	s.i32.block, s.i32.off = m.ib, m.io
}

// Reset gives everything back.
func (s *Scratch) Reset() { s.Release(Mark{}) }

// Floats returns n floats of unspecified value.
func (s *Scratch) Floats(n int) []float32 { return s.f32.get(n) }

// Zeros returns n zeroed floats.
func (s *Scratch) Zeros(n int) []float32 {
	x := s.f32.get(n)
	clear(x)
	return x
}

// Ints returns n int32 of unspecified value.
func (s *Scratch) Ints(n int) []int32 { return s.i32.get(n) }

// mul computes dst[m,n] = (or +=) A·B without a kept packing of B; element
// (i,j) of A is a[i*ars+j*acs], of B b[i*brs+j*bcs].
func (s *Scratch) mul(dst []float32, ldd int, a []float32, ars, acs int, b []float32, brs, bcs, m, n, k int, acc bool) {
	s.pack.Pack(b, brs, bcs, k, n)
	kernel.GemmF32(dst, ldd, a, ars, acs, &s.pack, m, acc)
}

func grow(s []float32, n int) []float32 {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]float32, n)
}
