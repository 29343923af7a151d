//go:build !amd64

package kernel

func adam(w, m, v, g []float32, c *adamConsts) { adamGeneric(w, m, v, g, c) }
