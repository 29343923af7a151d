package kernel

// SiLUMul computes dst = silu(gate)·up, the inner half of a gated feed-forward
// layer (SwiGLU, arXiv 2002.05202), with silu(z) = z/(1+exp(−z)).
func SiLUMul(dst, gate, up []float32) {
	need(len(dst), min(len(gate), len(up)))
	siluMul(dst, gate, up)
}

// SiLUMulBackward writes the gradients of gate and up, given dh, that of
// [SiLUMul]'s result. Any of the slices may be equal.
func SiLUMulBackward(dgate, dup, dh, gate, up []float32) {
	need(len(dgate), min(len(dup), len(dh), len(gate), len(up)))
	siluMulBackward(dgate, dup, dh, gate, up)
}

// GELU computes dst = gelu(x) in its tanh form (arXiv 1606.08415):
// x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
func GELU(dst, x []float32) {
	need(len(dst), len(x))
	gelu(dst, x)
}

// ReLU2 computes dst = max(x, 0)² (arXiv 2109.08668).
func ReLU2(dst, x []float32) {
	need(len(dst), len(x))
	relu2(dst, x)
}
