// Package frame is what package speech and the program handscroll-speak say to
// each other over a pipe: a [Request] is a line of JSON, an [Answer] a binary
// frame. Every request has one answer, in order.
//
// A frame is
//
//	magic    "spk1"
//	length   uint32, of what follows
//	rate     uint32, samples a second
//	error    uint32 length, bytes; empty where the request was fulfilled
//	words    uint32 count, each: phone uint32, offset uint32, length uint32
//	phones   uint32 count, each: start uint32, name uint8 length and bytes
//	samples  uint32 count, int16 each
//
// with little-endian numbers. A phone's start is in milliseconds; a word begins with
// the phone of that index, and its offset and length are bytes of the request's
// text. The reader trusts nothing: lengths are checked
// against what is left of the frame, and a frame has no more than [MaxBytes].
//
// Functions keep no state.
package frame
