// Package model holds the architectures: configuration, weight names and the
// whole forward of each, readable from top to bottom.
//
// native.go is Handscroll's own, a decoder–decoder with sparse experts (after
// YOCO, arXiv 2405.05254): a self-decoder of windowed layers reads every token
// once and leaves one cache entry; a cross-decoder runs for the rows of a
// question and its answer alone, over all entries, and points at the token to
// copy next. Reading costs the same for every token at any length.
//
// The same layers serve training (train.go), reading (prefill.go), answering
// (decode.go) and scoring (score.go).
//
// Invariant: the entries of a segment depend on that segment alone, and each on
// Lead tokens before it and Lookahead after it, bit for bit, however the
// segment is cut into chunks.
//
// Concurrency: a loaded model is read-only; each goroutine brings a Scratch.
package model
