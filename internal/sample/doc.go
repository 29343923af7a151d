// Package sample turns a model's logits into the next token, holds an answer to
// a schema, and turns its bytes into text up to a stop string.
//
// A [Sampler] belongs to one answer and one goroutine: it remembers the tokens
// that were chosen, for penalties, and draws from its own seeded source, so that
// the same seed and logits give the same tokens.
//
// # Schemas
//
// A [Schema] is a grammar of bytes. Strings and numbers are finite automata, which
// have no state without a way to the end; objects and arrays are a stack above
// them. Where a schema leaves several readings open, all of them are followed.
// A container is begun only where the shortest value still fits the depth, so
// that every reading can be completed by itself: an answer never comes to a dead
// end, and what it ends as is valid.
//
// What would let a model go on for ever without getting anywhere is bounded:
// white space, the digits of a number, the depth. Strings and arrays are not,
// unless the schema bounds them. In objects with additional properties a name
// that the schema does not have may come twice.
//
// A [Constraint] belongs to one answer and one goroutine. Schemas and [TokenTrie]
// vocabularies do not change once made and may be shared.
//
// A [Stops] belongs to one answer and one goroutine too.
package sample
