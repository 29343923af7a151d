// Package nn holds the layers of Handscroll, forward and backward side by side.
//
// Every layer is a few functions over row-major float32 slices: activations are
// [T, D] with T packed tokens of one or more segments, weights are [Out, In].
// Forward writes its first argument; what backward needs is kept in a small Act
// struct whose slices come from the caller's [Scratch]. With Scratch.Keep false
// (serving) nothing is kept and the same forward runs in cache-sized pieces, so
// there is one definition of each layer for training and serving.
//
// Weights are reached through [Weight]; [Matrix] is the trainable one, in
// float32 or bfloat16 products. Parameters live in one flat vector ([Params]);
// gradients are flat vectors of the same layout, one a worker.
//
// Weights of files are [Blocks]: rows as stored, or laid out by [Lay] for fast
// products in serving, shared among the workers of a [Team]. [Attention] reads what a
// [Cache] keeps. With these, a row's result does not depend on the rows beside it.
//
// Invariant: a token's outputs depend on its own segment only, bit for bit, and
// not on how tokens were packed, as long as segments are cut at multiples of
// [Block] positions. The engine's chunked, resumable reading rests on it.
//
// Concurrency: layers are read-only during forward and backward and may be
// shared by goroutines; a Scratch and a gradient vector belong to one goroutine.
package nn
