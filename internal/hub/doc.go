// Package hub downloads model files from a Hugging Face-style hub over HTTP.
//
// [Client.List] asks for a repository's files with their sizes and checksums,
// [Listing.Select] chooses among them, [Client.Pull] fetches what was chosen.
// A download that ended in any way goes on where it stopped; docs/formats.md
// describes the files that lie beside it meanwhile.
//
// Nothing that a server says is trusted: lists are bounded, names that would
// leave a folder are refused, and a file gets its name only when all of it has
// the checksum that the list gave, also the part that an earlier process
// fetched. The token goes to the endpoint alone, never along a redirect to
// another host, and a redirect from https to http is not followed.
//
// A Client may be used by several goroutines, a Listing is only read. Between
// processes and goroutines a lock file makes sure that one at a time fetches a
// file.
package hub
