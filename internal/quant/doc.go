// Package quant decodes and encodes blocks of quantised weights, as GGUF files
// hold them. The scalar code here is the specification: kernels are tested
// against it. Encoding searches for the scales of least squared error, and gives
// the same bytes on every machine.
//
// A block is a fixed number of consecutive elements of a row; see
// tensor.DType.Block for its sizes. Numbers are little-endian.
package quant
