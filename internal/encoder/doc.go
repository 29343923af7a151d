// Package encoder turns pictures and sound into what the decoder reads.
//
// [Eyes] looks at frames. A convolutional stem makes a grid of features at several
// scales; its reading head finds characters, which become text in reading order.
// A second, coarser stem makes a few patch embeddings a frame, which pass through
// windowed layers and leave keys in the cache: what is there, and how it moves.
//
// [Ears] hears sound. Log-mel frames become 25 embeddings a second, which pass
// through windowed layers and leave a key and a value each. The values hold what
// was said: [Ears.Phones] reads phones off them, [Lexicon] words.
//
// Both have forward and backward beside each other. A model's parameters belong
// to its nn.Params; a forward pass only reads them, so that goroutines with a
// Scratch each may share one model.
package encoder
