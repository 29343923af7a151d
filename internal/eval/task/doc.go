// Package task holds the benchmarks, one a file.
//
//	niah       one or several needles, in Gemini 1.5's wording or mixed ones
//	heldout    wordings, keys and kinds of value made for measuring alone
//	lookalike  needles asked one by one among needles with nearly their keys
//	absent     pairs of questions: one whose answer stands there, one whose does not
//	quote      a sentence of the haystack continued from its first words
//
// Nothing here may be used for training, and nothing of the trainer's data is
// used here: the lists were written apart, so that a good figure means the
// ability and not the list.
//
// Tasks are values without state between calls, safe for concurrent use, except
// Quote, which keeps an index of the text it saw last.
package task
