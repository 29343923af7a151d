// Package speech makes speech to train and test speech models on: texts to say, voices
// to say them in, what rooms and microphones do to it, and the pronunciation of
// words.
//
// Speech comes from espeak-ng, through the program handscroll-speak (cmd/speak), a
// process that a [Speaker] starts and talks to over pipes. Only what speaks needs
// the program: lexicons and banks are read without it.
//
// Some voices, one accent and some words are held out from training, so that a test
// can ask for what a model has never heard: see [Voices] and [HeldOut].
//
// All that is random comes from the generator or seed that the caller gives. A
// Speaker belongs to one goroutine; several can run. A [Bank] and a [Lexicon] do
// not change once they are made and may be shared.
package speech
