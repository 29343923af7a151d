// Package quant decodes and encodes blocks of quantised weights, as GGUF files
// hold them. The scalar code here is the specification: kernels are tested
// against it.
//
// A block is a fixed number of consecutive elements of a row; see
// tensor.DType.Block for its sizes. Numbers are little-endian.
package quant
