// Package pdf reads PDF documents: their text, with a mark a page, and pages
// without text as pictures that are rendered when they are asked for.
//
// The work is done by PDFium, compiled to WebAssembly, in a runtime of this
// process: a document can reach no file, no network and no memory but its own,
// of which it has 1 GiB, and a page that takes too long is given up. The runtime
// is set up by the first document, which takes seconds; the machine code that
// comes of it is kept in the user's cache directory for the next process.
//
// Decoding and streams may run at once; each document has an instance of its own.
package pdf
