// Package data makes the training examples of the native model: questions over
// generated needles, real sentences, tables, settings, code and small stories,
// hidden in real prose and source code, with the exact source token of every
// answer token.
//
// An example is one sequence of token ids: context segments, each starting
// with tokenizer.BOS, then question segments. A supervised Row says which
// token follows and which context token the pointer head should be on.
//
// Invariants: an answer repeats the ids of its source span; a question that is
// not of the several-values task has one right answer in its context; an
// example depends on (options, corpus, seed, index, length) alone. Held-out
// attributes, frames, questions, keys and value types never occur unless
// Options.HeldOut is set, and then only they do.
//
// A Generator is immutable after NewGenerator and safe for concurrent use. It
// shares the Corpus; the Examples it returns belong to the caller.
package data
