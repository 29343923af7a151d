// Package studio is the web page that `handscroll serve` shows: drop files, watch
// them being read, ask, and look at the evidence.
//
// The page is plain ES modules, embedded as they are in web/: there is no build
// step. It speaks only the public HTTP API (the Gemini family under /v1beta and
// /upload, /metrics and /readyz) and asks nothing of any other server. Its only
// library is htm with Preact (web/vendor, as npm publishes it; a test holds its
// hash).
//
// Assets live below a folder whose name is a hash of all of them, so that browsers
// may keep them for good and never mix two versions; the page itself is asked for
// each time and answered by its ETag.
//
// The handler is safe for use by any number of goroutines.
package studio
