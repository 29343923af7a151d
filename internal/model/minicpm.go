package model

import "math"

// loadMiniCPM reads MiniCPM (arXiv 2404.06395): Llama with scaled embeddings,
// residuals and logits. Files that do not give the scales mean those of the
// paper.
func loadMiniCPM(l *weights, m *Transformer) forwarder {
	a := loadPreNormLlama(l, m)
	m.embedGain = float32(l.floatOr("embedding_scale", 12))
	m.outGain = float32(1 / l.floatOr("logit_scale", 256/float64(m.Width)))
	a.residual = float32(l.floatOr("residual_scale", 1.4/math.Sqrt(float64(m.Layers))))
	return a
}
