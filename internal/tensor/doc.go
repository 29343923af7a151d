// Package tensor names the element types of stored tensors, with their sizes,
// and converts between them and float32.
//
// Bytes are little-endian, as in GGUF files.
package tensor
