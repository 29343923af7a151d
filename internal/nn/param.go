package nn

import (
	"math"
	"math/rand/v2"
)

// Class tells the optimiser how to treat a parameter.
type Class uint8

const (
	// ClassMatrix parameters take weight decay.
	ClassMatrix Class = iota
	// ClassVector parameters (gains, biases, embeddings) take none.
	ClassVector
	// ClassTemperature parameters take none and a higher learning rate.
	ClassTemperature
	// ClassState is not trained by gradient (the balancing bias of a router).
	ClassState
)

// Param names a range of the flat parameter vector.
type Param struct {
	Name  string
	Shape []int // outermost first: a matrix is [Out, In]
	Class Class
	From  int // step of the optimiser before which the parameter rests
	Off   int
	Len   int
	Init  func(w []float32, r *rand.Rand)
}

// Of returns the parameter's range of a flat vector laid out as its Params.
func (p *Param) Of(flat []float32) []float32 { return flat[p.Off : p.Off+p.Len : p.Off+p.Len] }

// Params is the registry of a model's parameters and their values.
type Params struct {
	List []*Param
	Data []float32
}

// Add registers a parameter; Alloc must be called after the last one.
func (ps *Params) Add(name string, class Class, init func([]float32, *rand.Rand), shape ...int) *Param {
	n := 1
	for _, s := range shape {
		n *= s
	}
	off := 0
	if len(ps.List) > 0 {
		last := ps.List[len(ps.List)-1]
		off = last.Off + last.Len
	}
	p := &Param{Name: name, Shape: shape, Class: class, Off: off, Len: n, Init: init}
	ps.List = append(ps.List, p)
	return p
}

// Alloc makes the flat vector.
func (ps *Params) Alloc() {
	if len(ps.List) == 0 {
		return
	}
	last := ps.List[len(ps.List)-1]
	ps.Data = make([]float32, last.Off+last.Len)
}

// Reset draws every parameter afresh. Each has its own stream, so that adding
// one does not change the others.
func (ps *Params) Reset(seed uint64) {
	for i, p := range ps.List {
		if p.Init != nil {
			p.Init(p.Of(ps.Data), rand.New(rand.NewPCG(seed, uint64(i)+1)))
		}
	}
}

// Normal initialises with a zero-mean Gaussian.
func Normal(std float64) func([]float32, *rand.Rand) {
	return func(w []float32, r *rand.Rand) {
		for i := range w {
			w[i] = float32(r.NormFloat64() * std)
		}
	}
}

// Const initialises with one value.
func Const(v float64) func([]float32, *rand.Rand) {
	return func(w []float32, _ *rand.Rand) {
		for i := range w {
			w[i] = float32(v)
		}
	}
}

// FanIn initialises with gain/√in.
func FanIn(gain float64, in int) func([]float32, *rand.Rand) {
	return Normal(gain / math.Sqrt(float64(in)))
}
