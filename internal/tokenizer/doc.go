// Package tokenizer turns bytes into token ids and back: byte-pair encoding
// (BPE, arXiv 1508.07909) over a [Vocab] value. It knows no file format; a
// vocabulary comes from [Train] or [FromStrings].
//
// # Invariants
//
// There are two: [BPE], the native model's, whose vocabulary this package trains,
// and [Open], those of open weights as their files describe them. What follows
// is about BPE.
//
// Encoding loses nothing: the concatenated pieces of Encode(text) are text,
// for any bytes at all, so byte offsets follow from piece lengths. Special
// tokens are never parsed out of text and decode to nothing.
//
// Text is first cut into pre-tokens, which no token crosses:
//
//   - an optional space and a run of letters and marks;
//   - a single digit, with nothing before it;
//   - a newline and the indentation that follows;
//   - a run of spaces and tabs, which leaves its last space to a word or to
//     punctuation that follows;
//   - an optional space and up to four characters of punctuation;
//   - a run of other bytes: controls, other white space, invalid UTF-8.
//
// and none is longer than 64 KiB. What is a letter follows Go's Unicode tables.
//
// A newline always starts a pre-token, so a text may be cut before any newline
// and encoded in parts with the same result. Within a pre-token the pair of
// lowest rank is merged, the leftmost first, until none is left.
//
// # Ownership and concurrency
//
// A [BPE] keeps its Vocab, which must not change afterwards, and is safe for
// concurrent use. Encode and Decode append to dst and keep neither argument.
package tokenizer
