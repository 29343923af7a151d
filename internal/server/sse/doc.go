// Package sse writes and reads server-sent events (the WHATWG HTML standard,
// section 9.2). A Writer and a Reader belong to one goroutine each.
package sse
