// Package gguf reads and writes GGUF files, versions 2 and 3: metadata and
// tensors, little-endian. It knows no model. A model split into files is opened
// by its first and served as one.
//
// Files are untrusted: every malformed byte is a [FormatError] with its offset,
// and no count makes the reader take more memory than the file could fill.
// Tensor data is not copied; it lives in the mapped file until Close.
//
// A File may be read by several goroutines. A Writer belongs to one.
package gguf
