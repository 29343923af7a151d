// Package engine reads parts into a context and answers questions about it.
//
// Reading: each part becomes one segment, begun by the BOS token. Its text is
// tokenised in pieces at safe boundaries ([chunker]), cut into chunks of 4096
// tokens, and every chunk is prefilled on its own with the Lead tokens before
// it and the Lookahead tokens after it. As entries depend on nothing further,
// they are bit for bit the same however the work is cut, spread over workers,
// interrupted and resumed; [Context.Splice] rests on the same fact. Chunks are
// appended in order, by one goroutine, to a kvcache.Memory or kvcache.Store.
//
// Asking: the model's decoder runs over the entries of all segments; the
// positions its pointer weighs lead back through segment and block to bytes,
// lines and a passage ([evidence]).
//
// Open weights: [Weights] is a transformer of a GGUF file, [Session] one sequence
// that it has read, [Documents] texts to be asked and [Conversation] a chat. What
// sessions read goes through one batcher a file, which puts pieces that come at once
// into one pass. A session's tokens, and greedy answers, are the same however they
// were chunked, batched, forked, interrupted and resumed.
//
// Nothing is truncated: what does not fit is refused with the numbers.
//
// Ownership: a Context belongs to one goroutine at a time, except that several
// may Ask at once. Contexts made by Fork and Splice share the entries of the
// one they come from, which must stay open and unread-into while they are used.
// Sessions, Documents and Conversations belong to one goroutine each; those of the
// same Weights may be used at once, and must not be after its Close.
// The engine recovers a panic below it, on whichever goroutine, and returns it
// as an error. It logs nothing.
package engine
