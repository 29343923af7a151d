// Package render draws pictures and films whose content is known exactly: text
// with the place of every character, designed frames such as scoreboards and
// charts, shapes in motion, and hours of film addressed by the second. They train
// and measure the part of a model that sees.
//
// Everything is a function of the random generator, or of the seed, that is
// passed in: the same one gives the same bytes on one kind of processor. A [Fonts]
// is read-only once loaded and may be shared. A [Painter] keeps scratch memory and
// belongs to one goroutine, and so does a [Film], which has a painter of its own. A
// [Scene] belongs to the caller.
//
// A scene tells the text that was written and the objects that were put on it.
// What a background consists of, such as boxes, balls and signs that are no
// letters, is not told: it is what a reader has to pass over.
//
// Positions are in pixels of the picture, (0, 0) being the top left corner of
// the first pixel.
package render
