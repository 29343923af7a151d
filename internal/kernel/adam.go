package kernel

// AdamParams are the constants of one [AdamW] step.
type AdamParams struct {
	LR           float32 // learning rate
	Beta1, Beta2 float32
	Eps          float32
	Decay        float32 // weight decay, decoupled: w loses LR·Decay·w a step
	Correct1     float32 // 1/(1−Beta1^t) at step t = 1, 2, …
	Correct2     float32 // 1/(1−Beta2^t)
	GradScale    float32 // multiplies the gradient first: clipping, averaging
}

// AdamW takes one step (arXiv 1711.05101) on the weights w with moments m and
// v and gradient g, in one pass:
//
//	g' = GradScale·g
//	m  = Beta1·m + (1−Beta1)·g'
//	v  = Beta2·v + (1−Beta2)·g'²
//	w -= LR·(m·Correct1/(√(v·Correct2)+Eps) + Decay·w)
func AdamW(w, m, v, g []float32, p AdamParams) {
	need(len(w), min(len(m), len(v), len(g)))
	adam(w, m, v, g, &adamConsts{
		grad:  p.GradScale,
		beta1: p.Beta1, rest1: 1 - p.Beta1,
		beta2: p.Beta2, rest2: 1 - p.Beta2,
		correct2: p.Correct2, eps: p.Eps,
		rate: p.LR * p.Correct1, keep: 1 - float32(p.LR*p.Decay),
	})
}

// adamConsts are the factors of a step; adam_amd64.s knows their order.
type adamConsts struct {
	grad, beta1, rest1, beta2, rest2, correct2, eps float32
	rate, keep                                      float32 // of the step, and what decay leaves of w
}
