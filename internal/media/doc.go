// Package media turns what a user names (files, directories, globs, standard
// input, archives) into [Part]s: pieces of text that know where they came from.
//
// A format is a [Format] value: how to recognise its first bytes and how to
// decode it. Formats live one to a folder below this package and are listed in
// media/all; this package knows only the containers, gzip and tar, through
// which any of them may come.
//
// Nothing is skipped silently: what [Open] leaves out of a directory or an
// archive comes back as a [Skipped]. What the user named and cannot be read is
// an error. Parts hold the bytes as they are, invalid UTF-8 included, so that
// byte offsets in a part are byte offsets in the file.
//
// Concurrency: functions keep no state and may be called at once.
package media
