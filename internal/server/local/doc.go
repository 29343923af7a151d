// Package local serves the engine as a [backend.Backend]: models, uploaded files,
// stored contexts, and requests that are answered many at once.
//
// # What is on disk
//
// Everything is below one directory, which one Backend at a time may use:
//
//	lock                      held while a Backend has the directory
//	blobs/SHA256              contents of files, shared by those that are alike
//	files/OWNER/ID.json       uploaded files; OWNER is a hash
//	uploads/OWNER/ID.json     files on their way, and ID.part, what has come of them
//	entries/ID/               contexts that were read, as the engine stores them
//	entries/ID.json           which parts of prompts an entry holds
//	stored/OWNER/ID.json      contexts that clients have named
//	sessions/ID/              what open weights have read of those
//	tmp/                      data of requests that are being read
//
// Records are written whole or not at all. No name that a client gives becomes a
// path. What a killed process leaves half written is taken up again or deleted by
// the next. A record that cannot be read is logged with its path and is out of
// service; it stays, and with it all that it may name.
//
// # Room
//
// What is on disk or announced takes at most Options.Quota: bytes are set aside before
// the first of them comes. Contexts that nobody has named make way, those not used for
// longest first. The files and stored contexts of one owner take at most
// Options.OwnerQuota, half of it by default, each file counted as if it were alone.
//
// Files expire, those of Gemini's API after 48 hours, but not before the stored contexts
// that were made of them, nor while a request reads them.
//
// # Prompts
//
// A prompt is a list of units: a file, data, or the text of a turn. The native model
// reads units independently of one another, so that one is read once and put together
// with others for each request. Open weights read a prompt from its beginning; a
// session that shares a beginning with it is forked.
//
// # Scheduling
//
// Requests have places by what they must read: questions, pages, and more. Who would
// wait for a place longer than is allowed is refused, with a time to come back.
//
// Questions go first. What reads more in the native model takes turns, a chunk each,
// and pauses between chunks while questions are answered, though never for longer than
// it reads. Sessions of open weights share passes over the weights.
package local
