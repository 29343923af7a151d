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
// Nothing is truncated: what does not fit is refused with the numbers.
//
// Ownership: a Context belongs to one goroutine at a time, except that several
// may Ask at once. Contexts made by Fork and Splice share the entries of the
// one they come from, which must stay open and unread-into while they are used.
// The engine recovers a panic below it, on whichever goroutine, and returns it
// as an error. It logs nothing.
package engine
