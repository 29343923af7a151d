// Package media turns what a user names (files, directories, globs, standard
// input, archives) into [Part]s: text that knows which page or moment it came
// from, and pictures, sound and film that are decoded when they are wanted.
//
// A format is a [Format] value: how to recognise its first bytes and how to
// decode it. Formats live one to a folder below this package and are listed in
// media/all; this package knows only the containers, gzip, tar and zip, through
// which any of them may come, and how directories are walked.
//
// Nothing is skipped silently: what [Open] leaves out of a directory or an
// archive comes back as a [Skipped]. What the user named and cannot be read is
// an error. Plain text is kept as it is, invalid UTF-8 included, so that byte
// offsets in such a part are byte offsets in the file.
//
// Files are untrusted. [Limits] bound what one may cost, whatever it claims; a
// file on disk is not read into memory unless its format does so, within them.
// A [File] belongs to the call that it is given to; parts own their text.
//
// Concurrency: functions keep no state and may be called at once.
package media
