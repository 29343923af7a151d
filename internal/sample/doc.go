// Package sample turns a model's logits into the next token.
//
// A [Sampler] belongs to one answer and one goroutine: it remembers the tokens
// that were chosen, for penalties, and draws from its own seeded source, so that
// the same seed and logits give the same tokens.
package sample
