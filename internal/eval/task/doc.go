// Package task holds the benchmarks, one a file.
//
//	niah       one or several needles, in Gemini 1.5's wording or mixed ones
//	heldout    wordings, keys and kinds of value made for measuring alone
//	lookalike  needles asked one by one among needles with nearly their keys
//	absent     pairs of questions: one whose answer stands there, one whose does not
//	quote      a sentence of the haystack continued from its first words
//
//	video      one frame that shows a secret word, in hours of film
//	audio      a spoken keyword in hours of speech
//	mixed      needles of each kind in one context of film, speech, book and code
//	contest    generated slam dunk contests: the one perfect 50, whose and when
//	sight      coloured shapes in motion: when they appear, and which of two
//	errors     how many words are misheard and characters misread
//
// Nothing here may be used for training, and nothing of the trainer's data is
// used here: the lists were written apart, so that a good figure means the
// ability and not the list.
//
// Tasks are values without state between calls, safe for concurrent use, except
// Quote, which keeps an index of the text it saw last. Studies of films and
// recordings are pointers that belong to one goroutine from Prepare to Close; their
// fonts, voices and invented words are those that render and speech hold out from
// training.
package task
