package kernel

func adam(w, m, v, g []float32, c *adamConsts) {
	switch {
	case has.avx512:
		adamAVX512(w, m, v, g, c)
	case has.avx2:
		adamAVX2(w, m, v, g, c)
	default:
		adamGeneric(w, m, v, g, c)
	}
}

//go:noescape
func adamAVX512(w, m, v, g []float32, c *adamConsts)

//go:noescape
func adamAVX2(w, m, v, g []float32, c *adamConsts)
