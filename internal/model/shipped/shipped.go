// Package shipped holds the model in the binary: the result of
// recipes/nano.yaml.
package shipped

import _ "embed"

// GGUF is the model file.
//
//go:embed handscroll.gguf
var GGUF []byte
