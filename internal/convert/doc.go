// Package convert writes models anew in other formats of numbers.
//
// [Quantize] reads a GGUF file, whole or split, and writes it with its matrices
// in blocks of fewer bits. Tensors pass one after the other in pieces, which all
// processors share; no more than a piece each is held, beside the mapped source.
// The output depends on the input alone, not on the number of processors, and is
// there whole or not at all.
package convert
