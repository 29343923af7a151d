// Package kvcache holds what reading a context leaves behind: one key and one
// value for each token, and the text that they came from.
//
// A [Run] is the entries of consecutive tokens, 140 bytes a token at the native
// model's 64-wide keys and values; a [View] is a list of runs addressed by one
// running position. A [Segment] is one part read on its own (a file), as
// [Block]s of entries beside its source text. Segments live in a [Memory] or,
// on disk, in a [Store]: an append-only, checksummed, memory-mapped log that
// docs/formats.md specifies.
//
// A [Sequence] is what a transformer of open weights keeps of one sequence: keys and
// values of each layer in pages, which clones share and [Saved] contexts map from
// their files.
//
// Invariants: full pages never change; entries never change once appended. A segment's blocks follow one
// another without gaps from its first token. The bytes of a stored context
// depend on what was read and in what order, never on when it was interrupted.
// The package knows neither model nor tokenizer: a stored context carries the
// model's fingerprint as a string and compares it.
//
// Ownership: a Store's runs and texts are slices of its mapping and must not be
// used after Close. Concurrency: reading methods may run at once; appending
// belongs to one goroutine, and between processes to the holder of the lock.
package kvcache
