package kernel

// Taps is how many taps [Taps5] has.
const Taps = 5

// Taps5 adds to dst [N, C] a row of a depthwise convolution of five taps: dst[i] +=
// Σ w[k]·x[i+k], channel by channel, with w [5, C] and x [N+4, C].
func Taps5(dst, w, x []float32, c int) {
	n := len(dst) / c
	need(len(dst), n*c)
	need(Taps*c, len(w))
	need((n+Taps-1)*c, len(x))
	if n > 0 {
		taps5(dst, w, x, c)
	}
}

func taps5Generic(dst, w, x []float32, c int) {
	for i := 0; i < len(dst); i += c {
		for j := range c {
			v := dst[i+j]
			for k := range Taps {
				v += w[k*c+j] * x[i+k*c+j]
			}
			dst[i+j] = v
		}
	}
}

// TapsGrad5 adds to dw [5, C] the gradient of the weights of [Taps5]: dw[k] += Σ
// dy[i]·x[i+k], with dy [N, C] and x [N+4, C].
func TapsGrad5(dw, dy, x []float32, c int) {
	n := len(dy) / c
	need(len(dy), n*c)
	need(Taps*c, len(dw))
	need((n+Taps-1)*c, len(x))
	if n > 0 {
		tapsGrad5(dw, dy, x, c)
	}
}

func tapsGrad5Generic(dw, dy, x []float32, c int) {
	for i := 0; i < len(dy); i += c {
		for k := range Taps {
			for j := range c {
				dw[k*c+j] += dy[i+j] * x[i+k*c+j]
			}
		}
	}
}
