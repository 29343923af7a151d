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
	adamGeneric(w, m, v, g, &p)
}
