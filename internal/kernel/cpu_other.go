//go:build !amd64

package kernel

// detect reports nothing: off amd64 every kernel is portable Go.
func detect() features { return features{} }
