// Package load has many clients ask one server at once, half of them by Google's SDK and
// half by OpenAI's: short questions and texts of some hundred kilobytes, one in ten of
// which its client gives up midway. Every answer must be the one that a server gave which
// was asked nothing else at the time, all that is refused must say when to come back, and
// afterwards the server must be as it was.
//
// The server is the program of HANDSCROLL_BIN, or is built from the module two folders
// up. It takes 10 seconds and the time to ask everything once before; with more, more of
// what is asked is long:
//
//	go test -count=1 -v . -load 2m
package load
