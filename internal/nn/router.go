package nn

import (
	"math"

	"github.com/handscroll/handscroll/internal/kernel"
)

// Routing is a router's choice for T tokens: K experts each, with weights.
type Routing struct {
	T, E, K int
	Expert  []int32   // [T, K], ascending within a token
	Weight  []float32 // [T, K]
	Prob    []float32 // [T, E]: the router's probabilities
	LogZ    []float32 // [T]: log-sum-exp of the logits
	Load    []float32 // [E]: share of assignments, sums to 1
}

// Router chooses experts from logits.
type Router interface {
	// Route turns logits [T, E] into a routing; bias [E], used for selection
	// only, may be nil. The logits are overwritten with Prob.
	Route(s *Scratch, r *Routing, logits, bias []float32, t int)
	// Backward turns dw [T, K], the gradient of the weights, into the gradient
	// of the logits [T, E], auxiliary losses included.
	Backward(dlogits, dw []float32, r *Routing)
	// Loss is the auxiliary loss of a routing, balance and z, weighted.
	Loss(r *Routing) float64
}

// TopK is the softmax top-k router of Mixtral (arXiv 2401.04088): weights are
// the softmax over the chosen experts' logits. Balance is the load-balance loss
// E·Σ f_e·P_e of Switch (arXiv 2101.03961), ZLoss the router z-loss
// mean(logsumexp²) of ST-MoE (arXiv 2202.08906). A selection bias balances
// without a loss (arXiv 2408.15664, see [BalanceBias]).
type TopK struct {
	K              int
	Balance, ZLoss float32
}

// Route implements Router.
func (l TopK) Route(s *Scratch, r *Routing, logits, bias []float32, t int) {
	e := len(logits) / max(t, 1)
	r.T, r.E, r.K = t, e, l.K
	r.Expert, r.Weight = s.Ints(t*l.K), s.Floats(t*l.K)
	r.LogZ, r.Load, r.Prob = s.Floats(t), s.Zeros(e), logits
	for i := range t {
		p := logits[i*e : (i+1)*e]
		m := kernel.MaxF32(p)
		z := kernel.ExpSum(p, m)
		r.LogZ[i] = m + float32(math.Log(float64(z)))
		kernel.Exp(p, p, r.LogZ[i])
		l.pick(r.Expert[i*l.K:(i+1)*l.K], p, bias)
		sum := float32(0)
		for j, x := range r.Expert[i*l.K : (i+1)*l.K] {
			r.Weight[i*l.K+j] = p[x]
			sum += p[x]
		}
		kernel.Scale(r.Weight[i*l.K:(i+1)*l.K], 1/max(sum, 1e-20))
	}
	for _, x := range r.Expert {
		r.Load[x] += 1 / float32(max(1, t*l.K))
	}
}

// pick writes the k experts of highest p+bias, ascending; ties go to the lower.
func (l TopK) pick(dst []int32, p, bias []float32) {
	for j := range dst {
		best, at := negInf, int32(0)
	next:
		for x, v := range p {
			if bias != nil {
				v += bias[x]
			}
			if v <= best {
				continue
			}
			for _, d := range dst[:j] {
				if int(d) == x {
					continue next
				}
			}
			best, at = v, int32(x)
		}
		dst[j] = at
	}
	for i := 1; i < len(dst); i++ {
		for j := i; j > 0 && dst[j] < dst[j-1]; j-- {
			dst[j], dst[j-1] = dst[j-1], dst[j]
		}
	}
}

// Backward implements Router. With w_j = p_j/Σp over the chosen, the chosen
// logits get w_j·(dw_j − Σ w·dw); the losses act on all.
func (l TopK) Backward(dlogits, dw []float32, r *Routing) {
	clear(dlogits)
	k, e := r.K, r.E
	for i := range r.T {
		dot := kernel.Dot(dw[i*k:(i+1)*k], r.Weight[i*k:(i+1)*k])
		d, p := dlogits[i*e:(i+1)*e], r.Prob[i*e:(i+1)*e]
		for j, x := range r.Expert[i*k : (i+1)*k] {
			d[x] += r.Weight[i*k+j] * (dw[i*k+j] - dot)
		}
		if l.Balance != 0 {
			c := l.Balance * float32(e) / float32(r.T)
			mean := kernel.Dot(p, r.Load)
			for x := range d {
				d[x] += c * p[x] * (r.Load[x] - mean)
			}
		}
		if l.ZLoss != 0 {
			kernel.Axpy(d, 2*l.ZLoss*r.LogZ[i]/float32(r.T), p)
		}
	}
}

// Loss implements Router.
func (l TopK) Loss(r *Routing) float64 {
	if r.T == 0 {
		return 0
	}
	var bal, z float64
	for i := range r.T {
		bal += float64(kernel.Dot(r.Prob[i*r.E:(i+1)*r.E], r.Load))
		z += float64(r.LogZ[i]) * float64(r.LogZ[i])
	}
	n := float64(r.T)
	return float64(l.Balance)*float64(r.E)*bal/n + float64(l.ZLoss)*z/n
}

// BalanceBias moves a selection bias by rate towards equal load: the loss-free
// balancing of arXiv 2408.15664, b_e += u·sign(mean load − load_e).
func BalanceBias(bias, load []float32, rate float32) {
	mean := float32(0)
	for _, v := range load {
		mean += v / float32(len(load))
	}
	for e, v := range load {
		switch {
		case v < mean:
			bias[e] += rate
		case v > mean:
			bias[e] -= rate
		}
	}
}
